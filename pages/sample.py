"""The Hessian of a single sample: which samples are stiff, why, and where they point."""

from pages.shell.frame import page

with page("sample"):
    from pages.rooms.sample.page import show

    show()
