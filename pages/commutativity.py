"""Whether the curvature and a covariance share their eigenvectors, against chance."""

from pages.shell.frame import page

with page("commutativity"):
    from pages.rooms.commutativity.page import show

    show()
