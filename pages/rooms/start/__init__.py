"""The start page's way on."""
