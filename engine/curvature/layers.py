"""What `analyze` refuses, before any work: each sentence gives the reason and the remedy."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.config.requests import joined
from engine.errors import require


def check_samples(inputs: Any, targets: Any) -> None:
    """TypeError or ValueError unless these are tensors of as many samples as labels, at least one."""
    if not isinstance(inputs, Tensor) or not isinstance(targets, Tensor):
        raise TypeError(
            f"inputs and targets must be torch tensors, not {type(inputs).__name__} and "
            f"{type(targets).__name__}. Convert them with torch.as_tensor."
        )
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise TypeError(f"targets must be whole-number class labels, not {targets.dtype}. Use targets.long().")
    require(targets.ndim == 1, f"targets must be one label per sample (n,), not of shape {tuple(targets.shape)}.")
    require(
        inputs.ndim >= 1 and inputs.shape[0] == targets.shape[0],
        f"There are {inputs.shape[0] if inputs.ndim else 0} inputs but {targets.shape[0]} targets; "
        "pass one label per sample.",
    )
    require(targets.shape[0] > 0, "There are no samples. Pass at least one.")
    require(
        not inputs.is_floating_point() or bool(torch.isfinite(inputs).all()),
        "The inputs contain NaN or infinity. Clean the data first.",
    )


def linear_names(model: nn.Module) -> str:
    """The layers that can be studied, for a sentence."""
    return ", ".join(name for name, m in model.named_modules() if isinstance(m, nn.Linear)) or "(none)"


def check_layers(model: Any, layer: str | Sequence[str], bias: bool = False) -> tuple[str, ...]:
    """The layers meant by a name, several joined by "+" or a sequence of names; ValueError or TypeError: see
    `check_layer`, or one layer is named twice."""
    names = joined(layer) if isinstance(layer, str) else tuple(layer)
    require(bool(names), f"No layer is named; the model's linear layers are {linear_names(model)}.")
    for name in names:
        check_layer(model, name, bias)
        require(names.count(name) == 1, f"Layer {name!r} is named twice. Name each layer once.")
    return names


def check_layer(model: Any, layer: str, bias: bool = False) -> None:
    """ValueError or TypeError unless `layer` is an nn.Linear of the model with weights of its own, and the
    model is in evaluation mode where that matters."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}.")
    modules = dict(model.named_modules())
    require(
        layer in modules and bool(layer),
        f"The model has no layer {layer!r}; its linear layers are {linear_names(model)}.",
    )
    linear = modules[layer]
    require(
        isinstance(linear, nn.Linear),
        f"Layer {layer!r} is a {type(linear).__name__}; the engine studies nn.Linear. "
        f"Choose one of {linear_names(model)}.",
    )
    require(not bias or linear.bias is not None, f"Layer {layer!r} has no bias. Use bias=False.")
    twins = [
        name
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if parameter is linear.weight and name != f"{layer}.weight"
    ]
    require(
        not twins,
        f"The weights of {layer!r} are shared with {', '.join(twins)}; the factored Hessian covers weights "
        "used once. Choose another layer.",
    )
    mixing = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    for name, module in modules.items():
        if not isinstance(module, mixing):
            continue
        require(
            not module.training,
            f"{type(module).__name__} {name!r} is in training mode, where the loss of a sample is random or "
            "depends on the others. Call model.eval() first.",
        )
        require(
            not isinstance(module, nn.modules.batchnorm._BatchNorm) or module.running_mean is not None,
            f"{type(module).__name__} {name!r} has no running statistics, so samples of a batch depend on each "
            "other. Rebuild it with track_running_stats=True.",
        )
