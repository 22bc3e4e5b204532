"""What the page of one sample says, in words and formulas."""

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
grows faster than curvature: $\gamma > 1$.
"""
