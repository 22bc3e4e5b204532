"""How far a page is from its reference: by what it holds, row by row, and by how it looks, block by block.

Strict in what every machine shows alike: headings, figures, their traces and data. Tolerant in what fonts change:
letters are drawn a little otherwise, and a line that wraps moves what is below it.
"""

import math
from itertools import zip_longest

import numpy as np
from numpy import ndarray

# Evaluated in a page: its headings, then its figures, their traces, and of each axis how many data there are,
# their mean, and five of them.
CONTENTS = """() => {
  const flat = (data) =>
    data?.length === undefined || typeof data === "string" ? [data] : Array.from(data).flatMap(flat);
  const plain = (value) =>
    typeof value === "string" ? value : Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
  const summary = (data) => {
    const all = flat(data).map(plain);
    const numbers = all.filter(Number.isFinite);
    const mean = numbers.length ? plain(numbers.reduce((sum, number) => sum + number, 0) / numbers.length) : null;
    const spread = [0, 1, 2, 3, 4].map((fourth) => all[Math.round((fourth * (all.length - 1)) / 4)]);
    return [all.length, mean, ...spread];
  };
  const headings = [...document.querySelectorAll("[data-testid=stMain] :is(h1, h2, h3, h4, h5, h6)")];
  const figures = [...document.querySelectorAll("[data-testid=stMain] .gammascope-plot")];
  return [
    ...headings.map((heading) => ["heading", heading.innerText.trim().replace(/\\s+/g, " ")]),
    ...figures.flatMap((figure) => {
      const key = figure.closest("[class*=st-key-]").className.match(/st-key-(\\S+)/)[1];
      return [
        ["figure", key, figure._fullData.length],
        ...figure._fullData.flatMap((trace) =>
          ["x", "y", "z"]
            .filter((axis) => trace[axis]?.length)
            .map((axis) => [key, trace.name, trace.type, axis, ...summary(trace[axis])])),
      ];
    }),
  ];
}"""

# Pixels: of a picture's width, of the menu's, of a block's side, and of a tile's, in which blocks are counted.
WIDTH, MENU, BLOCK, TILE = 640, 128, 16, 128
# How far, of 255, a block may be off; how far up or down it may lie from where those above it lead to, and these from
# where the reference has them.
NEAR, REACH, STEP, DRIFT = 12, 20, 4, 160
# What share of a tile's blocks may be missing, and as how many the fewer ones of a nearly empty tile count. Another
# machine's fonts lose up to 0.2 of a tile; another page has one that loses 0.6 at least (test_comparison.py).
MISSING, FEW = 0.4, 16


def difference(contents: list, reference: list) -> str:
    """The first row in which two pages' contents differ; empty where there is none."""
    for here, there in zip_longest(contents, reference):
        if not _same(here, there):
            return f"The page has {here}, its reference {there}."
    return ""


def _same(here: object, there: object) -> bool:
    """Words and counts alike, numbers to a thousandth: other processors round otherwise."""
    if isinstance(here, list) and isinstance(there, list):
        return len(here) == len(there) and all(map(_same, here, there))
    if isinstance(here, float) and isinstance(there, int | float):
        return math.isclose(here, there, rel_tol=1e-3, abs_tol=1e-12)
    return here == there


def unlikeness(picture: ndarray, reference: ndarray) -> float:
    """The largest share of a tile that one of two pictures (rows, columns, 3) has and the other has not: 0 … 1."""
    return max(_missing(picture, reference), _missing(reference, picture))


def _missing(picture: ndarray, reference: ndarray) -> float:
    """The largest share of the blocks of a tile of the reference, but for empty ones, that the picture lacks."""
    paper = np.median(reference, axis=(0, 1))
    height = -(-len(reference) // TILE) * TILE
    here, there = _strips(picture, height + DRIFT, paper), _strips(reference, height, paper)
    worst, drift = 0.0, 0
    for top in range(0, height, TILE):
        blocks = _blocks(there, top)
        inked = _off(blocks, paper)
        shifts = [s for s in range(drift - REACH, drift + REACH + 1, STEP) if abs(s) <= DRIFT and top + s >= 0]
        shifts.sort(key=lambda shift: abs(shift - drift))
        lacking = np.stack([_off(_blocks(here, top + shift), blocks) for shift in shifts]) & inked
        share = _by_tile(lacking.all(axis=0)) / np.maximum(_by_tile(inked), FEW)
        worst = max(worst, float(share.max()))
        drift = shifts[int(lacking.sum(axis=(1, 2)).argmin())]
    return worst


def _strips(picture: ndarray, height: int, paper: ndarray) -> ndarray:
    """Means over each BLOCK columns (height, columns, 3), paper below the picture's end."""
    strips = np.broadcast_to(paper, (height, picture.shape[1] // BLOCK, 3)).copy()
    rows = min(height, len(picture))
    strips[:rows] = picture[:rows].reshape(rows, -1, BLOCK, 3).mean(axis=2)
    return strips


def _blocks(strips: ndarray, top: int) -> ndarray:
    """The means of the blocks of one row of tiles (blocks, blocks, 3)."""
    return strips[top : top + TILE].reshape(TILE // BLOCK, BLOCK, -1, 3).mean(axis=1)


def _off(blocks: ndarray, others: ndarray) -> ndarray:
    return np.abs(blocks - others).max(axis=-1) > NEAR


def _by_tile(blocks: ndarray) -> ndarray:
    """How many of the blocks of each tile of a row are true."""
    return blocks.reshape(len(blocks), -1, TILE // BLOCK).sum(axis=(0, 2))
