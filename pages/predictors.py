"""Every matrix that may predict the noise against the measured one: slope, size and distance, along training."""

from pages.shell.frame import page

with page("predictors"):
    from pages.rooms.predictors.page import show

    show()
