"""nn.MultiheadAttention opened: its projections as linear layers of their own, so that they can be studied like others.

Self-attention's in_proj is one layer of 3E outputs, or q_proj, k_proj and v_proj separately; out_proj follows. torch
itself never calls a module for any of them. Source: theory.md section 6, Attention.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import multi_head_attention_forward
from torch.utils import checkpoint

from engine.errors import require

SEPARATE = ("q_proj", "k_proj", "v_proj")
# What goes on around a checkpoint that is not reentrant, by the names that versions of torch have for it.
_HOOKED = [name for name in vars(checkpoint) if name.startswith("_checkpoint_without_reentrant_generator")]


def projections(module: nn.MultiheadAttention) -> tuple[str, ...]:
    """The layers that it can be opened into, beside its out_proj."""
    return ("in_proj", *SEPARATE) if module._qkv_same_embed_dim else SEPARATE


def own_weight(module: nn.MultiheadAttention, projection: str) -> Tensor:
    """The parameter that holds a projection's weight."""
    if projection == "out_proj":
        return module.out_proj.weight
    weight: Tensor = module.in_proj_weight if module._qkv_same_embed_dim else getattr(module, f"{projection}_weight")
    return weight


def opened(model: nn.Module, layers: tuple[str, ...]) -> nn.Module:
    """The model with those of its attentions opened of which a layer is studied; the model itself is changed."""
    for name, module in list(model.named_modules()):
        studied = [layer.rpartition(".")[2] for layer in layers if layer.rpartition(".")[0] == name]
        if not isinstance(module, nn.MultiheadAttention) or not studied:
            continue
        open_one = OpenAttention(module, together="in_proj" in studied)
        if not name:
            return open_one
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, open_one)
    return model


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Attention by kernels that have a second derivative, and through its modules: torch's fused ones are neither.
    Checkpoints are passed straight through: made anew on the way back, they would not be cut open. What is compiled is
    run as it was written: its second derivative is not."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        reentrant = patch.object(checkpoint.CheckpointFunction, "apply", lambda run, _, *args: run(*args))
        others = patch.dict(vars(checkpoint), dict.fromkeys(_HOOKED, _nothing))
        eager = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
        with sdpa_kernel(SDPBackend.MATH), reentrant, others, eager:
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _nothing(*_: Any, **__: Any) -> Iterator[None]:
    yield


class OpenAttention(nn.MultiheadAttention):
    """The same attention with its projections as modules. together: in_proj, otherwise q_proj, k_proj and v_proj."""

    def __init__(self, closed: nn.MultiheadAttention, together: bool):
        nn.Module.__init__(self)
        inner = ("_parameters", "_buffers", "_modules")
        self.__dict__.update({key: value for key, value in closed.__dict__.items() if key not in inner})
        for key in inner:
            self.__dict__[key] = dict(closed.__dict__[key])
        if closed._qkv_same_embed_dim:
            weights = (closed.in_proj_weight,) if together else closed.in_proj_weight.chunk(3)
        else:
            weights = tuple(own_weight(closed, name) for name in SEPARATE)
        bias = closed.in_proj_bias
        biases = (None,) * len(weights) if bias is None else (bias,) if together else bias.chunk(3)
        for name in ("in_proj", *SEPARATE):
            for part in ("weight", "bias"):
                self._parameters.pop(f"{name}_{part}", None)  # who reads them besides would read others
        for name, weight, own in zip(("in_proj",) if together else SEPARATE, weights, biases, strict=True):
            self.add_module(name, _linear(weight, own))

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        modules: Any = self._modules
        if "in_proj" in modules:
            require(
                query is key and key is value,
                "in_proj is one layer where an attention's query, key and value are the same. Choose q_proj, k_proj or "
                "v_proj.",
            )
            q, k, v = modules["in_proj"](query).chunk(3, dim=-1)
        else:
            q, k, v = (modules[name](x) for name, x in zip(SEPARATE, (query, key, value), strict=True))
        if self.batch_first:
            q, k, v = (x.transpose(0, 1) for x in (q, k, v))
        # What is projected already passes torch's own projections unchanged: masks and the rest stay torch's.
        eye = torch.eye(self.embed_dim, dtype=q.dtype, device=q.device)
        mixed, weights = multi_head_attention_forward(
            q, k, v, self.embed_dim, self.num_heads, eye, None, self.bias_k, self.bias_v, self.add_zero_attn,
            self.dropout, eye, None, training=self.training, key_padding_mask=key_padding_mask,
            need_weights=need_weights, attn_mask=attn_mask, use_separate_proj_weight=True, q_proj_weight=eye,
            k_proj_weight=eye, v_proj_weight=eye, average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        output: Tensor = modules["out_proj"](mixed.transpose(0, 1) if self.batch_first else mixed)
        return output, weights


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().clone(), requires_grad=weight.requires_grad)
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone(), requires_grad=bias.requires_grad)
    return linear
