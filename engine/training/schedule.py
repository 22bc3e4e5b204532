"""SGD's settings: what is possible, and the learning rate of every epoch. Nothing here imports torch."""

import math

from engine.config import fields
from engine.config.requests import TrainingRequest
from engine.errors import require


def check(request: TrainingRequest, samples: int) -> None:
    """ValueError unless `samples` training samples can be trained on with these settings."""
    size = request.batch_size
    require(
        1 <= size <= samples,
        f"The batch size lies between 1 and the {samples:,} training samples; {size:,} was given.",
    )
    fields.check(request)


def learning_rate(request: TrainingRequest, done: int) -> float:
    """Rate after `done` epochs, with which the next one is trained: cosine annealing per epoch,

        η_min + (η − η_min)(1 + cos(π · done / T)) / 2,   η_min = final_rate_ratio · η,

    T = cosine_epochs; it stays at η_min afterwards.
    """
    lowest = request.final_rate_ratio * request.learning_rate
    phase = math.pi * min(done / request.cosine_epochs, 1.0)
    return lowest + (request.learning_rate - lowest) * (1 + math.cos(phase)) / 2


EVALUATED_AT_ONCE = 1024  # samples: bounds the memory of an evaluation, and no number depends on it
