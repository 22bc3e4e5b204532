"""Every term with its symbol, its formula and the present numbers, and where it is to be seen."""

from pages.shell.frame import page

with page("glossary"):
    from pages.rooms.glossary.page import show

    show()
