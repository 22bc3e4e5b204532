"""The law layer by layer: the network as it is studied, and what each of its layers says of it."""

from pages.shell.frame import page

with page("layers"):
    from pages.rooms.layers.page import show

    show()
