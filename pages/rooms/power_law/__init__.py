"""The exponent, its residuals, its window and its cause."""
