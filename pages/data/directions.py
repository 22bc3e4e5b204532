"""One direction of weight space on the pages: its weights as they lie in the network, and the samples that carry it."""

from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
import streamlit as st
from numpy import ndarray

from cache.store import Store
from engine.results.effective_samples import Carriers
from engine.runs import library
from engine.samples import hessian
from engine.samples.table import Samples
from pages.data import held_out, results, samples
from pages.data.results import Key, View

# Leading directions of a few analyses, up to 16 MB each.
ENTRIES, KERNELS = 6, 256
CARRIED = ("C", "H")
# How far the mean over the samples looked at may be from the number of the analysis, which single precision rounds.
NEAR = 0.01


def kept(view: View) -> int:
    """How many leading directions the analysis in view has kept; 0 where an older version made it."""
    basis = _basis(view.key)
    return 0 if basis is None else basis.shape[1]


def weights(view: View, direction: int) -> tuple[ndarray, ...]:
    """A direction (from 1) as the weights of each layer (d_out, d_in), of length 1 together; () where it is not
    kept."""
    basis = _basis(view.key)
    if basis is None or direction > basis.shape[1]:
        return ()
    sizes = view.analysis.provenance.sizes
    parts = np.split(basis[:, direction - 1], np.cumsum([prod(size) for size in sizes])[:-1])
    return tuple(part.reshape(size) for part, size in zip(parts, sizes, strict=True))


def carriers(view: View, direction: int) -> Mapping[str, Carriers]:
    """Who carries H_ii and C_ii of a direction (from 1), as far as that is known: computed where every sample before
    the layer is kept, else as it was kept with other samples. A number whose mean is not that of the analysis is none
    of it (other samples, another second derivative), and left out."""
    table, own = samples.stored(view), weights(view, direction)
    if isinstance(table, Samples) and len(own) == 1:
        a, batch = view.analysis, view.analysis.provenance.batch_size
        measured = {"H": a.eigenvalues, "C": batch * a.diagonals["C"]} if "C" in a.names else {"H": a.eigenvalues}
        terms = hessian.terms(table, own[0].astype(float))
        return {
            name: Carriers.of(terms[name])
            for name in CARRIED
            if name in measured and np.isclose(terms[name].mean(), measured[name][direction - 1], rtol=NEAR, atol=0)
        }
    there = held_out.stored(view)
    known = {} if there is None else there.effective
    return {n: known[n].of(direction - 1) for n in CARRIED if n in known and direction <= len(known[n].carriers)}


def kernel(view: View, layer: str, inputs: int) -> tuple[int, ...]:
    """Channels and size of what one output weighs, so many numbers: of a convolution its filters, of a first layer the
    image that it is fed; () where they lie in no picture, or that is not kept."""
    if view.run.kinds.get(layer, "linear") == "convolution":
        shape = _filters(results.store().root, view.run.key, view.epoch, layer)
        return shape if prod(shape) == inputs else ()
    images = samples.pictures(view)
    if images is None or next(iter(view.run.layers), None) != layer or images[0].size != inputs:
        return ()
    height, width, *channels = images.shape[1:]
    return (*(channels or (1,)), height, width)


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _basis(key: Key) -> ndarray | None:
    root, run, made, _ = key
    analysis = library.load_analysis(Store(root), run, made, blocks=False, basis=True)
    return None if analysis is None else analysis.basis


@st.cache_resource(max_entries=KERNELS, show_spinner=False)
def _filters(root: Path, run: str, epoch: int, layer: str) -> tuple[int, ...]:
    entry = Store(root).read("runs", run, "checkpoints", library.checkpoint_name(epoch))
    arrays = (None if entry is None else entry.arrays()) or {}
    weight = arrays.get(f"{layer}.weight")
    return () if weight is None else weight.shape[1:]
