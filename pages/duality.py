"""Activity-weight duality pair by pair: what is exact, what is first order, and what becomes of it."""

from pages.shell.frame import page

with page("duality"):
    from pages.rooms.duality.page import show

    show()
