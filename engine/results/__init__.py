"""An Analysis and the questions that can be put to it. NumPy alone, so that pages read it without torch."""
