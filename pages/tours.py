"""Guided tours: those there are, and how to write one."""

from pages.shell.frame import page

with page("tours"):
    from pages.rooms.tours.page import show

    show()
