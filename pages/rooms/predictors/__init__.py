"""Which matrix predicts the noise: each beside the measured C."""
