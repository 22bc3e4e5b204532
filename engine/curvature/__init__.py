"""From a network and its samples to H, C and their kin: factors, moments, the named matrices, eigenpairs. In torch."""
