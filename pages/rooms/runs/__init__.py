"""Runs: side by side, one by one, as files."""
