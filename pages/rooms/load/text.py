"""What is loaded, checked and measured, in words."""

LOADED = r"""
**From shapes and names.** Layers that chain, one after the other or with skip connections, ResNets, and torchvision’s
architectures are recognised by the shape of every tensor. Shapes do not tell the activation between the layers: that is
yours to say. Nor where an image is pooled, what is added to what, or the order of layers that look alike: what fits is
measured on the data, and the best is taken, and called a guess.
"""

LOADED_DATA = r"""
**$H$ and $C$ belong to a loss on data**, not to weights alone: they are averages over its training samples. Choose what
the network was trained on, with the pixels scaled as they were then, and what stood between its layers. The accuracy
below tells whether the choice is right.
"""

SANITY = r"""
**The accuracy is the proof.** Wrong data, another scaling of the pixels, another activation or another order of the
classes all leave a network that runs without complaint and knows nothing. So loss and accuracy are measured first, for
every checkpoint, exactly as training would have told them. If they are those you remember, the numbers that follow are
about your network.
"""

MEASURE = r"""
For one fully connected layer: the Hessian $H$ of the mean loss in its weights, the covariance $C$ of the gradient of
$B$ samples, and the covariance $C_\mathrm{AWD}$ that activity–weight duality predicts, all in the eigenvectors of $H$.
$H_{ii}$ and $C_{ii}$ then show the exponent $\gamma$ of $C_{ii} \propto H_{ii}^{\,\gamma}$.
"""
