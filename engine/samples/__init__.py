"""Single samples of a checkpoint and pairs of them. NumPy alone but for what collects them."""
