"""Whether the curvature and a covariance share their eigenvectors."""
