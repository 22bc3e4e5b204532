"""Which curvatures of single samples the noise and its exponent hang on: edit them and see."""

from pages.shell.frame import page

with page("suppression"):
    from pages.rooms.suppression.page import show

    show()
