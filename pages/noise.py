"""Whether the shape of the noise matters: descents in one layer under noise of every shape, beside SGD."""

from pages.shell.frame import page

with page("noise"):
    from pages.rooms.noise.page import show

    show()
