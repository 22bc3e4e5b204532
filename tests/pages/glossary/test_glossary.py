"""The glossary, the words under the pointer, and the questions with their answers."""

import re

import numpy as np
import plotly.graph_objects as go
import pytest

from engine.results import synthetic
from engine.results.power_law import power_law
from engine.runs import example, library
from engine.samples import fisher
from engine.samples.pair import pair
from pages.data import results
from pages.plot import legends
from pages.rooms.glossary import answers, page
from pages.rooms.glossary.questions import QUESTIONS
from pages.rooms.glossary.terms import TERMS
from pages.shell import questions
from pages.state import palette
from pages.state.menu import entry
from pages.text import definitions, numbers
from pages.ui import controls
from tests.pages.conftest import chart, charts, fine, opened, sent, texts
from tests.planted import add_film, add_spectra, add_sweep, analysis, planted_spectra
from tests.planted_samples import add_samples, samples

PAGE = "pages/glossary.py"
# Texts among them that are no definitions.
PLAIN = {"JOINTLY", "MEASURE", "TABLE_LEAD", "LOADED", "LOADED_DATA", "SANITY"}
LOOKING = ("start", "commutativity", "power_law", "dynamics", "suppression")
TOUCHING = ("duality", "sample", "sandbox", "fisher", "film")


# -- terms ------------------------------------------------------------------------------------------------


def test_every_definition_is_a_term_once():
    texts = [term.text for term in TERMS]
    assert len(set(texts)) == len(texts)
    assert len({term.name for term in TERMS}) == len(TERMS)
    defined = {name: text for name, text in vars(definitions).items() if name.isupper() and name not in PLAIN}
    assert not [name for name, text in defined.items() if text not in texts]
    assert all(entry(page).file for term in TERMS for page in term.pages)


def test_the_page_lists_all_terms_with_their_numbers_and_pages(run):
    at = opened(PAGE)
    text = texts(at)
    assert all(f"#### {term.name}" in text for term in TERMS)
    assert f"{len(TERMS)} of {len(TERMS)} terms" in text
    assert f"{analysis(gamma=1 + 0.1 * np.log10(101), seed=100).fit('C').gamma:.3f}" in text
    assert "D = 400" in text
    linked = [link.proto.page for link in at.main.get("page_link")]
    assert len(linked) == sum(len(term.pages) for term in TERMS)


def test_the_search_keeps_what_holds_every_word(run):
    at = opened(PAGE)
    fine(at.text_input(key="glossary.search").set_value("spearman RANK").run())
    assert "#### Rank correlation" in texts(at)
    assert "#### Curvature" not in texts(at)
    at.text_input(key="glossary.search").set_value("xyzzy").run()
    assert "No term holds all of these words" in at.info[0].value
    assert page.matching("gamma")[0].name == "Exponent"
    assert "Curvatures of single samples" in [term.name for term in page.matching("kappa")]
    assert page.matching("") == list(TERMS)


def test_without_results_terms_stand_without_numbers(store):
    at = opened(PAGE)
    assert "its numbers come with the first results" in texts(at)
    assert "⟦" not in texts(at)


# -- under the pointer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*LOOKING, *TOUCHING])
def test_every_entry_of_a_legend_is_explained(whole, page):
    at = opened(entry(page).file, direction="7", bend="yes")
    unexplained = {}
    for key in set(charts(at)) - {"strip"}:
        figure = chart(at, key)
        shown = [t["name"] for t in figure["data"] if t.get("showlegend") is not False and t.get("name")]
        if figure["layout"].get("showlegend") is not False and len(shown) > 1:
            unexplained[key] = set(shown) - set(sent(at, key)["legend"])
    assert not {key: names for key, names in unexplained.items() if names}


def test_an_entry_is_explained_by_the_key_of_its_trace_whatever_its_text(whole):
    """What texts alone would confuse."""
    for name, key, help_text in (
        ("power_law", "power", {"C<sub>AWD</sub>  γ = 1.18": "C_AWD – cov", "slope 1": "What γ = 1 would look like"}),
        ("power_law", "residuals", {"C<sub>AWD</sub>, running median": "The median of neighbouring residuals"}),
        ("power_law", "effective", {"κ<sub>eff</sub>": "Mean curvature of samples along a direction"}),
        ("dynamics", "norms", {"C<sub>hh</sub><sup>sd</sup>": "C_hh, sd – "}),
        ("suppression", "both", {"as measured  γ = 1.16": "As it is in the network", "slope 1": "What γ = 1 would"}),
        ("suppression", "samples", {"median": "Half of the samples lie above"}),
        ("duality", "near_far", dict.fromkeys(("nearest", "median", "farthest"), "The relative error of first order")),
        ("sandbox", "law", {"this run": "The measured samples of the run", "slope 2": "What γ = 2 would look like"}),
        ("sandbox", "seen", {"flat: γ = 1": "Every direction sees", "slope 1: γ = 2": "A direction ten times sharper"}),
        (
            "sandbox",
            "wedge",
            {"γ = ": "The least-squares line on log axes", "H<sub>ii</sub>², slope 2": "A bound that"},
        ),
        (
            "fisher",
            "argument2",
            {"F  ": "True Fisher matrix", "E[h²]  ": "E[h²] – mean", "B·C  ": "The noise C, times"},
        ),
    ):
        shown = sent(opened(entry(name).file, k="20", approximations="yes"), key)["legend"]
        for text, meaning in help_text.items():
            (explained,) = {words_ for label, words_ in shown.items() if label.startswith(text)}
            assert explained.startswith(meaning), (name, key, text)


def test_a_trace_without_a_key_stands_without_words():
    traces = [{"name": "C"}, {"name": "hidden", "meta": "C", "showlegend": False}, {"name": "mine", "meta": "C 2"}]
    assert legends.entries(go.Figure([{"type": "scatter", **t} for t in traces]).data) == {
        "mine": palette.plain_label("C")
    }
    assert legends.words("Cat") == legends.words(None) == legends.words({"rows": [1]}) == ""


# -- questions --------------------------------------------------------------------------------------------


@pytest.fixture
def view(store, run):
    add_spectra(store, run, 100)
    return results.view_of(library.find(store, run))


def test_every_page_with_results_asks_twice_or_more():
    pages = [question.page for question in QUESTIONS]
    assert all(pages.count(page) >= 2 for page in (*LOOKING, *TOUCHING, "table"))
    assert all(entry(page) for page in pages)
    asked = {name for question in QUESTIONS for name in numbers.places(question.answer)}
    assert asked <= {*numbers.NUMBERS, *answers.ANSWERS, *answers.OF_NO_RUN}
    assert {*answers.ANSWERS, *answers.OF_NO_RUN} <= asked


def expected(view):
    """Each number once more, from the planted arrays alone."""
    a, h = view.analysis, view.analysis.eigenvalues
    c = a.diagonals["C"]

    def gamma(values, last=None, first=0):
        keep = (h[first:last] > a.noise_floor) & (values[first:last] > 0)
        return np.polyfit(np.log10(h[first:last][keep]), np.log10(values[first:last][keep]), 1)[0]

    whole, half, ten = (round(g, 3) for g in (gamma(c), gamma(c, 200), gamma(c, None, 10)))
    first = analysis(gamma=1.0, seed=0)
    start = round(np.polyfit(*(np.log10(z[h > a.noise_floor]) for z in (h, first.diagonals["C"])), 1)[0], 3)
    kept = planted_spectra(400)
    parts = {name: a.traces[name] for name in ("C_hh", "C_hg", "C_gg")}
    edited, stiff = kept.kappa[:, 0].copy(), kept.kappa[:, 0] >= 1e-3 * kept.kappa[:, 0].max()
    edited[stiff] = edited[stiff].mean()
    edited[~stiff] *= 1e-3
    same_h = edited @ kept.alignment / 60 + 1e-5 * kept.first[1:].sum(axis=0)
    same_c = edited**2 @ kept.alignment / 60 + 1e-10 * kept.second[1:].sum(axis=0)
    data = h > a.noise_floor
    share = kept.second.sum(axis=1)
    return {
        "size": numbers.tex(a.traces["C_awd"] / a.traces["C"]),
        "hundredfold": numbers.tex(100 ** gamma(c)),
        "commuting_share": f"{100 * a.commutator('C') / a.random_commutator('C'):.1f}",
        "off_share": f"{100 * (1 - (c**2).sum() / a.squares['C']):.1f}",
        "noisiest": str(1 + int(c.argmax())),
        "gamma_change": f"{half - whole:+.3f}",
        "gamma_half": f"{half:.3f}",
        "gamma_without_ten": f"{ten:.3f}",
        "gamma_E_h2": f"{gamma(a.diagonals['E_h2']):.3f}",
        "rise": f"{whole - start:+.3f}",
        "largest_share": f"{100 * max(parts.values()) / a.traces['C_awd']:.1f}",
        "carried": f"{100 * share[0] / share.sum():.2f}",
        "stiff": f"{100 * stiff.mean():.1f}",
        "gamma_same": f"{power_law(np.where(data, same_h, 0), same_c).gamma:.3f}",
    }


def test_the_answers_are_those_of_the_arrays(view, monkeypatch):
    monkeypatch.setattr("pages.state.selection.current", lambda: controls.selection.Selection())
    for name, text in expected(view).items():
        assert questions.answer(f"⟦{name}⟧", view) == text, name
    largest = max(("C_hh", "C_hg", "C_gg"), key=view.analysis.traces.get)
    assert questions.answer("⟦largest_part⟧", view) == controls.palette.LOOKS[largest].tex
    for question in QUESTIONS:
        if question.page in LOOKING:
            assert "⟦" not in questions.answer(question.answer, view)
            assert "does not tell it" not in questions.answer(question.answer, view)


def test_answers_about_single_samples_are_those_of_the_samples(view, store, monkeypatch):
    monkeypatch.setattr("pages.state.selection.current", lambda: controls.selection.Selection(sample=3, partner=13))
    assert "does not tell it" in questions.answer("⟦stiffest⟧", view)
    add_samples(store, view.run.key, 0, 10, 100)
    first, last = samples(0), samples(100)
    trace, size = last.kappa.sum(axis=1), np.abs(last.kappa).max(axis=1)
    half = next(n for n in range(1, trace.size + 1) if np.sort(trace)[-n:].sum() >= trace.sum() / 2)
    assert questions.answer("⟦half_of_H⟧", view) == numbers.tex(half)
    assert questions.answer("⟦half_share⟧", view) == f"{100 * half / trace.size:.1f}"
    assert questions.answer("⟦stiffest⟧", view) == numbers.tex(size.max() / np.median(size))
    own = pair(last, 3, 13)
    share = np.linalg.norm(own.push) / np.linalg.norm(own.start) / np.linalg.norm(last.weight)
    assert questions.answer("⟦dual_share⟧", view) == f"{100 * share:.1f}"
    change = own.gradient_by_activity(1.0) - own.gradient_by_activity(0.0)
    off = change - own.curvature_term - own.activity_term
    assert questions.answer("⟦missed⟧", view) == f"{100 * np.linalg.norm(off) / np.linalg.norm(change):.0f}"
    d = last.diagonals
    for name, argument in (("first", first), ("last", last)):
        mean = 1 - fisher.of(argument).diagonals["BC"].sum() / argument.diagonals["empirical"].sum()
        assert questions.answer(f"⟦mean_gradient_{name}⟧", view) == f"{100 * mean:.1f}"
    ratio = fisher.of(last).diagonals["BC"].sum() / d["H"].sum()
    assert questions.answer("⟦BC_in_H⟧", view) == numbers.tex(ratio)


def test_the_sandbox_the_film_and_the_table_answer_without_a_run(store, monkeypatch):
    monkeypatch.setattr(
        "pages.state.selection.current", lambda: controls.selection.Selection(correlation=0.8, decades=0.4)
    )
    kappa = synthetic.curvatures("log_normal", 0.4, 0)
    for name, share in (("made_gamma", 1.0), ("made_gamma_half", 0.5)):
        place = synthetic.place(synthetic.correlated(kappa, 0.8 * share))
        assert questions.answer(f"⟦{name}⟧", None) == f"{place.gamma:.2f}"
    assert "does not tell it" in questions.answer("⟦table_steepest⟧", None)
    # The film that comes with the project stands there until another is shot.
    assert questions.answer("⟦film_last⟧", None) == f"{example.film().last.gamma:.3f}"
    made = add_film(store)
    assert questions.answer("⟦film_first⟧ ⟦film_last⟧", None) == f"{made.frames[0].gamma:.3f} {made.last.gamma:.3f}"
    rows = add_sweep(store)
    groups = {}
    for row in rows:
        groups.setdefault((row.row, row.classes), []).append(row.laws["C"].gamma)
    name, classes = max(groups, key=lambda key: np.mean(groups[key]))
    assert questions.answer("⟦table_steepest⟧", None) == (
        f"{name}, {classes} classes: $\\gamma = {np.mean(groups[name, classes]):.3f}$"
    )
    spread = np.mean([np.std(gammas, ddof=1) for gammas in groups.values()])
    assert questions.answer("⟦table_seeds⟧", None) == f"{spread:.3f}"


def test_an_answer_is_hidden_until_it_is_asked_for(run):
    at = opened("pages/power_law.py", window="1,100")
    answer = re.compile(r"^By \$[+-]0\.\d{3}\$: from")
    assert not [m for m in at.markdown if answer.match(m.value)]
    fine(at.toggle(key="power_law.answer1").set_value(True).run())
    (shown,) = [m.value for m in at.markdown if answer.match(m.value)]
    last = analysis(gamma=1 + 0.1 * np.log10(101), seed=100)
    assert f"from ${last.fit('C', 100).gamma:.3f}$ to ${last.fit('C', 50).gamma:.3f}$" in shown


def test_without_results_nothing_is_asked(store):
    assert not opened("pages/power_law.py").expander
