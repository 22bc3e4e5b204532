"""Bring a trained network: choose its files, confirm what they are, check what it can, and measure."""

from pages.shell.frame import page

with page("load"):
    from pages.rooms.load.page import show

    show()
