"""Three tests, on a few samples, that a layer's factors are the whole story of its weights (theory.md section 6).

Cut open, the network is a function of the shifts ε of its studied layers, and a change V of their weights W acts as
ε_m = V_m a_m. Weights that act on the output in another way as well (a tied decoder, an output divided by ‖W‖) would
give wrong numbers in silence. So, by autograd in W itself:

    a_m does not depend on W_m        ∂ℓ/∂W_m = Σ_p δ_m ⊗ a_m        (∂²ℓ/∂W²) V = Σ_p U Q Uᵀ V

in the notation of engine.curvature.joint, once for the loss and once for ½‖f − f̂ + c‖² with a random c, whose gradient
c and Hessian 1 in the outputs f do not vanish where a network has learnt its samples, f̂ being the outputs as they are.
The second derivative of what follows the layers is part of Q unless "auto" measures that it is zero; where a user
leaves it out by name, "gauss-newton", the product is tested with it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import parametrize

from engine.curvature.accumulate import over
from engine.curvature.autodiff import CannotRunError, ShiftedNetwork, is_curved
from engine.errors import require

SAMPLES = 3
# How far the two may differ, relative to their size; its square of the size for the random c is rounding.
NEAR = {torch.float64: 1e-6, torch.float32: 1e-2}
STEP = 1e-5  # of weights, to see the outputs move
_ONCE = "The factored Hessian covers weights used once, by their layer alone. Choose another layer."


def check(network: ShiftedNetwork) -> None:
    """ValueError, with the reason and the remedy, for a layer that fails one of the tests.

    They are done in float64, in its own precision where the network runs in no other, on a copy: neither the
    network nor torch's random state is touched.
    """
    reason = ""
    with torch.random.fork_rng([network.device] if network.device.type == "cuda" else []):
        for dtype in (torch.float64, network.dtype):
            try:
                return _check(network.few(SAMPLES, dtype))
            except (RuntimeError, CannotRunError) as error:
                reason = str(error).splitlines()[0]
    raise ValueError(
        f"This network cannot be differentiated twice ({reason}), so the curvature of layer "
        f"{'+'.join(network.layers)!r} cannot be vouched for. Choose a layer behind the part that cannot, such as "
        "the output layer."
    )


@torch.enable_grad()
def _check(few: ShiftedNetwork) -> None:
    with parametrize.cached():  # one W for a pass, also where it is computed from others
        for site in few.sites:
            site.module.requires_grad_(True)
        activities, shift, f = few.forward(few.inputs)
        # Read after the pass: the older spectral_norm writes them then.
        modules = [site.module for site in few.sites]
        parameters = [(m.weight, m.bias) if few.bias else (m.weight,) for m in modules]
    for layer, a, own in zip(few.layers, activities, parameters, strict=True):
        slopes = torch.autograd.grad(a.sum(), own, retain_graph=True, allow_unused=True) if a.requires_grad else ()
        alone = all(slope is None for slope in slopes)
        require(alone, f"The input of layer {layer!r} depends on the layer's own weights. {_ONCE}")

    noise = torch.Generator().manual_seed(0)
    c, *directions = (torch.randn(t.shape, generator=noise, dtype=torch.float64).to(f) for t in (f, *few.weights))
    targets = few.targets.to(few.device)
    slope, hessian = (x.to(f.dtype) for x in few.loss.derivatives(f.detach(), targets))
    loss = few.loss.value(f.double(), targets).sum()
    bent = not few.probing or is_curved(f, shift, slope)
    tests = (
        ((f - f.detach() + c).square().sum() / 2, c, torch.eye(f.shape[1]).to(f).expand_as(hessian), True),
        (loss, slope, hessian, bent),
    )
    rounding = {"gradient": 0.0, "Hessian": 0.0}
    for value, slope, hessian, bent in tests:
        gradients = _in_weights(value, parameters)
        along = torch.stack([(g * v).sum() for g, v in zip(gradients, directions, strict=True)]).sum()
        by_autograd = {"gradient": gradients, "Hessian": _in_weights(along, parameters)}
        by_factors = _by_factors(few, activities, shift, f, slope, hessian, directions, bent)
        for what, expected in by_autograd.items():
            _compare(few, what, expected, by_factors[what], rounding[what])
            rounding[what] = NEAR[f.dtype] ** 2 * max(x.detach().norm().item() for x in expected)
    if f.dtype == torch.float64:
        _check_values(few, f, c)


def _check_values(few: ShiftedNetwork, f: Tensor, c: Tensor) -> None:
    """ValueError where the outputs move with the weights otherwise than autograd says, which is blind to what they do
    behind detach() or no_grad. At a kink the two ways differ by more than that."""
    noise, rounding = torch.Generator().manual_seed(0), 1e-10 * (f * c).abs().sum().item()
    for layer, site in zip(few.layers, few.sites, strict=True):
        own = [p for name, p in site.module.named_parameters() if few.bias or "bias" not in name]
        slopes = torch.autograd.grad((f * c).sum(), own, retain_graph=True, allow_unused=True)
        steps = [STEP * p.data.abs().mean() * torch.randn(p.shape, generator=noise).to(p) for p in own]
        expected = sum(float((s * g).sum()) for s, g in zip(steps, slopes, strict=True) if g is not None)
        starts, moved = [p.data for p in own], []
        for way in (1, -1, 0):
            for p, start, step in zip(own, starts, steps, strict=True):
                p.data = start + way * step if way else start
            if way:
                moved.append(way * ((few.forward(few.inputs)[2] - f) * c).sum().item())
        ahead, back = moved
        off, size = abs((ahead + back) / 2 - expected), max(abs(ahead), abs(back), abs(expected))
        require(
            off <= abs(ahead - back) + NEAR[f.dtype] * size + rounding,
            f"{off / (size or 1):.0%} of what the weights of layer {layer!r} do to the output is hidden from autograd, "
            "by detach(), no_grad or rounding: training does not follow the gradient of the loss in them. Choose "
            "another layer.",
        )


def check_gradients(
    network: ShiftedNetwork, weights: Float[Tensor, " n"], factored: Float[Tensor, " d"], chunk: int
) -> None:
    """ValueError unless autograd gives Σ_p c_p ∂ℓ_p/∂W of all samples as the factors do, c_p random: three samples do
    not meet what a network does for some alone, and what a sample does to others does not add up to this sum."""
    module, total = network.sites[0].module, torch.zeros_like(factored)
    module.requires_grad_(True)
    try:
        for rows in over(len(weights), chunk):
            with parametrize.cached(), torch.enable_grad():
                _, _, f = network.forward(network.inputs[rows])
                value = (network.loss.value(f.double(), network.targets[rows].to(f.device)) * weights[rows]).sum()
                own = (module.weight, module.bias) if network.bias else (module.weight,)
                slopes = torch.autograd.grad(value, own, allow_unused=True)
            whole = [torch.zeros_like(w) if g is None else g for w, g in zip(own, slopes, strict=True)]
            total += torch.cat([x.reshape(len(x), -1) for x in whole], dim=1).flatten()
    finally:
        module.requires_grad_(False)
    off, size = float((total - factored).norm()), float(total.norm())
    require(
        off <= NEAR[network.dtype] * size,
        f"For some samples the weights of layer {network.layers[0]!r} act on the output in another way than by its own "
        f"product with its input, or on the outputs of other samples: over all of them the gradient of its factors is "
        f"{off / (size or 1):.0%} off autograd's. {_ONCE}",
    )


def _compare(
    few: ShiftedNetwork, what: str, expected: Sequence[Tensor], factored: Sequence[Tensor], rounding: float
) -> None:
    for layer, x, y in zip(few.layers, expected, factored, strict=True):
        size, off = x.detach().norm().item(), (x - y).detach().norm().item()
        require(
            off < float("inf"),
            f"The {what} of the loss in the weights of layer {layer!r} is NaN or infinite. Choose another layer, or "
            "keep roots and quotients in the network away from zero.",
        )
        share = f"the {what} of its factors is {off / (size or off or 1):.0%} off autograd's"
        reasons = {
            "gradient": f"The weights of layer {layer!r} act on the output in another way than by its own product with "
            f"its input (a layer tied to it, or a norm of them?): {share}. {_ONCE}",
            "Hessian": f"The curvature of layer {layer!r} is not what its factors say: {share}, though the gradient is "
            'right. Choose another layer, or curvature="full".',
        }
        require(off <= NEAR[x.dtype] * size + rounding, reasons[what])


def _by_factors(
    few: ShiftedNetwork,
    activities: Sequence[Tensor],
    shift: Tensor,
    f: Tensor,
    slope: Tensor,
    hessian: Tensor,
    directions: Sequence[Tensor],
    bent: bool,
) -> dict[str, list[Float[Tensor, "d_out d_in"]]]:
    """Σ_p δ_m ⊗ a_m and Σ_p U Q Uᵀ V of each layer, from derivatives in ε alone."""
    pull = _grad(f, shift, slope)
    a, delta = [x.detach() for x in activities], few.by_place(pull.detach())
    v = [w.view(x.shape[1], -1, x.shape[3]) for w, x in zip(directions, a, strict=True)]
    p = few.flattened(*(torch.einsum("goi,ngti->ngto", w, x) for w, x in zip(v, a, strict=True)))
    moved = _moved(f, shift, p).detach()
    forwards, backwards = (slope * moved).sum(), (pull * p).sum()
    if (forwards - backwards).abs() > NEAR[f.dtype] * (slope.norm() * moved.norm() + pull.norm() * p.norm()):
        raise RuntimeError("derivatives forwards and backwards disagree")
    out = _grad(f, shift, (hessian @ moved[:, :, None])[:, :, 0])
    if bent:
        out = out + _grad(pull, shift, p)
    later = range(1, len(a))  # whose activities answer to the layers before
    for m in later:
        out = out + _grad(activities[m], shift, torch.einsum("ngto,goi->ngti", delta[m], v[m]))
    products = [_product(q, x) for q, x in zip(few.by_place(out), a, strict=True)]
    for m in later:
        products[m] = products[m] + _product(delta[m], _moved(activities[m], shift, p))
    return {"gradient": [_product(d, x) for x, d in zip(a, delta, strict=True)], "Hessian": products}


def _product(z: Float[Tensor, "n g t o"], a: Float[Tensor, "n g t i"]) -> Float[Tensor, "go i"]:
    """Σ_pt z_pt ⊗ a_pt."""
    return torch.einsum("ngto,ngti->goi", z, a).flatten(0, 1)


def _in_weights(value: Tensor, parameters: Sequence[tuple[Tensor, ...]]) -> list[Float[Tensor, "d_out d_in"]]:
    """The derivative of a number in the weights of each layer, with the bias as last column where it is included."""
    return [torch.cat([_grad(value, w).reshape(len(w), -1) for w in own], dim=1) for own in parameters]


def _grad(y: Tensor, x: Tensor, weight: Tensor | None = None) -> Tensor:
    """Σ weight · ∂y/∂x, differentiable, for a weight that does not depend on x; zero where y does not."""
    if not y.requires_grad:
        return torch.zeros_like(x)
    # A sum, not grad_outputs, at whose sight torch imports sympy.
    total = y.sum() if weight is None else (y * weight).sum()
    (slope,) = torch.autograd.grad(total, x, create_graph=True, allow_unused=True)
    return torch.zeros_like(x) if slope is None else slope


def _moved(y: Tensor, x: Tensor, change: Tensor) -> Tensor:
    """What y moves by, to first order, with a change of x."""
    weight = torch.zeros_like(y).requires_grad_()
    return _grad(_grad(y, x, weight), weight, change)
