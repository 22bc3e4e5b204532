"""Grids of runs: their cells, the processes that work on them, and the rows measured."""
