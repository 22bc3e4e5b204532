"""The power law along training."""
