"""The Hessian of one sample."""
