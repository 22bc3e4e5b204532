"""A run trained and analysed while one watches."""
