"""engine.sweeps.rows: means over seeds by hand, and files that say what was measured."""

import csv
import dataclasses
import io
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sweeps.means import groups, latex, mean
from engine.sweeps.rows import FOLLOWED, Law, Row, from_csv, law, learned, to_csv
from tests.planted import analysis, held_out

TEXT = {"row", "layer", "run", "departures", "machine", "version", "command", "reading"}
COUNTS = {"classes", "seed", "samples", "batch_size", "epoch", "window"}
CHARACTERS = st.text(st.characters(exclude_categories=["C"], include_characters=',"\n'), max_size=12)
NUMBERS = st.just(math.nan) | st.floats(-1e6, 1e6)
LAWS = st.builds(Law, **{f.name: st.integers(0, 9) if f.name == "n" else NUMBERS for f in dataclasses.fields(Law)})
ROWS = st.builds(
    Row,
    **{
        f.name: CHARACTERS if f.name in TEXT else st.integers(0, 10**6) if f.name in COUNTS else NUMBERS
        for f in dataclasses.fields(Row)
        if f.name != "laws"
    },
    laws=st.fixed_dictionaries(dict.fromkeys(FOLLOWED, LAWS)),
)


def row(name: str, classes: int = 10, seed: int = 0, gamma: float = 1.0, awd: float = 1.0, **more) -> Row:
    """A row that says nothing but these."""
    values = {f.name: math.nan for f in dataclasses.fields(Row)} | dict.fromkeys(TEXT, "") | dict.fromkeys(COUNTS, 0)
    laws = {"C": Law(gamma, low=gamma - 0.1, high=gamma + 0.2), "C_awd": Law(awd)}
    laws = dict.fromkeys(FOLLOWED, Law()) | laws
    return Row(**values | {"row": name, "classes": classes, "seed": seed, "laws": laws} | more)


def close(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-5)
    return a == b


@given(st.lists(ROWS, max_size=3))
def test_a_table_comes_back_from_its_file(rows: list[Row]) -> None:
    again = from_csv(to_csv(rows))
    assert len(again) == len(rows)
    for one, other in zip(rows, again, strict=True):
        for f in dataclasses.fields(Row):
            if f.name != "laws":
                assert close(getattr(one, f.name), getattr(other, f.name)), f.name
        for name in FOLLOWED:
            for f in dataclasses.fields(Law):
                assert close(getattr(one.laws[name], f.name), getattr(other.laws[name], f.name)), f.name


@pytest.mark.parametrize("seed", [0, 3])
def test_other_samples_are_read_whatever_their_seed(seed: int) -> None:
    there = replace(held_out(crossed=0.9), seed=seed)
    assert law(analysis(), "C", 400, there).crossed == pytest.approx(0.905, abs=0.02)


def test_a_damaged_file_is_told() -> None:
    text = to_csv([row("a")])
    with pytest.raises(ValueError, match=r"no column C\.gamma"):
        from_csv(text.replace("C.gamma", "C.slope"))
    with pytest.raises(ValueError, match="column classes holds 'ten', which is no number"):
        from_csv(text.replace("a,10,", "a,ten,"))


def test_a_table_of_an_earlier_version_is_read() -> None:
    later = {"reading", "effective", *(f"{name}.{f.name}" for name in FOLLOWED for f in dataclasses.fields(Law))}
    later -= {f"{name}.{f.name}" for name in ("C", "C_awd", "E_h2") for f in dataclasses.fields(Law)[:17]}
    values = next(csv.DictReader(io.StringIO(to_csv([row("a", gamma=1.3)]))))
    file = io.StringIO()
    table = csv.DictWriter(file, [name for name in values if name not in later], extrasaction="ignore")
    table.writeheader()
    table.writerow(values)
    (again,) = from_csv(file.getvalue())
    assert (again.laws["C"].gamma, again.reading) == (1.3, "")
    assert math.isnan(again.laws["C"].crossed)
    assert math.isnan(again.effective)
    assert math.isnan(again.laws["C_odds"].gamma)
    assert again.laws["C_odds"].n == 0


def test_the_mean_over_seeds() -> None:
    rows = [row("a", seed=seed, gamma=gamma) for seed, gamma in enumerate((1.1, 1.2, 1.6))]
    average = mean([*rows, row("a", seed=3, gamma=math.nan)], "C")
    assert average is not None
    assert (average.mean, average.seeds) == (pytest.approx(1.3), 3)
    assert average.deviation == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2))
    assert (average.low, average.high) == (pytest.approx(1.0), pytest.approx(1.8))
    one = mean(rows[:1], "C")
    assert one is not None
    assert math.isnan(one.deviation)
    assert mean([], "C") is None


def test_rows_are_grouped_in_their_order() -> None:
    rows = [row("b", 3), row("b", 10), row("a", 3), row("b", 3, seed=1)]
    assert groups(rows) == {"b": {3: [rows[0], rows[3]], 10: [rows[1]]}, "a": {3: [rows[2]]}}


def test_latex_says_the_means() -> None:
    rows = [row("A & B, 5 %", 3, s, 1.1 + s / 10, 1.25) for s in (0, 1, 2)] + [row("C", 10, gamma=0.97, awd=math.nan)]
    assert (
        latex("Own\nsweep", rows)
        == r"""% Own sweep: exponents of C_ii ~ H_ii^gamma, mean and standard deviation over seeds
\begin{tabular}{lcccc}
\toprule
 & \multicolumn{2}{c}{3 classes} & \multicolumn{2}{c}{10 classes} \\
\cmidrule(lr){2-3} \cmidrule(lr){4-5}
 & $\gamma_C$ & $\gamma_\mathrm{AWD}$ & $\gamma_C$ & $\gamma_\mathrm{AWD}$ \\
\midrule
A \& B, 5 \% & $1.200 \pm 0.100$ & $1.250 \pm 0.000$ & -- & -- \\
C & -- & -- & $0.970$ & -- \\
\bottomrule
\end{tabular}
"""
    )


@pytest.mark.parametrize(
    ("letter", "escaped"),
    [
        *((c, rf"\{c}") for c in "&%#_${}"),
        ("\\", r"\textbackslash "),
        ("^", r"\textasciicircum "),
        ("~", r"\textasciitilde "),
        ("𝒩", r"$\mathcal{N}$"),
        ("η", r"$\eta$"),
        ("–", "--"),
    ],
)
def test_every_letter_that_latex_takes_for_a_command_is_escaped_in_names(letter: str, escaped: str) -> None:
    assert f"\na{escaped}b & $1.000$ & $1.000$ \\\\\n" in latex("x", [row(f"a{letter}b")])


def test_pandas_is_loaded_for_latex_alone() -> None:
    code = (
        "import sys, engine.cli.commands\nfrom engine.sweeps.rows import to_csv\n"
        "to_csv([])\nsys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0


def test_there_is_no_empty_table() -> None:
    with pytest.raises(ValueError, match="No cell of “Own” is measured: there is no table to write"):
        latex("Own", [])


def test_a_law_is_what_the_analysis_says() -> None:
    result = analysis(gamma=1.4)
    measured = law(result, "C", 40)
    fit = result.fit("C", 40)
    assert (measured.gamma, measured.stderr, measured.r2, measured.n) == (fit.gamma, fit.stderr, fit.r2, fit.n)
    assert measured.half == result.fit("C", 20).gamma
    assert measured.double == result.fit("C", 80).gamma
    assert measured.trace == result.traces["C"]
    assert measured.commutator == result.commutator("C")
    assert measured.discarded == 0
    assert math.isnan(law(result, "no such matrix", 40).gamma)
    short = replace(result, eigenvalues=np.full_like(result.eigenvalues, -1.0))
    assert math.isnan(law(short, "C", 40).gamma), "no fit, no number"


def test_every_column_is_there_once() -> None:
    (head, *_) = csv.reader(io.StringIO(to_csv([])))
    assert (
        len(head) == len(set(head)) == len(dataclasses.fields(Row)) - 1 + len(FOLLOWED) * len(dataclasses.fields(Law))
    )


def test_a_network_near_guessing_has_not_learned_and_is_left_out_of_means() -> None:
    told = {share: learned(row("a", samples=1000, train_accuracy=share)) for share in (0.1, 0.158, 0.228, 0.23)}
    assert told == {0.1: False, 0.158: False, 0.228: False, 0.23: True}
    # Of few samples more is asked; of numbers to predict nothing is known.
    assert not learned(row("a", samples=100, train_accuracy=0.28))
    assert learned(row("a", train_accuracy=math.nan))
    rows = [row("a", gamma=1.0), row("a", gamma=3.0, train_accuracy=0.1)]
    average, both = mean(rows, "C"), mean(rows, "C", unlearned=True)
    assert average is not None
    assert both is not None
    assert (average.mean, both.mean) == (1.0, 2.0)
    assert mean(rows[1:], "C") is None
    assert "; 1 left out, which have not learned" in latex("Some", rows)
