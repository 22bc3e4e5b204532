"""SGD, epoch by epoch."""
