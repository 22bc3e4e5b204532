"""Knobs, cards and headings that several pages have."""
