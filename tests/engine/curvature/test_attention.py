"""The projections inside nn.MultiheadAttention, against torch's own module."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine import analyze
from engine.curvature.attention import opened, projections
from engine.curvature.verify import verify
from tests.reference import losses, twins

B, E = 3, 4


class Reader(nn.Module):
    """An attention between two linear layers, read out from all its tokens; every other axis may hold the samples."""

    def __init__(self, cross=False, mask=False, smooth=False, **settings):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Linear(2, E)
        self.attn = nn.MultiheadAttention(E, 2, **settings)
        self.read = nn.Linear(3 * E, 3)
        self.cross, self.mask, self.smooth = cross, mask, smooth

    def forward(self, x):
        h = torch.relu(self.embed(x))
        other = h[:, :, : self.attn.kdim] * 0.7 + 0.1 if self.cross else h
        own = h
        if not self.attn.batch_first:
            h, other = h.transpose(0, 1), other.transpose(0, 1)
            own = h
        mask = torch.tensor([[0.0, -torch.inf, 0.0]] * 3, dtype=x.dtype) if self.mask else None
        key = other if self.cross else own
        z = self.attn(own, key, key, attn_mask=mask, need_weights=self.mask)[0]
        z = z if self.attn.batch_first else z.transpose(0, 1)
        return self.read((torch.tanh if self.smooth else torch.relu)(z).flatten(1))


MODELS = {
    "batch first": lambda: Reader(batch_first=True),
    "second": lambda: Reader(),
    "no bias, masked": lambda: Reader(bias=False, mask=True, batch_first=True),
    "cross": lambda: Reader(cross=True, batch_first=True),
    "of other widths": lambda: Reader(cross=True, kdim=3, vdim=3, batch_first=True),
    "extra keys": lambda: Reader(add_bias_kv=True, add_zero_attn=True),
}


def data():
    torch.manual_seed(1)
    return torch.randn(8, 3, 2, dtype=torch.float64), torch.arange(8) % 3


def model_of(name):
    return MODELS[name]().double().eval()


def parameters_of(attn, projection, w):
    """The attention's own parameters with a projection's weight being w (D)."""
    if projection == "out_proj":
        return {"attn.out_proj.weight": w.view(E, E)}
    if not attn._qkv_same_embed_dim:
        name = f"{projection}_weight"
        return {f"attn.{name}": w.view(getattr(attn, name).shape)}
    if projection == "in_proj":
        return {"attn.in_proj_weight": w.view(3 * E, E)}
    place = ("q_proj", "k_proj", "v_proj").index(projection)
    parts = list(attn.in_proj_weight.detach().chunk(3))
    parts[place] = w.view(E, E)
    return {"attn.in_proj_weight": torch.cat(parts)}


def weight_of(attn, projection):
    if projection == "out_proj":
        return attn.out_proj.weight.detach()
    if not attn._qkv_same_embed_dim:
        return getattr(attn, f"{projection}_weight").detach()
    if projection == "in_proj":
        return attn.in_proj_weight.detach()
    return attn.in_proj_weight.detach().chunk(3)[("q_proj", "k_proj", "v_proj").index(projection)]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("together", [True, False])
def test_an_opened_attention_gives_what_the_closed_one_gives(name, together):
    closed, (x, _) = model_of(name), data()
    if together and (closed.cross or not closed.attn._qkv_same_embed_dim):
        pytest.skip("in_proj is one layer of self-attention")
    layer = "attn.in_proj" if together else "attn.v_proj"
    twins.compare(opened(model_of(name), (layer,))(x), closed(x), 1e-12, "outputs")


@pytest.mark.parametrize("projection", ["in_proj", "q_proj", "k_proj", "v_proj", "out_proj"])
@pytest.mark.parametrize("name", MODELS)
def test_every_projection_has_the_matrices_of_its_twin(name, projection):
    model, (x, y) = model_of(name), data()
    if projection not in (*projections(model.attn), "out_proj") or (projection == "in_proj" and model.cross):
        with pytest.raises(ValueError, match="in_proj"):
            analyze(model, x, y, f"attn.{projection}", device="cpu")
        return

    def value(w, sample, label):
        parameters = parameters_of(model.attn, projection, w)
        with sdpa_kernel(SDPBackend.MATH):
            return losses.sample_loss(functional_call(model, parameters, (sample[None],))[0], label, "ce")

    w = weight_of(model.attn, projection).flatten()
    g = torch.stack([grad(value)(w, a, b) for a, b in zip(x, y, strict=True)]).detach()
    h = torch.stack([losses.hessian(value)(w, a, b) for a, b in zip(x, y, strict=True)]).detach()
    expected = twins.hessian_and_noise(g, h, B)
    result = analyze(
        model, x, y, f"attn.{projection}", device="cpu", dtype="float64", batch_size=B, anchors_per_class=None
    )
    v = result.basis
    twins.compare(v @ (result.eigenvalues[:, None] * v.T), expected["H"], 1e-9, "H")
    for matrix in ("C", "E_h2"):
        twins.compare(result.projected(matrix, result.k), v.T @ expected[matrix].numpy() @ v, 1e-9, matrix)
    assert result.provenance.curvature == ("full" if projection in ("in_proj", "q_proj", "k_proj") else "gauss-newton")
    for check in verify(model, x, y, result.kept(("C",))):
        assert check.error < 1e-6 or len(check.directions) == 2, check


def test_a_layer_of_an_encoder_is_studied_where_torchs_fused_path_would_be_taken():
    torch.manual_seed(0)
    encoder = nn.TransformerEncoderLayer(E, 2, 5, batch_first=True, dropout=0.0)
    model = nn.Sequential(nn.Linear(2, E), encoder, nn.Flatten(), nn.Linear(3 * E, 3)).double().eval()
    x, y = data()
    for layer in ("0", "1.self_attn.in_proj", "1.self_attn.out_proj", "1.linear1"):
        result = analyze(model, x, y, layer, device="cpu", dtype="float64", anchors_per_class=None)
        checks = verify(model, x, y, result.kept(("C",)))
        assert max(c.error for c in checks if len(c.directions) == 1) < 1e-6, layer
    assert torch.backends.mha.get_fastpath_enabled()
