"""What an edit of the per-sample spectra does."""
