"""Activity-weight duality, pair by pair and over all pairs."""
