"""By which power a covariance grows with the curvature, and how far that statement holds."""

from pages.shell.frame import page

with page("power_law"):
    from pages.rooms.power_law.page import show

    show()
