"""Guided tours: data, their reader, and the bar that leads through them."""
