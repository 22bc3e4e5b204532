"""A grid of data, networks, losses, classes and seeds, and the table of exponents that it fills."""

from pages.shell.frame import page

with page("table"):
    from pages.rooms.sweeps.page import show

    show()
