"""How the power law comes about while the network learns: Fig. 4 and 5 of the paper, for one run or two."""

from pages.shell.frame import page

with page("dynamics"):
    from pages.rooms.dynamics.page import show

    show()
