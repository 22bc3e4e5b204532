"""What a tour needs: its run and what must have been measured; and its end, which leads back."""

from tests.pages.conftest import button, fine, opened, texts, url
from tests.pages.tours.test_tours import ONE, PAGE, on, write_tour
from tests.planted import fill


def test_a_tour_of_the_demo_offers_it_where_another_run_is_shown(store):
    demo, other = fill(store), fill(store, seed=1)
    write_tour(store, text=ONE.replace("about =", 'run = "demo"\nabout ='))
    at = opened("pages/power_law.py", tour="mine", stop="1", run=demo)
    assert "This tour is of the demo" not in texts(at)
    at = opened("pages/power_law.py", tour="mine", stop="1", run=other)
    assert "This tour is of the demo" in texts(at)
    fine(button(at, "Show the demo").click().run())
    assert url(at)["run"] == demo
    assert url(at)["window"] == "3,90"


def test_one_button_measures_what_a_stop_needs(store, run, started):
    write_tour(
        store, text=ONE.replace('page = "power', 'needs = ["other-samples", "epochs", "samples"]\npage = "power')
    )
    at = opened("pages/power_law.py", tour="mine", stop="1")
    assert "Not measured yet of this run: halves of the samples" in texts(at)
    fine(button(at, "Measure").click().run())
    assert [words[0] for words, _ in started] == ["analyze", "samples"]
    assert "--cross-fit" in started[0][0]
    assert all(queued for _, queued in started)
    assert "Measure" not in [b.label for b in at.button]


def test_the_closing_slide_says_what_was_learned_and_the_end_leads_back(store, run):
    learned = 'learned = ["γ is ⟦gamma⟧.", "Two.", "Three."]\nabout ='
    write_tour(store, text=ONE.replace("about =", learned))
    at = opened(PAGE, epoch="10")
    fine(at.button(key="tours.stop-mine-2").click().run())
    on(at, "pages/commutativity.py")
    assert "Mine · 2 of 3" in texts(at)
    fine(button(at, "Next").click().run())
    on(at, PAGE)
    assert at.title[0].value == "What we have seen"
    assert "γ is 1." in texts(at)
    fine(button(at, "Done").click().run())
    on(at, PAGE)
    assert at.title[0].value == "Who leads the way?"
    assert url(at) == {"epoch": "10"}
