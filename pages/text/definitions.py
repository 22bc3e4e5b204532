"""What everything is, in words and formulas: the text behind every question mark."""

H = r"""
**H, curvature.** The Hessian of the loss in the weights $w$ of one layer, averaged over the $N$ training samples:

$$H = \mathrm{E}_p[\,h_p\,],\qquad h_p = \nabla_w^2\,\ell_p .$$

Its eigenvectors $v_1, v_2, \dots$ are directions in weight space; $H_{ii}$ says how sharply the loss bends along
$v_i$. Most of a network's directions are almost flat.

Here $N = ⟦samples⟧$, $H_{11} = ⟦H_1⟧$, $H_{10,10} = ⟦H_10⟧$, and their sum over all directions is
$\mathrm{tr}\,H = ⟦trace_H⟧$.
"""

C = r"""
**C, noise.** SGD follows the gradient of a mini-batch of $B$ samples, not of all $N$. How that gradient scatters is

$$C = \tfrac1B\left(\mathrm{E}_p[g_p g_p^{\mathsf T}] - \bar g\,\bar g^{\mathsf T}\right),$$

with $g_p = \nabla_w\,\ell_p$ the gradient of one sample and $\bar g$ their mean.
$C_{ii} = v_i^{\mathsf T} C\, v_i$ is the variance of the noise along direction $i$. This is a batch drawn with
replacement. Training draws without, and has $(N-B)/(N-1)$ times as much; the shape is the same.

Here $(N-B)/(N-1) = ⟦finite⟧$, $B = ⟦batch⟧$, $C_{11} = ⟦C_1⟧$, $\mathrm{tr}\,C = ⟦trace_C⟧$.
"""

C_AWD = r"""
**$C_\mathrm{AWD}$, noise that duality proposes.** Swapping a sample for a near one of its class changes the layer's
input $a$ by $\Delta a$. The smallest change of weights with the same effect is $\Delta W^* = (W\Delta a)\,a^{\mathsf
T}/\lVert a\rVert^2$: activity–weight duality. To first order the gradient then changes by $v_p + u_p$, where $v_p =
h_p\,\Delta w_p$ is the curvature's part. $C_\mathrm{AWD}$ is the covariance built from these changes alone. It is a
proposal why noise may follow curvature, since $v_p$ carries $h_p$; no derivation of $C$. From $v_p$ to
$\mathrm{E}[h^2]$ it needs independent samples, weight changes alike in all directions, and small gradients. In this
project's 31 runs γ is off by 0.05 or more in 18, the size by 7 to 168 times (docs/results.md).

Here the partner is $⟦partner⟧$. The nearest of a few lies farther away than the nearest of all: the size grows about
threefold.

Here $⟦paired⟧$ of $⟦samples⟧$ samples have a partner; $\mathrm{tr}\,C_\mathrm{AWD} = ⟦trace_C_awd⟧$. Fig. 2 b of the
paper, version 1.
"""

SIZES = r"""
**N, B, D.** $N$ training samples are averaged over; $B$ of them make a mini-batch: $C$ scales by $1/B$, while
$C_\mathrm{AWD}$ changes its shape too, for its mean part stays as it is. The studied layer has $D$ weights, so that $H$
and $C$ are $D \times D$.

Here $N = ⟦samples⟧$, $B = ⟦batch⟧$, $D = ⟦dimension⟧$.
"""

K = r"""
**K: the noise seen in the curvature's own axes.**

$$K = V^{\mathsf T} C\, V,\qquad V = [\,v_1\; v_2\; \dots\,].$$

Row and column $i$ belong to eigen-direction $i$ of $H$. If $C$ and $H$ shared all eigenvectors, $K$ would be
diagonal. Colours go with $\sqrt{|K_{ij}|}$, on the diagonal the standard deviation of the noise (the colour bar's ticks
are values of $K$); on a symmetric-logarithmic scale all decades of $K$ are seen, and all that is left off its diagonal.

Here, for $⟦symbol⟧$: $K_{11} = ⟦K_11⟧$, $K_{12} = ⟦K_12⟧$. Fig. 1 a of the paper, version 1.
"""

R = r"""
**R: the same as correlations**, so that large and small directions can be compared:

$$R_{ij} = \frac{K_{ij}}{\sqrt{K_{ii}K_{jj}}}\;\in[-1, 1].$$

**$R_\mathrm{rand}$**: a matrix with the very same eigenvalues as $C$, turned at random, $Q\Lambda Q^{\mathsf T}$ with
every rotation $Q$ as likely (Haar). That is a weak chance: $C$ and $H$ are both built from the layer's inputs, and the
rotation destroys even that. See the structural null on *Commutativity*, which keeps it. Both pictures use one colour
scale.

Here

$$R_{12} = \frac{⟦K_12⟧}{\sqrt{⟦K_11⟧\times ⟦K_22⟧}} = ⟦R_12⟧ .$$

Fig. 1 b, c of the paper, version 1.
"""

GAMMA = r"""
**γ, the exponent of the power law** $C_{ii} \propto H_{ii}^{\gamma}$: the slope of $\log_{10} C_{ii}$ on
$\log_{10} H_{ii}$ by least squares over the leading $\mathcal N$ directions that lie above the noise floor.

$\gamma = 1$ would mean that noise is proportional to curvature. The theory,
$H_{ii}^2 \le \mathrm{E}[h^2]_{ii} \le \kappa_{\max} H_{ii}$ where the curvature $\kappa$ of single samples is not
negative, bounds every **point** between a line of slope 1 and one of slope 2. It does not bound a **fitted slope**:
the paper finds 1 … 2, and a slope may leave that.

For SGD on its own training set this γ is the right number. Other samples are another question, and have a page of
their own.

Here

$$\log_{10} C_{ii} \approx ⟦gamma⟧\,\log_{10} H_{ii}\; ⟦intercept⟧,\qquad n = ⟦directions⟧ .$$

Fig. 2 and Table 1 of the paper, version 1.
"""

COMMUTATOR = r"""
**Commutator error.** Two symmetric matrices share their eigenvectors exactly if they commute:

$$\frac{\lVert HC - CH\rVert_F}{\lVert HC\rVert_F}.$$

It is 0 when they do, and near $\sqrt2$ when one of them is turned at random; the random value is computed for these
very spectra, in closed form. *Top k* looks inside the leading block, *rest* inside the block that remains.

Here, for $⟦symbol⟧$, it is $⟦commutator⟧$; at random $⟦commutator_random⟧$. Fig. 4 and 5 (b) of the paper, version 1.
"""

ALIGNMENT = r"""
**Eigen alignment.** The share of $C$ that lies on the diagonal in the eigenbasis of $H$:

$$\frac{\sum_i K_{ii}^2}{\lVert K\rVert_F^2}.$$

It is 1 when $C$ is diagonal there. The value at random is what the same spectrum gives in a random basis.

Here, for $⟦symbol⟧$,

$$\frac{⟦diagonal_square⟧}{⟦square⟧} = ⟦alignment⟧,\qquad\text{at random } ⟦alignment_random⟧ .$$

Fig. 4 and 5 (c) of the paper, version 1.
"""

ACCURACY = r"""
**Accuracy** of the trained network at this epoch. The power law is a statement about networks near the end of
training, where nearly every training sample is classified correctly.

Here $⟦accuracy⟧\,\%$ of the training samples are right; their mean loss is $⟦loss⟧$.
"""

FLOOR = r"""
**Noise floor.** Eigenvalues below $\varepsilon\, H_{11}$, the rounding of the working precision at the largest of them
(of the eigen-decomposition in float64), are not data. They are shaded, and left out of every fit.

Here it is $⟦floor⟧$.
"""

WINDOW = r"""
**γ against 𝒩.** How the exponent depends on the number of leading directions that are fitted. A law holds where this
curve is flat.
"""

RESIDUALS = r"""
**Residuals.** How far each fitted direction lies from its line,

$$\log_{10} C_{ii} - \left(\gamma\,\log_{10} H_{ii} + \text{intercept}\right),$$

in decades. The thick line is their running median. Where one power holds it stays at zero; a bend, or slopes that
differ between sharp and flat directions, bends it too. So does the second-order fit, drawn dotted on demand.
"""

EFFECTIVE = r"""
**Effective curvature.** The mean curvature of the samples along direction $i$, weighted by curvature itself:

$$\kappa_\mathrm{eff}(i) = \frac{(V^{\mathsf T}\,\mathrm{E}[h^2]\,V)_{ii}}{H_{ii}} .$$

If it were the same in every direction, γ would be 1. Its slope is γ − 1. Sharp samples that point along sharp
directions give it one; so do too few samples: where each direction is made by a sample or two, its curvature is theirs.
It cannot lie below $H_{ii}$ (dashed).

Here $\kappa_\mathrm{eff}(1) = ⟦E_h2_1⟧ / ⟦H_1⟧ = ⟦effective_1⟧$.
"""

SIZE = r"""
The duality proposes the **exponent** of the noise, not its **size**: here
$\operatorname{tr} C_\mathrm{AWD} = ⟦size⟧ \operatorname{tr} C$. Compare slopes, not heights.
"""

OFF_DIAGONAL = r"""
**Off the diagonal.** How strong are the correlations $|R_{ij}|$, $i \ne j$, between different eigen-directions of $H$?
Turned at random they would look like those of $R_\mathrm{rand}$; but that destroys also what $C$ and $H$ share by
construction, the layer's inputs, so anything structured beats it: see the structural null. The smaller they are, the
more nearly the two matrices share their eigenvectors. Summed up as a root mean square,
$\sqrt{\langle R_{ij}^2\rangle_{i\neq j}}$.

Here, for $⟦symbol⟧$, it is $⟦rms⟧$ over the directions shown.
"""

FITS = r"""
**γ** is the least-squares slope on log axes and its **standard error** assumes independent residuals; **R²** is the
share of the variance in $\log_{10} C_{ii}$ that the line explains; **n** counts the directions fitted, **left out**
those of the window below the noise floor or with $C_{ii} \le 0$. The **95 % interval** is the
uncertainty of this slope over samples, for these weights and these directions. **Decades alike**: γ again, with equal
weight for every quarter of a decade of $H_{ii}$, since most directions are flat. **In bins of H**: γ in each of up to
five bins from sharp to flat; on one power law all are the same.
**Rank correlation** is Spearman's, between $C_{ii}$ and $H_{ii}$: 1 if the order is the same.
"""

SURE = r"""
**Interval over samples.** The samples are dealt into 100 groups, and γ is found without each of them (the jackknife; a
bootstrap, where the analysis was asked for one, draws all samples anew). It is the uncertainty of this slope, for these
weights and these directions $v_i$. It is not what another training would give, nor what other samples would: the $v_i$
were found on the same ones, which lifts γ. How often it holds what it should was simulated:
`python -m tests.benchmarks.coverage`.

**Spread over seeds.** The same settings from other initial weights and in another order of mini-batches, over the same
directions.

**Windows.** γ over a quarter, a half, all and twice the leading directions, as far as they lie above the noise floor.

**Straight or bent.** γ is fitted in up to five bins of equal width in $\log H_{ii}$. If it changes from the first to
the last by up to a tenth of γ the law is *straight*, by more than a half *strongly bent*. More than a tenth counts only
if it is not chance: beside the line stands $\log_{10} C_{ii} = c_0 + c_1 u + c_2 u^2$ with $u = \log_{10} H_{ii}$, and
the jackknife says how far $c_2$ moves with the samples. Directions share samples, so a thousand of them may be a
handful of independent ones, and a look at their distances from the line alone finds bends everywhere.

**Every decade alike.** Least squares counts directions, and the flat decades hold most of them. With equal weight for
every quarter of a decade of $H_{ii}$ the sharp ones count as much.
"""

BEND = r"""
**Second-order fit.** A parabola on log axes, drawn thin. Where one power holds it falls on the line.
"""

BY_HAND = r"""
**Your slope.** Drag the line over the cloud: it turns about the middle of the directions fitted, through which the
nearest line of every slope passes. *Off* is the root mean square distance, in powers of ten, up or down. Least squares
is the slope for which it is smallest.
"""

LOCAL = r"""
**Local slope.** γ from the directions in a window of one decade of $H_{ii}$ alone. Sweep it: where one power holds, it
says the same everywhere. Narrow windows scatter; whether that is a bend, the test in the figure above says.
"""

LEARNED = r"""
The **dash-dotted line** is the first epoch at which every training sample is classified correctly. The thin line is the
epoch chosen above. Fig. 4 and 5 (a, e) of the paper, version 1: with cross-entropy γ rises along training, with
softmax-MSE and ten classes it stays near 1. With three classes our own rows have 1.22 … 1.36 (docs/results.md).
"""

SPEARMAN = r"""
**Rank correlation**, Spearman's, of $C_{ii}$ and $H_{ii}$ over the leading $\mathcal N$ directions above the noise
floor:

$$\rho = \mathrm{corr}\big(\mathrm{rank}\,C_{ii},\ \mathrm{rank}\,H_{ii}\big).$$

It is 1 if a sharper direction is always a noisier one, whatever the power; unrelated orders give 0. Fig. 4 and 5 (d)
of the paper, version 1.

Here, for $C$, $\rho = ⟦spearman⟧$.
"""

NORMS = r"""
**Frobenius norm**, the size of a matrix as a whole:

$$\lVert M\rVert_F = \sqrt{\textstyle\sum_{ij} M_{ij}^2}.$$

Where $C_{hh}$ comes close to $C_\mathrm{AWD}$, curvature alone carries the predicted noise. Fig. 4 and 5 (f) of the
paper, version 1.

Here $\lVert C\rVert_F = ⟦norm_C⟧$ and $\lVert C_\mathrm{AWD}\rVert_F = ⟦norm_C_awd⟧$.
"""

PARTS = r"""
**Three parts.** A sample's predicted gradient change is $v_p + u_p$: the curvature's part $v_p = h_p\,\Delta w_p$ and
the activity's own part $u_p = \delta_p\,\Delta a_p^{\mathsf T}$. Their covariance therefore has three parts,

$$C_\mathrm{AWD} = C_{hh} + C_{hg} + C_{gg},$$

from $v v^{\mathsf T}$, from the cross terms $v u^{\mathsf T} + u v^{\mathsf T}$, and from $u u^{\mathsf T}$. Only the
cross part can be negative. Fig. 4 and 5 (g) of the paper, version 1.

Here the three carry $⟦share_hh⟧\,\%$, $⟦share_hg⟧\,\%$ and $⟦share_gg⟧\,\%$ of the trace.
"""

APPROXIMATIONS = r"""
**Three steps from $C_{hh}$ to the theorem.** *sd*: samples are independent; *wd*: the weight change is diagonal in each
sample's own eigenbasis; *li*: it is locally isotropic, with the same variance $\sigma_w^2$ in every direction:

$$C_{hh}^{sd+wd+li} = \frac{\sigma_w^2}{2B}\,\mathrm{E}[h^2].$$

A step is good if it leaves the slope as it was. Fig. 4 and 5 (h) of the paper, version 1.

Here $\sigma_w^2 = ⟦sigma_w2⟧$ and $B = ⟦batch⟧$.
"""

SPECTRA = r"""
**Curvatures of single samples.** The Hessian $h_p$ of one sample has a handful of eigenvalues $\kappa_m$ with
eigenvectors $u_m$, numbered by size. With $\alpha_m = (u_m\cdot v_i)^2$, the share of $u_m$ that lies along $v_i$,

$$H_{ii} = \mathrm{E}\Big[\sum_m \kappa_m\,\alpha_m\Big],$$

$$C_{ii} \propto \mathrm{E}[h^2]_{ii} = \mathrm{E}\Big[\sum_m \kappa_m^2\,\alpha_m\Big].$$
"""

E_H2 = r"""
**E[h²], mean squared curvature.** The Hessian of each sample, squared, then averaged. The paper proposes that $C$ is
proportional to it, so that the noise follows the squares of single samples' curvatures, not their mean, which is $H$.

Here its exponent against $H_{ii}$ is $⟦gamma_E_h2⟧$, that of $C$ $⟦gamma⟧$.
"""

SUPPRESSION = r"""
**Suppression** (Fig. 3 of the paper, version 1). Edit the $\kappa_m$ of every sample, rebuild both sums, and see what
was needed:

- the $m$ dominant eigenvalues are kept, the others multiplied by the *tail factor*;
- a sample is *stiff* if $|\kappa_1|$ reaches the *stiff ratio* times the largest $|\kappa_1|$ of all; where anything
  is suppressed, $\kappa_1$ of the other samples is multiplied by the *damping*;
- *homogenise* replaces $\kappa_1$ of the stiff samples by their mean.

$C_{ii}$ is here the theorem's, $\mathrm{E}[h^2]_{ii}$ without its scale $\sigma_w^2/2B$. Directions $v_i$ stay those
of the measured $H$.

That γ is 1 after *homogenise* is **algebra**, true for any data: with one curvature $c$ for all,
$\mathrm{E}[h^2] = c\,\mathrm{E}[h]$. A **measurement** is γ of the edited $\mathrm{E}[h^2]_{ii}$ on the *measured*
$H_{ii}$, and that keeping the dominant eigenvalues leaves $C_{ii}$ almost as it was.
"""

BOUNDS = r"""
**Why points lie between slopes 1 and 2.** $H_{ii}^2 \le \mathrm{E}[h^2]_{ii} \le \kappa_{\max}\,H_{ii}$ where no
$\kappa$ is negative; with negative ones the right bound is $\max|\kappa|\;\mathrm{E}[|h|]_{ii}$, no multiple of
$H_{ii}$. Both bind points; a fitted slope may leave 1 … 2. With one curvature for all samples $\mathrm{E}[h^2]_{ii}$ is
proportional to $H_{ii}$, so γ = 1. If each direction owns one curvature, γ is 2 where all own equal shares of the
samples, and $(2-\beta)/(1-\beta)$ where sharp samples are rarer, as $\kappa^{-\beta}$. γ rises above 1 where sharp
samples point along sharp directions; so it does where fewer samples count than there are directions, and each direction
is one sample.
"""

CARRIED = r"""
**Share of the noise.** How much of $\sum_i \mathrm{E}[\kappa^2\alpha]$ over the directions kept the leading $m$
eigenvalues carry, as measured:

$$\frac{\sum_{i,\,m'\le m} \mathrm{E}[\kappa_{m'}^2\alpha_{m'i}]}{\sum_{i,m'} \mathrm{E}[\kappa_{m'}^2\alpha_{m'i}]}.$$
"""

NEW_ON_OLD = r"""
**Slope and R²** of $\log_{10}$ new $C_{ii}$ on $\log_{10}$ old $C_{ii}$, least squares over the fitted directions.
Slope 1 with R² = 1: the edit took nothing away from the law.
"""

STIFF = r"""
**Stiff samples**: those with $|\kappa_1| \ge$ stiff ratio × the largest $|\kappa_1|$. Near the end of training most
samples are learnt and hardly curve the loss at all.
"""

CHECK = r"""
Every number here comes from per-sample factors. This check uses none of them. It takes some eigenvectors $v_i$, picked
at random, and differentiates the network's own loss along them, in float64, for **every** training sample $p$:

$$g_p\cdot v_i = \partial_s\,\ell_p(W + s\,v_i),\qquad v_i^{\mathsf T} h_p\, v_i = \partial_s^2\,\ell_p(W + s\,v_i).$$

Their averages must be $H_{ii}$ and $C_{ij}$; a second small change, the dual one, gives $C_\mathrm{AWD}$ and its
parts, and the gradient of $g_p\cdot v_i$ in all weights $\mathrm{E}[h^2]$. Numbers kept in float32 agree to about
$10^{-6}$. Off the diagonal they are measured by $\sqrt{C_{ii}C_{jj}}$.
"""

JOINTLY = """
Layers {layers} jointly: H has the cross blocks of all {d:,} weights. Activity–weight duality is defined layer by layer,
so C and E[h²] are shown here, and no C_AWD; choose a single layer for it.
"""

WHAT_IF = r"""
**What if?** The same network with one setting changed is trained anew, with the same seed, and its last epoch analysed.
Both clouds are then drawn at their own last epoch, over the same directions. The intervals are over samples: they know
nothing of other seeds.
"""
