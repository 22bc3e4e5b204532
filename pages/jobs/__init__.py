"""Work in processes of its own, as pages start, watch and describe it."""
