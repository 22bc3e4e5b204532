"""All that is kept: runs side by side, their names, their files, and how much room they take."""

from pages.shell.frame import page

with page("runs"):
    from pages.rooms.runs.page import show

    show()
