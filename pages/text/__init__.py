"""Sentences with numbers, definitions, and names of runs."""
