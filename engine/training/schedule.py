"""SGD's settings: what is possible, and the learning rate of every epoch. Nothing here imports torch."""

import math

from engine.config.requests import TrainingRequest
from engine.errors import require


def check(request: TrainingRequest, samples: int) -> None:
    """ValueError unless `samples` training samples can be trained on with these settings."""
    r = request
    require(r.epochs >= 0, f"The epochs are a whole number from 0 on; {r.epochs} was given.")
    require(
        1 <= r.batch_size <= samples,
        f"The batch size lies between 1 and the {samples:,} training samples; {r.batch_size:,} was given.",
    )
    require(
        math.isfinite(r.learning_rate) and r.learning_rate > 0,
        f"The learning rate is a number above 0; {r.learning_rate} was given.",
    )
    require(r.cosine_epochs >= 1, f"The cosine takes at least 1 epoch; {r.cosine_epochs} was given.")
    require(
        0 <= r.final_rate_ratio <= 1,
        f"The final rate is between 0 and 1 times the first; {r.final_rate_ratio} was given.",
    )
    require(
        r.clip_norm is None or r.clip_norm > 0,
        f"The gradient norm is clipped at a number above 0, or not at all (None); {r.clip_norm} was given.",
    )
    require(0 <= r.momentum < 1, f"The momentum lies from 0 to below 1; {r.momentum} was given.")
    require(r.weight_decay >= 0, f"The weight decay is a number from 0 on; {r.weight_decay} was given.")
    require(
        r.stop_loss is None or r.stop_loss > 0,
        f"Training stops early below a loss above 0, or never (None); {r.stop_loss} was given.",
    )


def learning_rate(request: TrainingRequest, done: int) -> float:
    """Rate after `done` epochs, with which the next one is trained: cosine annealing per epoch,

        η_min + (η − η_min)(1 + cos(π · done / T)) / 2,   η_min = final_rate_ratio · η,

    T = cosine_epochs; it stays at η_min afterwards.
    """
    lowest = request.final_rate_ratio * request.learning_rate
    phase = math.pi * min(done / request.cosine_epochs, 1.0)
    return lowest + (request.learning_rate - lowest) * (1 + math.cos(phase)) / 2


EVALUATED_AT_ONCE = 1024  # samples: bounds the memory of an evaluation, and no number depends on it
