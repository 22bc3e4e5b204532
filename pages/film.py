"""Train and analyse while it trains: a film that is watched, paused, and steered on the way."""

from pages.shell.frame import page

with page("film"):
    from pages.rooms.live.page import show

    show()
