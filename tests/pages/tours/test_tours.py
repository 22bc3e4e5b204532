"""Guided tours: their files, the bar that leads through them, one's own, and presenting."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.runs import library
from pages.data import results
from pages.rooms.live import panels
from pages.rooms.tours import bar
from pages.rooms.tours.format import read
from pages.rooms.tours.library import SHIPPED, own, shipped
from pages.rooms.tours.page import EXAMPLE
from pages.rooms.tours.places import PLACES
from pages.state import selection
from pages.state.menu import MENU, entry
from pages.text import numbers
from pages.ui import predict
from tests.pages.conftest import button, fine, opened, result, sent, texts, url
from tests.planted import add_held_out, analysis, fill

PAGE = "pages/tours.py"
TOURS = shipped()
ONE = """id = "mine"
title = "Mine"
about = "Two stops."
[[stop]]
title = "First"
page = "power_law"
select = { epoch = "first", matrices = ["C", "E_h2"], window = [3, 90] }
highlight = "power"
text = "γ is $⟦gamma⟧$."
[[stop]]
title = "Second"
page = "commutativity"
text = "Nothing but words."
"""


def keys(at):
    """The keys of everything drawn in the page's main part."""
    names, waiting = set(), [at.main]
    while waiting:
        node = waiting.pop()
        waiting += getattr(node, "children", {}).values()
        place = getattr(getattr(node, "proto", None), "id", None)
        if isinstance(place, str) and place.startswith("$$ID-"):
            names.add(place.split("-", 2)[2])
    return names


def on(at, page):
    """The app test follows a switch of the page, as a browser does."""
    fine(at.switch_page(page).run())


def write_tour(store, name="mine.toml", text=ONE):
    (store.root / "tours").mkdir(exist_ok=True)
    (store.root / "tours" / name).write_text(text, encoding="utf-8")


@pytest.fixture
def mine(store):
    write_tour(store)


# -- the files --------------------------------------------------------------------------------------------


def test_three_tours_come_along_and_each_is_named_after_its_file():
    assert tuple(TOURS) == ("five-minutes", "paper", "sceptic")
    assert all(tour.id == id and len(tour.stops) > 5 for id, tour in TOURS.items())
    assert {path.stem for path in SHIPPED.glob("*.toml")} == set(TOURS)


@pytest.mark.parametrize("page", list(PLACES))
def test_every_part_that_a_stop_may_point_at_is_on_its_page(whole, store, page):
    add_held_out(store, whole, 100)
    there = keys(opened(entry(page).file, approximations="yes"))
    if predict.HEAD.key in PLACES[page]:
        there |= keys(opened(entry(page).file, guess="yes"))
    missing = set(PLACES[page]) - there
    assert not missing


@pytest.mark.parametrize("id", list(TOURS))
def test_no_paragraph_of_a_tour_is_lost_where_all_is_measured(whole, store, id):
    add_held_out(store, whole, 100)
    last = results.view_of(library.find(store, whole))
    middle = replace(last, chosen=last.analysed[1], analysis=result(store, whole, 10))
    for text in (*(stop.text for stop in TOURS[id].stops), *TOURS[id].learned):
        shown = numbers.fill(text, middle if "epoch_shift" in text else last)
        sure = [part for part in text.split("\n\n") if not part.startswith("⟦")]
        assert shown.count("\n\n") + 1 >= len(sure), text
        assert any("⟦when" in part for part in text.split("\n\n")) == (shown.count("\n\n") + 1 > len(sure)), text
        assert "⟦" not in shown


def test_an_epoch_is_not_held_against_itself(whole, store):
    (text,) = [stop.text for stop in TOURS["sceptic"].stops if "epoch_shift" in stop.text]
    assert "at epoch" not in numbers.fill(text, results.view_of(library.find(store, whole)))


def test_every_control_that_a_stop_asks_for_is_on_its_page(whole, store):
    add_held_out(store, whole, 100)
    asked = {(stop.page, key) for tour in TOURS.values() for stop in tour.stops for key in stop.controls}
    assert asked
    for page in {page for page, _ in asked}:
        there = keys(opened(entry(page).file, approximations="yes"))
        assert {key for one, key in asked if one == page} <= there, page


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('page = "power_law"', 'page = "powerlaw"'), "stop 1: there is no page 'powerlaw'; there are start, tours"),
        (("epoch =", "epcoh ="), "stop 1: a selection has no 'epcoh'; it has run, runs"),
        (('"first"', '"frist"'), "stop 1: epoch cannot be 'frist'. It is a whole number, or first, middle or last."),
        (("[3, 90]", "[90, 3]"), "stop 1: window cannot be [90, 3]."),
        (('"E_h2"', '"E_h3"'), "stop 1: matrices cannot be ['C', 'E_h3']. It is a list of some of C, C_awd"),
        (('highlight = "power"', 'highlight = "powers"'), "stop 1: the page power_law has no part 'powers'"),
        (("⟦gamma⟧", "⟦gama⟧"), "stop 1: there is no number ⟦gama⟧; there are symbol"),
        (("Nothing but", "<b>Nothing</b>"), "stop 2: a text is Markdown without HTML; take '<b>' out."),
        (("Nothing but", "![x](http://a/b.png)"), "stop 2: a text has no pictures"),
        (("Nothing but", "x" * 3000), "stop 2: its text has 3,"),
        (('text = "Nothing but words."', ""), "stop 2 needs a text, a text in quotation marks."),
        (('about = "Two stops."', ""), "The tour needs an about"),
        (('id = "mine"', 'id = "../mine"'), "the id is made of small letters, digits and hyphens"),
        (('title = "Second"', "title = 2"), "stop 2 needs a title"),
        (('title = "Second"', 'titel = "Second"'), "stop 2 has no setting titel; it has title"),
        (('"first", m', "first, m"), "is no valid TOML"),
        (
            ('about = "Two', 'run = "newest"\nabout = "Two'),
            "run is 'demo' or the beginning of a run's key, not 'newest'",
        ),
        (('about = "Two', 'learned = [1]\nabout = "Two'), "learned is a list of at most 5 texts, not [1]"),
        (('page = "commut', 'needs = ["all"]\npage = "commut'), "stop 2: nothing called all can be needed; there are"),
        (('page = "commut', 'controls = ["*"]\npage = "commut'), "stop 2: * is no key of a control"),
        (("Nothing but", "⟦when gama > 1⟧ Nothing but"), "stop 2: there is no number ⟦gama⟧"),
        (
            ('{ epoch = "first", matrices = ["C", "E_h2"], window = [3, 90] }', '"epoch"'),
            "stop 1: select is written as",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_sentence(change, sentence):
    assert ONE.count(change[0]) == 1
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        read(ONE.replace(*change))
    assert "\n" not in str(caught.value)


def test_viewers_choices_are_not_a_tours_and_formulas_are_no_markup():
    for name in ("large", "present", "tour", "stop"):
        with pytest.raises(ValueError, match="a selection has no"):
            read(ONE.replace("epoch =", f"{name} ="))
    assert read(ONE.replace("Nothing but", "where $a<b$ and $b>a$,")).stops[1].text.startswith("where $a<b$")
    with pytest.raises(ValueError, match="has no stop"):
        read(ONE.split("[[stop]]")[0])
    with pytest.raises(ValueError, match="40 are the most"):
        read(ONE + ONE.split("[[stop]]")[2].join(["[[stop]]"] * 50))


# -- the bar ----------------------------------------------------------------------------------------------


def test_a_link_opens_its_stop_on_the_right_page_with_everything_set(mine, run):
    at = opened(tour="mine", stop="1")
    assert at.title[0].value == "By which power does noise grow with curvature?"
    assert url(at) == {"epoch": "0", "matrices": "C,E_h2", "window": "3,90", "tour": "mine", "stop": "1"}
    gamma = analysis(gamma=1.0, seed=0).fit("C", 90, 2).gamma
    assert f"γ is ${gamma:.3f}$." in texts(at)
    assert sent_to_browser(at)["place"] == "st-key-power"
    assert "Mine · 1 of 2" in texts(at)


def sent_to_browser(at):
    """What the bar's script gets."""
    (component,) = [c for c in at.get("bidi_component") if c.proto.id.endswith("-tour-eye")]
    return json.loads(component.proto.json)


def test_what_else_a_link_says_holds(mine, run):
    at = opened(tour="mine", stop="1", epoch="10", large="yes")
    assert url(at)["epoch"] == "10"
    assert url(at)["window"] == "3,90"
    assert url(at)["large"] == "yes"


def test_a_stop_beyond_the_last_is_the_last(mine, run):
    at = opened(tour="mine", stop="9")
    assert "share their directions" in at.title[0].value
    assert "Mine · 2 of 2" in texts(at)


def test_next_back_again_and_done(mine, run):
    at = opened(PAGE, k="33")
    fine(at.button(key="tours.begin-mine").click().run())
    assert at.title[0].value == "By which power does noise grow with curvature?"
    assert "k" not in url(at)
    on(at, "pages/power_law.py")
    assert button(at, "Back").disabled
    at.slider(key="power_law.window").set_value((1, 50)).run()
    assert url(at)["window"] == "1,50"
    first = sent_to_browser(at)["visit"]
    button(at, "Show again").click().run()
    assert url(at)["window"] == "3,90"
    assert at.slider(key="power_law.window").value == (3, 90)
    assert sent_to_browser(at)["visit"] == first + 1
    fine(button(at, "Next").click().run())
    assert "share their directions" in at.title[0].value
    assert url(at) == {"tour": "mine", "stop": "2"}
    assert sent_to_browser(at)["place"] == ""
    on(at, "pages/commutativity.py")
    button(at, "Back").click().run()
    assert url(at)["stop"] == "1"
    on(at, "pages/power_law.py")
    button(at, "Next").click().run()
    on(at, "pages/commutativity.py")
    fine(button(at, "Done").click().run())
    assert at.title[0].value == "Who leads the way?"
    on(at, PAGE)
    assert url(at) == {"k": "33"}
    assert "tour" not in keys(at)


def test_another_page_tells_the_way_back(mine, run):
    at = opened("pages/power_law.py", tour="mine", stop="1")
    on(at, "pages/dynamics.py")
    assert "leads back to Power law" in texts(at)
    assert sent_to_browser(at)["place"] == ""
    button(at, "Show again").click().run()
    assert at.title[0].value == "By which power does noise grow with curvature?"
    on(at, "pages/power_law.py")
    button(at, "Leave").click().run()
    assert "tour" not in url(at)
    assert url(at)["window"] == "3,90"


@pytest.mark.parametrize(("word", "epoch"), [('"first"', "0"), ('"middle"', "10"), ('"last"', None), ("100", "100")])
def test_epochs_in_words_are_those_of_the_present_run(run, store, word, epoch):
    write_tour(store, text=ONE.replace('"first"', word))
    assert url(opened(tour="mine")).get("epoch") == epoch


def test_a_link_to_a_tour_that_is_not_here_says_so(run):
    at = opened("pages/power_law.py", tour="lost", stop="2")
    assert "This link shows a tour that this machine does not have" in texts(at)
    assert "power" in keys(at)


def test_without_results_a_stop_says_what_to_press(store):
    at = opened("pages/power_law.py", tour="five-minutes", stop="5")
    assert "The start page makes some in about twenty seconds" in texts(at)
    assert "Each point is one direction" in texts(at)
    assert "γ = " not in texts(at)
    assert "Open the start page" in texts(at)


def test_a_tour_chooses_its_run_and_keeps_the_viewers_layer(store):
    first, second = fill(store), fill(store, seed=1)
    write_tour(store, text=ONE.replace("{ epoch", f'{{ run = "{first}", epoch'))
    at = opened(tour="mine", run=second)
    assert url(at)["run"] == second  # the link says so
    button(at, "Show again").click().run()
    assert url(at)["run"] == first
    button(at, "Next").click().run()
    assert url(at)["run"] == first


# -- presenting -------------------------------------------------------------------------------------------


def test_presenting_enlarges_and_leads_back(run):
    at = opened("pages/power_law.py")
    fine(at.toggle(key="power_law.present").set_value(True).run())
    assert url(at) == {"present": "yes"}
    assert sent(at, "power")["scale"] == selection.LARGE
    assert sent_to_browser(at) == {"place": "", "visit": 0, "keys": True}
    fine(button(at, "Stop presenting").click().run())
    assert url(at) == {}
    assert sent(at, "power")["scale"] == 1


def test_the_bar_begins_to_present(mine, run):
    at = opened("pages/power_law.py", tour="mine", stop="1")
    fine(button(at, "Present").click().run())
    assert url(at)["present"] == "yes"
    assert sent_to_browser(at)["keys"]
    assert "Present" not in [b.label for b in at.button]


# -- the page ---------------------------------------------------------------------------------------------


def test_every_tour_is_listed_with_its_stops_and_link(run):
    at = opened(PAGE)
    text = texts(at)
    for id, tour in TOURS.items():
        assert f"#### {tour.title}" in text
        assert any(f"?tour={id}&stop=1" in c.value for c in at.code)
        assert [b.label.split(".")[0] for b in at.button if b.key and b.key.startswith(f"tours.stop-{id}-")] == [
            str(n) for n in range(1, len(tour.stops) + 1)
        ]
    number = next(n for n, stop in enumerate(TOURS["paper"].stops, 1) if "centred" in stop.select)
    fine(at.button(key=f"tours.stop-paper-{number}").click().run())
    assert url(at)["stop"] == str(number)
    assert url(at)["centred"] == "yes"


def test_own_files_join_the_list_and_broken_ones_say_why(mine, run, store, tmp_path_factory):
    write_tour(store, "wrong.toml", ONE.replace('page = "power_law"', 'page = "nowhere"'))
    write_tour(store, "zz.toml", ONE.replace('"Mine"', '"Twin"'))
    write_tour(store, "paper.toml", ONE.replace('id = "mine"', 'id = "paper"'))
    outside = tmp_path_factory.mktemp("outside") / "secret.toml"
    outside.write_text(ONE.replace('id = "mine"', 'id = "secret"'))
    (store.root / "tours" / "link.toml").symlink_to(outside)
    (store.root / "tours" / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    (store.root / "tours" / "circle.toml").symlink_to("circle.toml")
    write_tour(store, "odd\udcff.toml", "a = " + "[" * 20_000)
    assert list(own()[0]) == ["mine"]
    at = opened(PAGE)
    warned = "\n".join(w.value for w in at.warning)
    for reason in ("there is no page", "another tour has the id", "not a file of this folder", "no text in UTF"):
        assert reason.replace("-", "\\-") in warned
    assert len(at.warning) == 7
    fine(at.button(key="tours.forget-mine").click().run())
    assert not (store.root / "tours" / "mine.toml").exists()


def test_the_example_is_a_tour_and_can_be_kept_changed_and_begun(run, store):
    at = opened(PAGE)
    assert at.text_area[0].value == EXAMPLE
    assert "Before and after training, 2 stops." in texts(at)
    changed = EXAMPLE.replace('highlight = "R_real"', 'highlight = "heat"', 1)
    at.text_area[0].set_value(changed).run()
    assert "stop 1" in at.warning[0].value
    assert "no part" in at.warning[0].value
    assert button(at, "Keep this tour").disabled
    button(at, "Check").click().run()
    assert at.text_area[0].value == changed
    button(at, "Back to the example").click().run()
    assert at.text_area[0].value == EXAMPLE
    fine(button(at, "Keep this tour").click().run())
    assert (store.root / "tours" / "before-and-after.toml").read_text(encoding="utf-8") == EXAMPLE
    assert "It replaces the one of this id" in texts(at)
    fine(at.button(key="tours.begin-before-and-after").click().run())
    assert "share their directions" in at.title[0].value
    assert url(at)["epoch"] == "0"


def test_a_file_is_taken_for_the_text_and_may_not_take_a_shipped_name(run):
    at = opened(PAGE)
    text = ONE.replace('id = "mine"', 'id = "paper"')
    fine(at.file_uploader[0].set_value(("../../x.toml", text.encode(), "application/toml")).run())
    assert at.text_area[0].value == text
    assert "belongs to a tour that comes with the project" in at.warning[0].value.replace("\\", "")


def test_every_page_of_the_menu_is_there():
    root = Path(__file__).parents[3]
    assert all((root / e.file).is_file() for group in MENU.values() for e in group)
    assert set(PLACES) <= {e.name for group in MENU.values() for e in group}
    assert all(
        name in numbers.NUMBERS for tour in TOURS.values() for s in tour.stops for name in numbers.places(s.text)
    )
    assert bar.css_class("power_law.window") == "st-key-power_law-window"


def test_a_figure_with_words_for_a_tour_needs_no_second_list():
    film = {head.key for head, *_ in panels.CURVES} | {panels.LAW.key, panels.R_REAL.key}
    assert set(PLACES["film"]) == film | {"film-knobs"}
    assert "play" not in PLACES["commutativity"], "a figure without such words is none of a tour's"
