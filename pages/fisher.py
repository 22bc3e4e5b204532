"""Whether noise is curvature divided by the batch size: the Fisher argument, link by link, along one training."""

from pages.shell.frame import page

with page("fisher"):
    from pages.rooms.fisher.page import show

    show()
