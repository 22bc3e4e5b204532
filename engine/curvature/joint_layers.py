"""Several layers jointly as the subject of an analysis; the same questions as to engine.curvature.one_layer."""

from typing import Any

from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from engine.curvature import covariances, joint_moments, memory
from engine.curvature.joint import JointTail
from engine.progress import Progress


class JointLayers:
    """H, C and E[h²] of the weights of several layers, one layer after the other, each row-major."""

    def __init__(
        self,
        model: nn.Module,
        layers: tuple[str, ...],
        inputs: Tensor,
        targets: Tensor,
        loss: str,
        batch_size: int,
        **how: Any,
    ):
        self.tail = JointTail(model, layers, inputs, targets, loss, **how)
        self.combinations = covariances.combinations(batch_size)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(d_out, d_in) of each layer."""
        return self.tail.shapes

    def memory(self, top_k: int | None, item: int) -> memory.Memory:
        """What an analysis takes, numbers having `item` bytes."""
        return memory.joint_memory(self.shapes, top_k, item)

    def look(self, progress: Progress) -> None:
        """Mean loss and gradient, and the kind of curvature."""
        self.survey = self.tail.survey(progress)
        self.means = {"g": self.survey.gradient}

    def dense(self, chunk: int, progress: Progress) -> dict[str, Float[Tensor, "d d"]]:
        return joint_moments.dense(self.tail, chunk, progress)

    def apply(self, v: Float[Tensor, "d k"], chunk: int) -> Float[Tensor, "d k"]:
        """H V."""
        return joint_moments.apply(self.tail, v, chunk)

    def project(self, v: Float[Tensor, "d k"], chunk: int, progress: Progress) -> dict[str, Float[Tensor, "k k"]]:
        return joint_moments.project(self.tail, v, chunk, progress)

    def replicates(
        self, v: Float[Tensor, "d k"], counts: Float[Tensor, "s n"], chunk: int, progress: Progress
    ) -> dict[str, Float[ndarray, "s k"]]:
        """As engine.curvature.resampling.replicates."""
        weights = (counts / counts.sum(dim=1, keepdim=True)).to(v)
        sums = joint_moments.resampled(self.tail, v, weights, chunk, progress)
        return {
            name: c.evaluate(sums.__getitem__, lambda x, y: sums[x] * sums[y]).float().cpu().numpy()
            for name, c in self.combinations.items()
        }

    def origin(self) -> dict[str, Any]:
        """What only the subject knows of the result's provenance."""
        return {
            "d_out": sum(d_out for d_out, _ in self.shapes),
            "d_in": sum(d_in for _, d_in in self.shapes),
            "shapes": self.shapes,
            "anchors_per_class": None,
            "unpaired": self.tail.targets.shape[0],
            "curvature": self.tail.kind,
            "sigma_w2": 0.0,
            "mean_loss": self.survey.mean_loss,
            "accuracy": self.survey.accuracy,
        }
