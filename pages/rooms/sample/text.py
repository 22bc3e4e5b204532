"""What the page of one sample explains, in words and formulas; what the present numbers say about stiff samples."""

from collections import Counter

import numpy as np

from engine.results.power_law import spearman
from engine.samples.close_up import CloseUp, half
from engine.samples.hessian import One
from engine.samples.table import AtPlaces, Table
from pages.rooms.sample.choice import ranked, sharpness
from pages.rooms.sample.figures import chance
from pages.state.palette import number
from pages.text.numbers import tex
from pages.text.run_names import escaped
from pages.ui.marker import ordinal

ONE = r"""
**The Hessian of one sample**, $h_p = \nabla_w^2\,\ell_p$, in the weights of the studied layer $z = W a + b$. A weight
acts on the loss only through $z$, so

$$h_p = M_p \otimes a_p a_p^{\mathsf T},\qquad M_p = \frac{\partial^2 \ell_p}{\partial z^2},$$

with $a_p$ what reaches the layer and $M_p$ how the rest of the network bends the loss. $H$ is the mean of all $h_p$.
"""

STIFF = r"""
**Sharpest curvature $\kappa_1$**: the largest eigenvalue of $h_p$ by magnitude,

$$\kappa_1 = \lambda_1(M_p)\,\lVert a_p\rVert^2 .$$

**Confidence** $p$ is the softmax probability of the right class. With cross-entropy and two classes the loss bends
along the difference of the logits by exactly $p\,(1-p)$: nothing where the network is certain, most where it wavers.
After a softmax with squared error it is $2p(1-p)^2(3p-1)$; with plain squared error it does not depend on $p$ at all.
The dashed curve is this function, scaled to the median sample: what confidence alone would make of $\kappa_1$. Wrong
answers may lie above it: among the other classes the network still wavers. The axes are logarithmic on demand, that
of confidence at both ends.
"""

KRONECKER = r"""
**Kronecker product.** Row $(o, i)$ and column $(o', i')$ of $h_p$ belong to the weights $W_{oi}$ and $W_{o'i'}$:

$$(h_p)_{(o,i),(o',i')} = M_{oo'}\, a_i\, a_{i'} .$$

So every block of the large square is a copy of $a a^{\mathsf T}$, multiplied by one number of $M$. Each square has
colours of its own: blue negative, red positive, strongest at its largest entry.
"""

SPECTRUM = r"""
**Eigenvalues.** $a a^{\mathsf T}$ has one eigenvalue that is not zero, $\lVert a\rVert^2$. So the eigenvalues of
$h_p$ are $\kappa_m = \lambda_m(M)\,\lVert a\rVert^2$ and all others are zero: of $D$ directions one sample bends only
a handful. For cross-entropy behind ReLU these are at most one fewer than classes.
"""

EIGENVECTOR = r"""
**Eigenvectors** of $h_p$ are $u_m = e_m \otimes a/\lVert a\rVert$, with $e_m$ those of $M$: in the shape of the
weights an outer product, so every row is the same picture of $a$, stronger or weaker. $v_i$ are the eigenvectors of
$H$, the mean over all samples. An eigenvector and its negative are the same direction; $u_m$ is drawn on the side of
$v_i$.
"""

ALIGNED = r"""
**Alignment** $\alpha_{mi} = (u_m\cdot v_i)^2$, the share of $u_m$ that lies along $v_i$. Over all directions it sums
to 1; by chance every direction would have $1/D$ (dashed). Where sharp samples point along sharp directions, noise
grows faster than curvature: $\gamma > 1$. So it does where a direction is made by a sample or two.
"""

PLACES = r"""
**The Hessian of one sample**, $h_p = \nabla_w^2\,\ell_p$, in the weights of the studied layer. The layer computes
$z_t = W a_t$ at every place $t$ of the sample, a position of the image or a token, so

$$h_p = \sum_{t,s} M_{ts} \otimes a_t a_s^{\mathsf T},\quad M_{ts} = \nabla_{z_t} \nabla_{z_s} \ell_p,$$

with $a_t$ what reaches the place, for a convolution the patch under the filter. $H$ is the mean of all $h_p$.
"""

STIFF_AT_PLACES = r"""
**Sharpest curvature $\kappa_1$**: the largest eigenvalue of $h_p$ by magnitude. $\lVert A\rVert^2 = \sum_t
\lVert a_t\rVert^2$ is the activity of all places together. **Confidence** $p$ is the softmax probability of the
right class. The dashed curve is what confidence alone would make of $\kappa_1$: the curvature of the loss with two
classes, scaled to the median sample.
"""

SHARES = r"""
**The share of a place in $\kappa_m$.** When the weights move along the eigenvector $u_m$, as a matrix $U$, the output
at place $t$ moves by $U a_t$, and the gradient there by $\sum_s M_{ts} U a_s$. Exactly,

$$
\kappa_m = \sum_t\, (U a_t)\cdot\textstyle\sum_s M_{ts} U a_s ,\qquad
\lVert g_p\rVert^2 = \sum_t\, \delta_t\cdot G a_t ,
$$

with $G$ the gradient as a matrix. Each term, divided by the sum, is the share of place $t$: all shares sum to 1. Red
places carry the curvature; at blue ones the move is undone by what other places do.
"""

SPECTRUM_AT_PLACES = r"""
**Eigenvalues** $\kappa_m$ of $h_p$: behind a piecewise linear rest at most as many as outputs. **Eigenvectors**
$u_m = \sum_t l_{mt} \otimes a_t$ are sums over places, so they are no outer products; of a convolution they are
filters, one for every pair of an input and an output channel. $v_i$ are the eigenvectors of $H$. An eigenvector and its
negative are the same direction; $u_m$ is drawn on the side of $v_i$.
"""

FILTER = r"""
**One filter.** The weights of one output are a block of $h_p$ on its diagonal: how the loss of this sample bends when
they alone are changed, $(h_p)_{oo} = \sum_m \kappa_m\, u_{m,o} u_{m,o}^{\mathsf T}$. The blocks of all outputs
share the trace of $h_p$.
"""


# Stiffest samples that are told of, as a share of all; a factor worth naming; an answer that is sure.
FEW, LARGE, SURE = 0.01, 2.0, 0.9


def few(samples: Table) -> str:
    """How few samples bend the loss."""
    size = sharpness(samples)
    if not size.any():
        return "No sample curves the loss at all here."
    stiffest = ranked(samples)[: max(1, round(FEW * len(samples)))]
    return (
        f"The stiffest 1 % of the samples ({stiffest.size:,} of {len(samples):,}) make up "
        f"**{size[stiffest].sum() / size.sum():.0%}** of the sum of all $|\\kappa_1|$."
    )


def all_of_them(samples: Table) -> str:
    """How few samples are stiff, of which classes, and what their stiffness goes with."""
    size = sharpness(samples)
    if not size.any():
        return few(samples)
    stiffest = ranked(samples)[: max(1, round(FEW * len(samples)))]
    wrong = int((~samples.correct[stiffest]).sum())
    unsure = int((samples.correct[stiffest] & (samples.confidence[stiffest] < SURE)).sum())
    classes = Counter(samples.targets[stiffest].tolist()).most_common(3)
    named = ", ".join(f"“{escaped(samples.class_names[c])}” ({n})" for c, n in classes)
    loss = samples.objective
    length = samples.length2
    sentence = (
        f"{few(samples)} The network answers {wrong or 'none'} of them wrongly"
        + (f", and {unsure} rightly with less than 90 % confidence" if unsure else "")
        + f"; most are {named}."
    )
    if not loss.hessian_of:
        return f"{sentence} With {loss.words} the loss bends the same whatever the network answers."
    shape = np.abs(loss.two_classes(samples.confidence))
    doubt, activity = (_rank(size, z) for z in (shape, length))
    return (
        f"{sentence} $|\\kappa_1|$ goes with the dashed curve of confidence (rank correlation {doubt}), and with the "
        f"length of the activity ${_length(samples)}$ ({activity})."
    )


def _length(samples: Table) -> str:
    """What reaches the layer of a sample, in TeX."""
    return r"\lVert A\rVert^2" if isinstance(samples, AtPlaces) else r"\lVert a\rVert^2"


def _rank(x: np.ndarray, y: np.ndarray) -> str:
    return _signed(spearman(x, y))


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def one_of_them(samples: Table, p: int) -> str:
    """Why this sample is as stiff as it is."""
    size = sharpness(samples)
    names = samples.class_names
    own, guess = names[samples.targets[p]], names[samples.predicted[p]]
    confidence = chance(float(samples.confidence[p]), html=False)
    answer = (
        f"The network is right, with confidence {confidence}"
        if samples.correct[p]
        else f"The network takes this “{escaped(own)}” for “{escaped(guess)}” and gives the right class {confidence}"
    )
    place = 1 + int((size > size[p]).sum())
    length = samples.length2
    bend = np.divide(size, length, out=np.zeros_like(length), where=length > 0)
    text = (
        f"{answer}. Its $\\kappa_1 = {tex(samples.kappa[p, 0])}$ is the {ordinal(place)} sharpest of {len(samples):,}"
    )
    times = [_times(z[p], float(np.median(z))) for z in (size, bend, length)]
    activity = _length(samples)
    curvature = rf"\kappa_1/{activity}" if isinstance(samples, AtPlaces) else r"\lambda_1(M)"
    if None in times:
        return f"{text}."
    whole, by_bend, by_length = (t for t in times if t is not None)
    text += (
        f", {_factor(whole)} the median: ${activity} = {tex(length[p])}$ is {_factor(by_length)} its median, "
        f"and the curvature of what follows, ${curvature} = {tex(bend[p])}$, {_factor(by_bend)}."
    )
    if max(whole, 1 / whole) < LARGE:
        return f"{text} An ordinary sample."
    stiff, more = whole > 1, abs(np.log(by_bend)) > abs(np.log(by_length))
    if not more:
        return f"{text} It is the activity that makes it {'stiff' if stiff else 'soft'}."
    if not samples.objective.hessian_of:
        return f"{text} It is the rest of the network that makes it {'stiff' if stiff else 'soft'}."
    return f"{text} It is {'doubt' if stiff else 'certainty'} that makes it {'stiff' if stiff else 'soft'}."


def picture(one: One, rows: int, outputs: int, inputs: int, share: float) -> str:
    """How much of h_p is drawn."""
    d = one.curvature.shape[0] * one.activity.size
    if rows == d:
        return f"All {d:,} × {d:,} entries."
    return (
        f"$h_p$ has {d:,} × {d:,} entries. Shown are {rows} of its rows and columns: the {outputs} outputs and "
        f"{inputs} inputs that weigh most. They hold **{share:.0%}** of $\\lVert h_p\\rVert_F^2$."
    )


def spectrum(one: One | CloseUp) -> str:
    """How many directions one sample bends."""
    d = one.dimension
    kappa = one.kappa
    negative = int((kappa[: one.rank] < 0).sum())
    trace = np.abs(kappa).sum()
    share = np.abs(kappa[0]) / trace if trace > 0 else 0.0
    below = f", {negative} of them negative (blue)" if negative else ""
    return (
        f"Of {d:,} eigenvalues {one.rank} are not zero{below}; $\\kappa_1$ is **{share:.0%}** of the sum of their "
        "sizes. Click a bar to look at its eigenvector."
    )


def aligned(samples: Table, one: One | CloseUp, own: np.ndarray, mode: int, direction: int) -> str:
    """Where u_m points among the global directions, and how much of H this one sample makes."""
    count, d = len(samples.directions), one.dimension
    best = int(own.argmax()) + 1
    i = direction - 1
    inside = float(own.sum())
    quadratic = float(one.kappa @ one.alignment(samples.directions[i : i + 1])[:, 0])
    carried = quadratic / (len(samples) * samples.eigenvalues[i])
    return (
        f"**{inside:.0%}** of $u_{{{mode}}}$ lies along the leading {count} directions; by chance it would be "
        f"{count / d:.1%}. It lies most along $v_{{{best}}}$ ({own[best - 1]:.2f}). This one sample of "
        f"{len(samples):,} makes up **{carried:.2%}** of $H_{{{direction},{direction}}}$."
    )


def carried(samples: AtPlaces, one: CloseUp, mode: int) -> str:
    """How few places carry the curvature, and whether they are those of the gradient."""
    shares, noise = one.shares[mode - 1], one.gradient
    if not shares.any():
        return "This sample does not bend the loss at all."
    against = int((shares < 0).sum())
    size, other = (np.linalg.norm(x) for x in (shares, noise))
    likeness = float(shares @ noise / (size * other)) if other else 0.0
    name = "" if samples.exact else " The curvature is Gauss–Newton’s: it is not the whole Hessian here."
    return (
        f"**{half(shares)}** of {shares.size:,} places hold half of the shares of $\\kappa_{{{mode}}}$, "
        f"{half(noise)} half of the gradient’s; the cosine of the two maps is {_signed(likeness)}. "
        + (f"{against} places work against the others (blue)." if against else "No place works against the others.")
        + name
    )


def of_filter(samples: AtPlaces, one: CloseUp, o: int, rows: int, share: float) -> str:
    """How much of h_p one filter holds, and how much of its block is drawn."""
    d_in, kept = one.vectors.shape[2], float(one.kappa.sum())
    drawn = (
        f"All {d_in} × {d_in} entries."
        if rows == d_in
        else f"{rows} of its {d_in} weights are drawn, with {share:.0%} of the squares of its entries."
    )
    whole = abs(kept - one.trace) < 1e-6 * abs(one.trace)
    rest = "" if whole else f" The leading {one.kappa.size} eigenpairs make it: {kept / one.trace:.1%} of the trace."
    name = "Filter" if samples.kernel else "Output"
    return f"{name} {o + 1} holds **{one.weight_of(o):.0%}** of the trace of $h_p$. {drawn}{rest}"


def _times(value: float, median: float) -> float | None:
    return float(value / median) if value > 0 and median > 0 else None


def _factor(ratio: float) -> str:
    rounded = float(f"{ratio:.2g}")
    return f"{number(rounded, 3 if 100 <= rounded < 1e5 else 2)} times"
