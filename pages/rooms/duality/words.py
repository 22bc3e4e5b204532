"""What the page on activity-weight duality explains, in words and formulas."""

CHANGES = r"""
**Activity.** $a$ is what the studied layer receives for sample $p$, $a' = a + \Delta a$ what it receives for the
partner $p'$. Grey bars: $a$; narrow bars: $a + t\Delta a$; below: the change.

**Weight.** The layer computes $z = W a + b$. Of all weight changes with $(W + \Delta W)\,a = W a'$ the smallest is

$$\Delta W^* = \frac{(W\Delta a)\,a^{\mathsf T}}{\lVert a\rVert^2} .$$

It has rank one: the column $W\Delta a$ (bars at the left) times the row $a/\lVert a\rVert^2$ (bars on top). $W$ and
$W + t\Delta W^*$ share one colour scale, $\Delta W^*$ has its own.
"""

GRADIENT = r"""
**First order.** When $a$ becomes $a + t\Delta a$, the gradient of sample $p$ in the weights changes by about
$t\,(v + u)$,

$$v = h_p\,\Delta w^* = (M W\Delta a)\otimes a,\qquad u = \delta\otimes\Delta a .$$

$v$ is the curvature's part: the Hessian $h_p$ of this sample times the dual weight change. $u$ is the activity's
part: the gradient $\delta = \partial\ell/\partial z$ times the change of activity. $M = \partial^2\ell/\partial z^2$.

Duality of the loss is exact; this prediction is not.
"""

FIRST_ORDER = r"""
**Relative error of first order**, on the way from $p$ to its partner:

$$\frac{\lVert g(a + t\Delta a) - g(a) - t\,(v + u)\rVert}{\lVert g(a + t\Delta a) - g(a)\rVert} .$$

Near $t = 0$ it falls with $t$. At 1 (dotted) the error is as large as the change itself. It leaves the ground for two
reasons: activations behind the layer switch on or off on the way, which the curvature at $p$ cannot know, and the loss
does not go on bending as it does at $p$.
"""

COVARIANCE = r"""
**A covariance from differences.** For any two samples, $\tfrac12\,\mathrm{E}[\Delta g\,\Delta g^{\mathsf T}]/B$ *is*
$C$ (up to $N/(N-1)$). Duality takes partners of one class and $v + u$ for $\Delta g$:

$$
\begin{aligned}&C_\mathrm{AWD} = \tfrac12\big\{\tfrac1B\,\mathrm{E}[(v+u)(v+u)^{\mathsf T}]\\
&\quad + \big(1 - \tfrac1B\big)(\bar v + \bar u)(\bar v + \bar u)^{\mathsf T}\big\}.\end{aligned}
$$

The bars take one step after the other from $\mathrm{tr}\,C$ to $\mathrm{tr}\,C_\mathrm{AWD}$. Exactly,

$$\Delta g = u + (\delta' - \delta)\otimes a + (\delta' - \delta)\otimes\Delta a ,$$

so first order means: $M W\Delta a$ in place of $\delta' - \delta$, and no last product. *Activations kept straight*:
the network behind the layer goes on with the slopes it has at $p$, only the loss is exact. That tells which of the two
bends matters.
"""
