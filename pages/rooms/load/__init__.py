"""A network trained elsewhere: its files, its data, its accuracy, its measurement."""
