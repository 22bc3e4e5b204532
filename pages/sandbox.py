"""What sets γ: a sandbox without a network, and the theorem's bound step by step."""

from pages.shell.frame import page

with page("sandbox"):
    from pages.rooms.mechanism.page import show

    show()
