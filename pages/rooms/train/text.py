"""What is trained, studied and paid, in words."""

DATA = r"""
**Training samples** are what the loss and every matrix are averaged over; unseen ones only measure how well the network
has learnt. Fewer samples per class train and analyse faster. With *label noise* a share of the labels is wrong, which
keeps the loss and the noise alive.
"""

NETWORK = r"""
**The studied layer** is the one before the last, as in the paper: its weights $W$, $d_\mathrm{out} \times
d_\mathrm{in}$, are the directions of all matrices, $D = d_\mathrm{out}\,d_\mathrm{in}$ of them. $H$ and $C$ are
$D \times D$, and their eigenvectors cost time as $D^3$.
"""

COST = r"""
**Earlier work, scaled.** Bytes follow from the shapes. Where runs and analyses of a similar shape are kept, their own
seconds are taken and scaled: a step of SGD costs about 6 operations per weight and sample, an analysis about
$4\,N\,D^2$ for the moments and some $D^3$ for eigenvectors. Where there are none, speeds stand in their place that were
measured on this machine once, for some seconds.
"""
