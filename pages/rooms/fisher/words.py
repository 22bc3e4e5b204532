"""What the page on the Fisher argument says, in words and formulas."""

ARGUMENT = r"""
**The usual argument** for $C = H/B$ has three links. Read the loss as $-\log p(y\,|\,x)$. Then $H$ is the **true
Fisher matrix** $F$, the mean of $g g^{\mathsf T}$ over labels that the network itself would draw. Put the data's
labels in their place and it becomes the **empirical Fisher matrix** $\mathrm{E}[g_p g_p^{\mathsf T}]$. And that is
$B\,C$, but for the mean gradient: $B\,C = \mathrm{E}[g g^{\mathsf T}] - \bar g\,\bar g^{\mathsf T}$. If all three
held, noise would be proportional to curvature, and $\gamma$ would be 1.
"""

FIGURES = r"""
**One basis.** Every matrix is seen along the eigenvectors $v_i$ of $H$ at that epoch:
$M_{ii} = v_i^{\mathsf T} M v_i$ for $F$, $\mathrm{E}[g g^{\mathsf T}]$, $B\,C$ and $\mathrm{E}[h^2]$. Divided by
$H_{ii}$, whatever equals $H$ lies on the dotted line at 1, and a law $M_{ii}\propto H_{ii}^{\gamma}$ is a line of
slope $\gamma - 1$. $\mathrm{E}[h^2]$ has another unit (curvature squared): it is drawn with the sum of $B\,C$, since
the theory says that $C$ is proportional to it.
"""

FIRST = r"""
**$H = F$.** For cross-entropy the Hessian in the logits, $\mathrm{diag}(\pi) - \pi\pi^{\mathsf T}$ with
$\pi = \mathrm{softmax}(f)$, is the covariance of the gradient $\pi - e_y$ over labels $y$ drawn from $\pi$, whatever
the label of the data is. If the logits are piecewise linear in the weights, as behind ReLU, nothing else adds to
$h_p$:

$$
\begin{aligned}h_p &= J^{\mathsf T}\big(\mathrm{diag}(\pi) - \pi\pi^{\mathsf T}\big)J\\
&= \mathrm{E}_{y\sim\pi}\big[g_p(y)\,g_p(y)^{\mathsf T}\big] .\end{aligned}
$$

The same holds for plain squared error, with a Gaussian around $f$. It does not behind a softmax with squared error,
nor where the rest of the network is curved (tanh, GELU).
"""

SECOND = r"""
**$F = \mathrm{E}[g g^{\mathsf T}]$** would need that the data's labels look like draws from the network's own
predictions. With two classes and confidence $p$ in the right one, a sample adds $(1-p)^2$ to the empirical Fisher
matrix, and $p\,(1-p)$ to the true one: a ratio of $(1-p)/p$, which vanishes as the network becomes certain. Squared
error, read as a likelihood, is that of a Gaussian around the outputs with variance $K/2$ for $K$ classes.
"""

THIRD = r"""
**$\mathrm{E}[g g^{\mathsf T}] = B\,C$** needs a mean gradient that is small beside the gradients of single samples:
true at a minimum of the loss, not while it still falls steeply.
"""

SLOPES = r"""
**Slope** $\gamma$ of $\log_{10} M_{ii}$ on $\log_{10} H_{ii}$ over the directions fitted; $H$ has 1 by definition.
Noise proportional to curvature would have 1 too.
"""

SIZES = r"""
**Size**: the sum of $M_{ii}$ over the directions kept, divided by that of $H_{ii}$. The dotted line is $H$.
"""
