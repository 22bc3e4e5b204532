"""The layers that can be studied, each kind told once, and what `analyze` refuses before any work: every sentence gives
the reason and the remedy.

A layer of any kind is z_t = W a_t at places t = 1 … T of a sample (theory.md section 6): a linear layer at the one
vector or at each of the tokens that it is fed, a convolution at each position of its output, where a_t is the unfolded
patch. A convolution in groups has a W of its own in each of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from engine.config.requests import joined
from engine.curvature.attention import own_weight, projections
from engine.errors import require

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
# Hooks that compute a weight anew before each pass.
COMPUTING = (prune.BasePruningMethod, SpectralNorm, WeightNorm)


@dataclass(frozen=True)
class Call:
    """One use of a studied layer in a forward pass. layer: its number; batch: the axis of its input that holds the
    samples; each: pieces that a sample is cut into along that axis (windows, or tokens laid in one row), usually one;
    shape: of its output for one sample; fed: numbers that its input then has."""

    layer: int
    batch: int
    each: int
    shape: tuple[int, ...]
    fed: int


@dataclass(frozen=True)
class Site:
    """How a studied layer is read: its weight as a matrix, its input and output as places."""

    module: Any  # of one of KINDS
    bias: bool = False

    @property
    def groups(self) -> int:
        return getattr(self.module, "groups", 1)

    @property
    def outputs(self) -> int:
        """d_out, of all groups."""
        return self.module.out_channels if _is_convolution(self.module) else self.module.out_features

    def weight(self) -> Float[Tensor, "d_out d_in"]:
        """W, with the bias as last column where it is included; the matrices of groups one below the other."""
        weight = self.module.weight.flatten(1)
        return torch.cat([weight, self.module.bias[:, None]], dim=1) if self.bias else weight

    def places(self, fed: Tensor, call: Call) -> Float[Tensor, "n g t d_in"]:
        """a_t, with a last component 1 where the bias is included."""
        first = fed.movedim(call.batch, 0)
        rows = (
            _patches(self.module, first)
            if _is_convolution(self.module)
            else first.reshape(len(first), 1, -1, first.shape[-1])
        )
        rows = rows.unflatten(0, (-1, call.each)).transpose(1, 2).flatten(2, 3)
        return torch.cat([rows, torch.ones_like(rows[..., :1])], dim=-1) if self.bias else rows

    def laid(self, z: Float[Tensor, "n g t o"], call: Call) -> Tensor:
        """Values at the places as the layer's output has them."""
        n, g, t, o = z.shape
        pieces = z.view(n, g, call.each, t // call.each, o).transpose(1, 2)
        shape = list(call.shape)
        shape[call.batch] = n * call.each
        if _is_convolution(self.module):
            return pieces.transpose(-1, -2).reshape(shape)
        first = [shape[call.batch], *shape[: call.batch], *shape[call.batch + 1 :]]
        return pieces.reshape(first).movedim(0, call.batch)

    def count(self, call: Call) -> int:
        """T of one use."""
        return prod(call.shape) // self.outputs


def computed(module: nn.Module) -> bool:
    """Whether a layer's weight is computed from other parameters."""
    return "weight" not in module._parameters


def frozen(model: nn.Module, layer: str) -> bool:
    """Whether training is kept from moving a layer's weight, or what it is computed from."""
    above, _, projection = layer.rpartition(".")
    owner = model.get_submodule(above)
    if isinstance(owner, nn.MultiheadAttention) and projection in projections(owner):
        return not own_weight(owner, projection).requires_grad
    behind = model.get_submodule(layer).named_parameters()
    return not any(p.requires_grad for name, p in behind if "bias" not in name.split("."))


def written(model: nn.Module) -> None:
    """Weights that are computed (pruned, normed, orthogonal) written as they are after a pass; the model is changed."""
    for module in model.modules():
        for name in list(getattr(module, "parametrizations", ())):
            parametrize.remove_parametrizations(module, name)
        for key, hook in list(module._forward_pre_hooks.items()):
            if isinstance(hook, COMPUTING):
                del module._forward_pre_hooks[key]
                own = vars(hook).get("_tensor_name") or vars(hook)["name"]
                setattr(module, own, nn.Parameter(getattr(module, own).detach(), requires_grad=False))


def input_of(args: Sequence[Any], named: Mapping[str, Any]) -> Tensor:
    """The input of a layer, by place or by name."""
    x: Tensor = args[0] if args else named["input"]
    return x


def _is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.conv._ConvNd)


def _patches(module: Any, x: Float[Tensor, "n c *size"]) -> Float[Tensor, "n g t d_in"]:
    """What each position of a convolution's output is a product with: (channels of the group, kernel), row-major."""
    axes = len(module.kernel_size)
    margins = []
    for axis in reversed(range(axes)):  # pad() counts from the last axis
        if module.padding == "same":
            total = module.dilation[axis] * (module.kernel_size[axis] - 1)
            margins += [total // 2, total - total // 2]
        else:
            margins += [0 if module.padding == "valid" else module.padding[axis]] * 2
    if any(margins):
        x = pad(x, margins, "constant" if module.padding_mode == "zeros" else module.padding_mode)
    for axis in range(axes):
        reach = module.dilation[axis] * (module.kernel_size[axis] - 1) + 1
        x = x.unfold(2 + axis, reach, module.stride[axis])[..., :: module.dilation[axis]]
    x = x.unflatten(1, (module.groups, -1)).movedim(2, 2 + axes)  # (n, g, *positions, channels, *kernel)
    return x.flatten(2, 1 + axes).flatten(3)


def names(model: nn.Module) -> list[str]:
    """The layers of the kinds that can be studied, with the projections inside attentions."""
    every = []
    for name, module in model.named_modules():
        if isinstance(module, KINDS):
            every.append(name or "(the model itself)")
        elif isinstance(module, nn.MultiheadAttention):
            every += [f"{name}.{projection}".lstrip(".") for projection in projections(module)]
    return every


def listed(model: nn.Module, but: str = "") -> str:
    """The same for a sentence, without the one it is about."""
    return ", ".join(name for name in names(model) if name != but) or "(none)"


def check_layers(model: Any, layer: str | Sequence[str], bias: bool = False) -> tuple[str, ...]:
    """The layers meant by a name, several joined by "+" or a sequence of names; ValueError or TypeError: see
    `check_layer`, or one layer is named twice."""
    chosen = joined(layer) if isinstance(layer, str) else tuple(layer)
    _check_model(model)
    require(bool(chosen), f"No layer is named; the layers that can be studied are {listed(model)}.")
    for name in chosen:
        check_layer(model, name, bias)
        require(chosen.count(name) == 1, f"Layer {name!r} is named twice. Name each layer once.")
    return chosen


def check_layer(model: Any, layer: str, bias: bool = False) -> None:
    """ValueError or TypeError unless `layer` is of a kind that can be studied, with weights of its own, and the model
    is in evaluation mode where that matters."""
    _check_model(model)
    modules = dict(model.named_modules(remove_duplicate=False))
    above, _, projection = layer.rpartition(".")
    owner: Any = modules.get(above)
    if isinstance(owner, nn.MultiheadAttention) and projection in projections(owner):
        weight, has_bias = own_weight(owner, projection), owner.in_proj_bias is not None
    else:
        wrap = "" if layer else " To study the model itself, wrap it: nn.Sequential(model), layer '0'."
        require(
            bool(layer) and layer in modules,
            f"The model has no layer {layer!r}; the layers that can be studied are {listed(model)}.{wrap}",
        )
        owner = modules[layer]
        require(isinstance(owner, KINDS), f"{_kind(layer, owner)} Choose one of {listed(model)}.")
        weight, has_bias = owner.weight, owner.bias is not None
    require(not bias or has_bias, f"Layer {layer!r} has no bias. Use bias=False.")
    twins = [
        f"{name}.{parameter}"
        for name, module in modules.items()
        for parameter, value in module.named_parameters(recurse=False)
        if value is weight and module is not owner
    ]
    require(
        not twins,
        f"The weights of {layer!r} are shared with {', '.join(twins)}; the factored Hessian covers weights "
        "used once. Choose another layer.",
    )
    for name, module in modules.items():
        random = module.training and (
            isinstance(module, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd)
            or (isinstance(module, nn.MultiheadAttention) and module.dropout > 0)
        )
        require(
            not random,
            f"{type(module).__name__} {name!r} is in training mode, where the loss of a sample is random or "
            "depends on the others. Call model.eval() first.",
        )
        require(
            not isinstance(module, nn.modules.batchnorm._BatchNorm) or module.running_mean is not None,
            f"{type(module).__name__} {name!r} has no running statistics, so samples of a batch depend on each "
            "other. Rebuild it with track_running_stats=True.",
        )


def _check_model(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}. {_made_a_model(model)}")


def _made_a_model(given: Any) -> str:
    if isinstance(given, dict):
        return "A state dict holds weights alone: load it into its network with load_state_dict."
    return "Put a function into the forward of one." if callable(given) else "Pass the network itself."


def _kind(layer: str, module: nn.Module) -> str:
    """Why a module cannot be studied."""
    sentence = f"Layer {layer!r} is a {type(module).__name__}; the engine studies linear layers and convolutions."
    if isinstance(module, torch.jit.ScriptModule):
        return f"{sentence} A scripted module cannot be cut open: use the plain one that it was made of."
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return f"{sentence} Recurrent weights act on what they made themselves, and have no factors."
    if isinstance(module, nn.Embedding):
        return f"{sentence} A row of an embedding is moved by the samples alone that look it up."
    return sentence
