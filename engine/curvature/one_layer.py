"""One layer as the subject of an analysis: its moments and those of its activity-weight duality."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from engine.curvature import covariances, memory, moments, resampling
from engine.curvature.covariances import Combination
from engine.curvature.duality import dual, partners
from engine.curvature.factors import Tail
from engine.progress import Progress
from engine.results.suppression import Spectra


class OneLayer:
    """What engine.curvature.analyze asks of a subject. combinations: the named matrices, and means: their mean vectors,
    both of which `look` fills in."""

    combinations: Mapping[str, Combination]
    means: Mapping[str, Float[Tensor, " d"]]

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        inputs: Tensor,
        targets: Tensor,
        loss: str,
        batch_size: int,
        anchors_per_class: int | None,
        seed: int,
        **how: Any,
    ):
        self.tail = Tail(model, layer, inputs, targets, loss, **how)
        self.batch_size, self.anchors_per_class, self.seed = batch_size, anchors_per_class, seed

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(d_out, d_in)."""
        d_out, d_in = self.tail.weight.shape
        return ((d_out, d_in),)

    def memory(self, top_k: int | None, item: int) -> memory.Memory:
        """What an analysis takes, numbers having `item` bytes."""
        ((d_out, d_in),) = self.shapes
        return memory.memory(self.tail.targets.shape[0], d_out, d_in, self.tail.rank, top_k, item)

    def look(self, progress: Progress) -> None:
        """Factors of every sample, and its partner."""
        self.factors = self.tail.factors(progress)
        progress("pairs", 0, 1)
        targets = self.tail.targets.to(self.tail.device)
        partner = partners(self.factors.activity, targets, self.anchors_per_class, self.seed)
        self.pairs = dual(self.factors, partner)
        progress("pairs", 1, 1)
        self.combinations = covariances.combinations(self.batch_size, self.pairs)
        self.described = covariances.moments(self.factors, self.pairs)
        self.means = covariances.means(self.factors, self.pairs)

    def dense(self, chunk: int, progress: Progress) -> dict[str, Float[Tensor, "d d"]]:
        return moments.dense(self.described, chunk, progress)

    def apply(self, v: Float[Tensor, "d k"], chunk: int) -> Float[Tensor, "d k"]:
        """H V."""
        return moments.apply(self.described["h"], v, chunk)

    def project(self, v: Float[Tensor, "d k"], chunk: int, progress: Progress) -> dict[str, Float[Tensor, "k k"]]:
        return moments.project(self.described, self._shaped(v), chunk, progress)

    def spectra(self, v: Float[Tensor, "d k"], samples: int, seed: int, chunk: int, progress: Progress) -> Spectra:
        return resampling.sample_spectra(self.factors, self._shaped(v), samples, seed, chunk, progress)

    def replicates(
        self, v: Float[Tensor, "d k"], counts: Float[Tensor, "s n"], chunk: int, progress: Progress
    ) -> dict[str, Float[ndarray, "s k"]]:
        return resampling.replicates(
            self.factors, self.pairs, self._shaped(v), self.combinations, counts, chunk, progress
        )

    def origin(self) -> dict[str, Any]:
        """What only the subject knows of the result's provenance."""
        ((d_out, d_in),) = self.shapes
        return {
            "d_out": d_out,
            "d_in": d_in,
            "anchors_per_class": self.anchors_per_class,
            "unpaired": self.pairs.unpaired,
            "curvature": self.factors.kind,
            "sigma_w2": self.pairs.sigma_w2(),
            "mean_loss": float(self.factors.loss.double().mean()),
            "accuracy": float(self.factors.correct.double().mean()),
        }

    def _shaped(self, v: Float[Tensor, "d k"]) -> Float[Tensor, "d_out d_in k"]:
        return v.reshape(*self.tail.weight.shape, v.shape[1])
