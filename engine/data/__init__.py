"""Data sets: raw samples, what is chosen of them, and tensors with a fingerprint."""
