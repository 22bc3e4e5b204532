"""Cost of joint analyses, see engine.curvature.joint: arithmetic on the shapes (d_out, d_in) of the layers, as used."""

from engine.curvature.memory import Shapes, core


def dense(shapes: Shapes) -> float:
    """Operations of one sample in H, E[g gᵀ] and E[h²] as D × D matrices: Q S Q, and the products of
    engine.curvature.joint_moments, of which those on the diagonal need triangles only."""
    total = 2.0 * core(shapes) ** 3
    for m, (o_m, i_m) in enumerate(shapes):
        for l, (o_l, i_l) in enumerate(shapes[: m + 1]):
            outer, inner = 3 + (l > 0), (m > 0) + (l < m) + (0 < l < m)
            total += 2.0 * o_l * i_l * o_m * i_m * (outer / (4 if l == m else 1) + inner)
    return total


def along(shapes: Shapes, k: int) -> float:
    """Operations of one sample laid along k directions, and of Q and S on what comes of it."""
    d = sum(d_out * d_in for d_out, d_in in shapes)
    return 4.0 * d * k + 2.0 * core(shapes) ** 2 * k


def backward_passes(shapes: Shapes, classes: int, rank: int) -> int:
    """Through the network, for the factors: one for each logit and each input of a later layer; where the tail is
    smooth, one more for each output."""
    return classes + sum(d_in for _, d_in in shapes[1:]) + (rank if rank > classes else 0)
