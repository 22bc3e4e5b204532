"""Bytes of an analysis before it begins, and the plan that fits them into what is free. Nothing here imports torch."""

from dataclasses import dataclass

# (d_out, d_in) of each layer, as used.
Shapes = tuple[tuple[int, int], ...]

CHUNK_BYTES = 128 * 2**20  # more makes no product faster

# T · d_out up to which the second derivative of a smooth tail is taken at several places.
FULL_LIMIT = 512

DENSE_LIMIT = 4096  # weights up to which the dense way is also the faster one for a few directions

# Columns multiplied with H at a time, at most: four cost about twice as much as one, and where the factors must be made
# anew each time they cost little.
BLOCK, WIDE_BLOCK = 4, 16
GRAM_LIMIT = 16  # the Gram matrix of the rows of H gives eigenvectors sooner where it has no more entries, times D
COLUMN = 6 * 8  # bytes for each number of a block, on its way through a product


@dataclass(frozen=True)
class Memory:
    """Bytes of an analysis beside the process: the factors of all samples, where they are kept; what stays beside
    them, the dense way and projected; and what one sample adds while its factors are made, while its triangles are
    formed, and while it is laid along the directions. stretch: so many times CHUNK_BYTES of samples are worth being
    worked on at a time; rows: of which H is the sum at one place, N times their rank, 0 elsewhere."""

    factors: int
    dense: int
    projected: int
    made: int
    triangles: int
    along: int
    stretch: int = 1
    rows: int = 0


def memory(
    n: int,
    d_out: int,
    d_in: int,
    rank: int,
    top_k: int | None,
    item: int,
    *,
    places: int = 1,
    classes: int = 0,
    written: bool = False,
    full: bool = False,
    fed: int = 0,
) -> Memory:
    """For n samples of a layer d_out × d_in used at so many places, and numbers of `item` bytes; top_k None: the whole
    eigenbasis; written: vectors are written out; full: with the second derivative of the tail; fed: numbers that a
    sample feeds the layer, d_in at one place."""
    d, outputs = d_out * d_in, places * d_out
    # Of a sample: x, g, v and u, with a and Δa unless they are written out; the layer's input is kept besides.
    vectors = (rank + 3) * d if written else (rank + 3) * outputs + 2 * places * d_in
    factors, inputs = n * (vectors + 4 * rank) * item, n * (fed or d_in) * item
    k = d if top_k is None else min(top_k, d)
    triangles = 8 * d_out * (d_out + 1) // 2 + 3 * d_in * (d_in + 1) // 2 + 3 * d_out**2
    moments, sums = (4, 2) if places == 1 else (9, 9)  # of nine, as triangles a quarter, and two laid out
    return Memory(
        factors=factors,
        # Moments, their sums in float64, and eight float64 matrices while H is diagonalised.
        dense=inputs + d * d * (moments * item + sums * 8 + 8 * 8),
        projected=inputs + _projected(d, k, item),
        made=(classes * (outputs + 3 * d * (places > 1)) + 3 * places * d_in) * 8 + 8 * 8 * outputs**2 * full,
        triangles=(triangles if places == 1 else 3 * (rank + 3) * d) * item,
        # Per sample laid along k directions: V_i a, and three products of the eigenvectors with it.
        along=((0 if written else outputs * k) + 3 * rank * k) * item,
        # The directions are laid out anew for every chunk, which takes as long as a product over few samples.
        stretch=1 if top_k is None else max(1, min(8, d * k * item // CHUNK_BYTES)),
        rows=n * rank if places == 1 else 0,
    )


def basis_size(d: int, k: int) -> int:
    """Columns of the basis from which k leading eigenvectors are made."""
    return min(d, max(2 * k, k + 64))


def block_size(k: int, most: int = BLOCK) -> int:
    """Columns multiplied at a time for k leading eigenvectors: the wider a block, the more of them it takes."""
    return min(most, max(2, k // 8))


def _projected(d: int, k: int, item: int) -> int:
    """Bytes of that basis, of k eigenvectors, and of what a block goes through where the factors are kept."""
    return d * ((basis_size(d, k) + k) * item + COLUMN * block_size(k))


def core(shapes: Shapes) -> int:
    """Rows of Q, see engine.curvature.joint: outputs of all layers, inputs of all but the first."""
    return sum(d_out for d_out, _ in shapes) + sum(d_in for _, d_in in shapes[1:])


def joint_memory(shapes: Shapes, top_k: int | None, item: int) -> Memory:
    """For several layers studied jointly: no sample's factors are kept, see engine.curvature.joint."""
    d, q = sum(d_out * d_in for d_out, d_in in shapes), core(shapes)
    k = d if top_k is None else min(top_k, d)
    widest = max(max(shape) for shape in shapes)
    return Memory(
        factors=0,
        # Three moments, and while H is diagonalised eight float64 matrices, more than the sums before.
        dense=d * d * (3 * item + 8 * 8),
        projected=_projected(d, k, item),
        # Per sample: Q, Q S Q and what lies between; products of activities and slopes.
        made=3 * q**2 * item,
        triangles=(3 * q**2 + 4 * widest**2) * item,
        along=4 * q * k * item,
        # The sums are so large that adding to them takes as long as a product over few samples.
        stretch=4,
    )


@dataclass(frozen=True)
class Plan:
    """How the work is cut. dense: build D × D matrices, otherwise project everything on the leading
    directions; keep: keep the factors of all samples, otherwise make them anew whenever they are needed; expand:
    samples whose triangles are formed at a time; along: samples laid along the directions at a time; block: columns
    multiplied with H at a time, and apply: by so many samples; rows: the leading directions come from the Gram matrix
    of so many rows, 0: from products; bytes: estimated peak beyond what is in use now."""

    dense: bool
    keep: bool
    expand: int
    along: int
    block: int
    apply: int
    rows: int
    bytes: int

    @property
    def words(self) -> str:
        """Where the directions come from."""
        if self.dense:
            return "directions from a dense matrix"
        if self.rows:
            return f"leading directions from the Gram matrix of {self.rows:,} rows"
        return f"leading directions by Lanczos, {self.block} vectors at a time"


def plan(*, n: int, d: int, size: Memory, top_k: int | None, free: int) -> Plan:
    """The plan for n samples and d weights, whose analysis takes so much memory.

    Raises MemoryError, with the numbers and what to reduce, when no way fits in 80 % of the free bytes.
    """
    room, k = free * 4 // 5, d if top_k is None else top_k
    ways = [True] if top_k is None else [True, False] if d <= DENSE_LIMIT else [False]
    for dense in ways:
        for keep in (True, False) if size.factors else (False,):
            block = block_size(k, BLOCK if keep else WIDE_BLOCK)
            base = size.dense if dense else size.projected + d * COLUMN * (block - block_size(k))
            rows = size.rows if keep and not dense and size.rows**2 <= GRAM_LIMIT * d else 0
            base += (size.factors if keep else 0) + 4 * 8 * rows**2
            made = 0 if keep else size.made
            expand, along, apply = size.triangles + made, size.along + made, size.along * block // k + made
            if max(expand if dense else 0, along) <= room - base:
                expand, along, apply = (_chunk(n, each, room - base, size.stretch) for each in (expand, along, apply))
                return Plan(dense, keep, expand, along, block, apply, rows, base)
    if top_k is None:
        raise MemoryError(
            f"The whole eigenbasis of {d:,} weights and {n:,} samples needs about {_gib(size.dense)}, "
            f"and {_gib(free)} are free. Set top_k (say 100) to compute the leading directions only."
        )
    raise MemoryError(
        f"{top_k} directions of {d:,} weights and {n:,} samples need about "
        f"{_gib(size.projected + size.along + size.made)}, and {_gib(free)} are free. Reduce top_k or the number of "
        "samples."
    )


def _chunk(n: int, each: int, room: int, stretch: int) -> int:
    return max(1, min(n, min(room, stretch * CHUNK_BYTES) // each))


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
