"""Whether the exponent belongs to the layer or to these samples: the same directions read on others."""

from pages.shell.frame import page

with page("held_out"):
    from pages.rooms.held_out.page import show

    show()
