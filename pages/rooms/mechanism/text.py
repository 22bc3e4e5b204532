"""How the sandbox is made and what its pictures show, in words and formulas."""

LEAD = (
    "Noise follows $\\mathrm{E}[h^2]$, curvature is $\\mathrm{E}[h]$: two averages over single samples. How they "
    "relate hangs on whether **sharp samples point along sharp directions**, and on how rare they are. Move the "
    "sliders."
)

MAP = r"""
**The map.** Upwards γ, the exponent; to the right $r$, how strongly the curvature of samples correlates with their
alignment. Take a direction $i$, and a sample with the probability by which its curvature is part of $H_{ii}$,

$$q_p(i) = \frac{|\kappa_p|\,\alpha_p(i)}{\sum_{p'} |\kappa_{p'}|\,\alpha_{p'}(i)} .$$

$r$ is the correlation between $\log\kappa_p$ and $\log H_{ii}$ of such pairs, every direction counting alike. If
$\alpha$ does not depend on $\kappa$, all directions see the same samples and $r = 0$. If each direction owns one
curvature, $r = 1$, and γ is 2 if all own equal shares of the samples. For a run, $\kappa_p$ is the largest curvature of
a sample and $\alpha_p(i) = (u_1\cdot v_i)^2$.
Both are measured by the same few lines.

**Why a run may lie off the curve.** γ also hangs on how wide the curvatures are beside $H$:

$$\gamma \approx 1 + r\,\frac{s_\kappa}{s_H},$$

$s$ the standard deviations of the two logarithms. The last term is the slope of the picture below, *What a direction
sees*. For log-normal curvatures in the sandbox both widths are the same, and for others not.
"""

SEEN = r"""
**What a direction sees.** Of which curvatures is $H_{ii}$ made? Samples count by what they give to it,
$\kappa_p\,\alpha_p(i)$: the line is their median, the band holds the middle two thirds. Flat: every direction sees the
same samples, so $\mathrm{E}[h^2]_{ii}/H_{ii}$ is the same number everywhere and γ = 1. Slope 1: a direction ten times
sharper is made of samples ten times sharper, and γ = 2; steeper, as where sharp samples are rare, γ is above 2. In
between the slope of this picture is what γ has beyond 1.
"""

SPECTRA = r"""
**Three spectra.** The curvatures $\kappa$ of the samples, the diagonal of $H$ and that of $\mathrm{E}[h^2]$, each
sorted from large to small. $C_{ii}$ is proportional to $\mathrm{E}[h^2]_{ii}$ by the theorem. In the sandbox the
correlation moves $\mathrm{E}[h^2]$ alone: $\kappa$ and $H$ stay as they are.
"""

LAW = r"""
**The law.** $\mathrm{E}[h^2]_{ii}$, to which $C_{ii}$ is proportional by the theorem, against $H_{ii}$; γ is the
least-squares slope. Each cloud is divided by its centre, so that only slopes differ. Dotted: slope 1; dashed: slope 2.
"""

MADE = r"""
There is no network here: $n = ⟦n⟧$ kinds of samples, each with one curvature $\kappa_p$ along one unit vector $u_p$,
and ⟦n⟧ directions $v_i$. Kind $p$ is a share $w_p \propto \kappa_p^{-\beta}$ of all samples: with $\beta = 0$ every
kind is as frequent, with $\beta > 0$ sharp ones are rarer. All that matters is a table of who gives how much to whom,

$$B_{pi} = w_p\,\kappa_p\,\alpha_p(i),\qquad \alpha_p(i) = (u_p\cdot v_i)^2,$$

since $H_{ii} = \sum_p B_{pi}$ and $\mathrm{E}[h^2]_{ii} = \sum_p \kappa_p B_{pi}$. **Two sums are held fixed:** every
$u_p$ has length one, $\sum_i \alpha_p(i) = 1$; and the spectrum of $H$ does not change, $H_{ii} = w_i\kappa_i$, the
$\kappa_i$ in falling order. (The signs of $u_p\cdot v_i$ are free. Drawn at random, they leave nothing off the diagonal
of $H$ on average.) What is left free is whether the sharp samples give to the sharp directions:

$$\alpha_p(i) = \frac{f_p\,f_i}{w_p\,\kappa_p}\,\exp\!\Big(-\frac{(\log\kappa_p-\log\kappa_i)^2}{2\varepsilon^2}\Big).$$

A sample prefers directions as sharp as itself; $\varepsilon$ says how choosy it is, and the $f$ see to the two sums. Of
all tables with these sums and this mean squared log-distance it is the most random one. The slider sets $r$; the
$\varepsilon$ that gives it is looked up.

- **None** ($\varepsilon=\infty$): $\alpha_p(i) \propto w_i\kappa_i$ for every sample. All directions see the same
  curvatures, $\mathrm{E}[h^2]_{ii} = H_{ii}\,\mathrm{E}[\kappa^2]/\mathrm{E}[\kappa]$, and **γ = 1 exactly**.
- **Perfect** ($\varepsilon=0$): kind $i$ lies along $v_i$. $H_{ii} = w_i\kappa_i \propto \kappa_i^{1-\beta}$ and
  $\mathrm{E}[h^2]_{ii} = w_i\kappa_i^2 \propto \kappa_i^{2-\beta}$, so **γ = (2 − β)/(1 − β)**: 2 exactly where all
  directions own equal shares of the samples, and more where sharp samples are rarer, 3 at β = ½.
- **Between** them γ rises. For log-normal curvatures of moderate width it is close to $1 + r$. (With one sample far
  beyond all others it could overshoot on its way to 2: bounds on points are none on a slope. No such sample is drawn.)
"""
