"""The front door: what this is, the demo at work, and its results at a glance."""

from pages.jobs import demo
from pages.rooms.start import introduction
from pages.shell.frame import page

with page("start"):
    demo.start_on_an_empty_cache()
    introduction.show()
    from pages.rooms.start.page import show

    show()
