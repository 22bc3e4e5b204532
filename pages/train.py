"""Train a network of one's own: choose, see what it will cost, start, watch."""

from pages.shell.frame import page

with page("train"):
    from pages.rooms.train.page import show

    show()
