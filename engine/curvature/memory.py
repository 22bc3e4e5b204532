"""Bytes of an analysis before it begins, and the plan that fits them into what is free. Nothing here imports torch."""

from dataclasses import dataclass

# (d_out, d_in) of each layer, as used.
Shapes = tuple[tuple[int, int], ...]

CHUNK_BYTES = 256 * 2**20  # more makes no product faster

DENSE_LIMIT = 4096  # weights up to which the dense way is also the faster one for a few directions


@dataclass(frozen=True)
class Memory:
    """Bytes of an analysis beside the process: what stays, and what one sample adds while its triangles are
    formed, and while it is laid along the directions. stretch: so many times CHUNK_BYTES of samples are worth being
    worked on at a time."""

    dense: int
    projected: int
    triangles: int
    along: int
    stretch: int = 1


def memory(n: int, d_out: int, d_in: int, rank: int, top_k: int | None, item: int) -> Memory:
    """For n samples of a layer d_out × d_in and numbers of `item` bytes; top_k None: the whole eigenbasis."""
    d = d_out * d_in
    # Per sample: a, Δa, δ, two products with M, and the eigenpairs of M.
    factors = n * (2 * d_in + 3 * d_out + rank * (d_out + 1)) * item
    k = d if top_k is None else top_k * 5 // 4
    triangles = 6 * d_out * (d_out + 1) // 2 + 3 * d_in * (d_in + 1) // 2
    return Memory(
        # Seven moments, their triangles in float64, and eight float64 matrices while H is diagonalised.
        dense=factors + d * d * (7 * item + 2 * 8 + 8 * 8),
        # The Krylov basis and its image: twice four blocks a quarter wider than top_k, and as much in work space.
        projected=factors + d * k * 4 * 3 * 8,
        triangles=(triangles + 3 * d_out**2) * item,
        # Per sample laid along k directions: V_i a, and three products of the eigenvectors with it.
        along=(d_out * k + 3 * rank * k) * item,
    )


def core(shapes: Shapes) -> int:
    """Rows of Q, see engine.curvature.joint: outputs of all layers, inputs of all but the first."""
    return sum(d_out for d_out, _ in shapes) + sum(d_in for _, d_in in shapes[1:])


def joint_memory(shapes: Shapes, top_k: int | None, item: int) -> Memory:
    """For several layers studied jointly: no sample's factors are kept, see engine.curvature.joint."""
    d, q = sum(d_out * d_in for d_out, d_in in shapes), core(shapes)
    k = d if top_k is None else top_k * 5 // 4
    widest = max(max(shape) for shape in shapes)
    return Memory(
        # Three moments, and while H is diagonalised eight float64 matrices, more than the sums before.
        dense=d * d * (3 * item + 8 * 8),
        projected=d * k * 4 * 3 * 8,
        # Per sample: Q, Q S Q and what lies between; products of activities and slopes.
        triangles=(6 * q**2 + 4 * widest**2) * item,
        along=(4 * q * k + 3 * q**2) * item,
        # The sums are so large that adding to them takes as long as a product over few samples.
        stretch=4,
    )


@dataclass(frozen=True)
class Plan:
    """How the work is cut. dense: build D × D matrices, otherwise project everything on the leading
    directions; expand: samples whose triangles are formed at a time; along: samples laid along the directions
    at a time; bytes: estimated peak beyond what is in use now."""

    dense: bool
    expand: int
    along: int
    bytes: int


def plan(*, n: int, d: int, size: Memory, top_k: int | None, free: int) -> Plan:
    """The plan for n samples and d weights, whose analysis takes so much memory.

    Raises MemoryError, with the numbers and what to reduce, when neither way fits in 80 % of the free bytes.
    """
    room = free * 4 // 5
    if top_k is None or d <= DENSE_LIMIT:
        rest = room - size.dense
        if max(size.triangles, size.along) <= rest:
            expand, along = (_chunk(n, each, rest, size.stretch) for each in (size.triangles, size.along))
            return Plan(True, expand, along, size.dense)
    if top_k is None:
        raise MemoryError(
            f"The whole eigenbasis of {d:,} weights and {n:,} samples needs about {_gib(size.dense)}, "
            f"and {_gib(free)} are free. Set top_k (say 100) to compute the leading directions only."
        )
    if size.projected + size.along > room:
        raise MemoryError(
            f"{top_k} directions of {d:,} weights and {n:,} samples need about "
            f"{_gib(size.projected + size.along)}, and {_gib(free)} are free. Reduce top_k or the number of samples."
        )
    fits = _chunk(n, size.along, room - size.projected, size.stretch)
    return Plan(False, fits, fits, size.projected)


def _chunk(n: int, each: int, room: int, stretch: int) -> int:
    return max(1, min(n, min(room, stretch * CHUNK_BYTES) // each))


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
