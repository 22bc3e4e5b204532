"""A figure on a page: drawn in place, with its numbers, its code and the meaning of its legend."""
