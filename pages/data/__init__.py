"""What a page reads: the cache, once a rerun, and what is derived from it."""
