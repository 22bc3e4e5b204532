"""Files of weights: every nesting, prefix and type is read, nothing in them is executed, damage is a sentence."""

import argparse
import json
import pickle
import struct
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from engine.models import files, weight_files
from engine.models.state_dicts import SeveralError, unwrap
from engine.models.weight_files import digest, parse, series

STATE = {"fc1.weight": torch.arange(12.0).reshape(4, 3), "fc1.bias": torch.ones(4), "fc2.weight": torch.ones(2, 4)}


def read(path: Path, part: str | None = None) -> dict[str, torch.Tensor]:
    """As a process of its own reads it, in this one."""
    return parse(path, part).tensors


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def assert_read(path: Path, expected: dict[str, torch.Tensor] = STATE) -> None:
    weights = read(path)
    assert list(weights) == list(expected)
    for name, tensor in expected.items():
        assert weights[name].dtype == torch.float32
        assert weights[name].is_contiguous()
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin", ".PT"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_s_files_are_read(tmp_path: Path, suffix: str, zipped: bool) -> None:
    path = tmp_path / f"net{suffix}"
    torch.save(OrderedDict(STATE), path, _use_new_zipfile_serialization=zipped)
    assert_read(path)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "net.safetensors")
    weights = read(tmp_path / "net.safetensors")
    assert weights.keys() == STATE.keys()
    for name in STATE:
        assert torch.equal(weights[name], STATE[name])


@pytest.mark.parametrize(
    "wrapped",
    [
        {"state_dict": STATE, "epoch": 3, "optimizer": {"lr": 0.1}},
        {"model_state_dict": STATE, "loss": 0.5},
        {"model": STATE},
        {"model": {"state_dict": STATE}},
        {"module": STATE},
        {f"module.{k}": v for k, v in STATE.items()},
        {f"_orig_mod.{k}": v for k, v in STATE.items()},
        {f"module._orig_mod.model.net.{k}": v for k, v in STATE.items()},
        {"state_dict": {f"model.{k}": v for k, v in STATE.items()}, "hyper_parameters": {"width": 3}},
        STATE | {f"momentum/{k}": v for k, v in STATE.items()},
        {k: nn.Parameter(v) for k, v in STATE.items()},
    ],
)
def test_every_nesting_and_prefix_is_understood(tmp_path: Path, wrapped: object) -> None:
    assert_read(saved(tmp_path / "net.pt", wrapped))


def test_a_prefix_that_not_all_share_is_part_of_the_name(tmp_path: Path) -> None:
    state = {"model.fc.weight": torch.ones(2, 3), "head.weight": torch.ones(2, 2)}
    assert_read(saved(tmp_path / "net.pt", state), state)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path: Path, kind: torch.dtype) -> None:
    lower = {name: t.to(kind) for name, t in STATE.items()}
    assert_read(saved(tmp_path / "net.pt", lower))
    save_file(lower, tmp_path / "net.safetensors")
    assert {t.dtype for t in read(tmp_path / "net.safetensors").values()} == {torch.float32}


def test_whole_numbers_stay_what_they_are(tmp_path: Path) -> None:
    state = STATE | {"bn.num_batches_tracked": torch.tensor(7)}
    assert read(saved(tmp_path / "net.pt", state))["bn.num_batches_tracked"].dtype == torch.int64


# -- what is refused ------------------------------------------------------------------------------------


class Malicious:
    """Would leave a file behind if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_refused_and_not_executed(tmp_path: Path, zipped: bool) -> None:
    trace = tmp_path / "executed"
    torch.save(
        {"state_dict": STATE, "extra": Malicious(trace)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped
    )
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Malicious(trace)))
    torch.save(Malicious(trace), tmp_path / "c.pt", _use_new_zipfile_serialization=zipped)
    for name, words in (
        ("a.pt", r"holds code.*\(getattr\)"),
        ("b.pt", "damaged"),
        ("c.pt", r"holds code.*\(getattr\)"),
    ):
        with pytest.raises(ValueError, match=rf"{name}: it .*{words}"):
            read(tmp_path / name)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Malicious(trace)))
    assert trace.exists(), "the trap itself works"


@pytest.mark.parametrize("name", ["posix.system", "os.system", "sys.exit"])
def test_a_call_of_the_system_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / "net.pt", {"state_dict": STATE, "extra": None})
    module, _, function = name.partition(".")
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            call = f"c{module}\n{function}\n".encode() + b"X\x04\x00\x00\x00trueq\xff\x85R"
            archive.writestr(part, content.replace(b"N", call, 1) if part.endswith("data.pkl") else content)
    with pytest.raises(ValueError, match=rf"holds code that no file of weights holds \({module}\.{function}\)"):
        read(path)


def test_a_whole_module_is_told_how_to_bring_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt", nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(
        ValueError, match=r"pickled Python object \(torch.nn.*Sequential\).*weights_only=False\)\.state"
    ):
        read(path)
    with pytest.raises(ValueError, match=r"pickled Python object"):
        read(saved(tmp_path / "yolo.pt", {"epoch": 3, "model": nn.Linear(3, 2)}))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_a_sentence(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"net{suffix}"
    torch.save(STATE, path) if suffix == ".pt" else save_file(STATE, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"it is damaged, incomplete or no"):
        read(path)


def test_a_header_that_claims_more_than_there_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(ValueError, match="it is damaged, incomplete or no safetensors"):
        read(path)
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4 * 10**18]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ValueError, match="it is damaged, incomplete or no safetensors"):
        read(path)


def test_what_unfolds_beyond_the_limit_is_refused_before_it_does(tmp_path: Path, monkeypatch) -> None:
    # One number, seen as a matrix of 10¹² numbers.
    view = saved(tmp_path / "view.pt", {"a": torch.zeros(1).expand(10**6, 10**6)})
    with pytest.raises(ValueError, match=r"takes 3725\.3 GB; at most 2 GB"):
        read(view)
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**7))
    monkeypatch.setattr(files, "LARGEST_BYTES", 10**6)
    assert packed.stat().st_size < 10**5
    with pytest.raises(ValueError, match="can be read"):
        read(packed)
    with pytest.raises(ValueError, match="can be read"):
        read(saved(tmp_path / "large.pt", {"a": torch.zeros(10**6)}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(2)], "It holds a list, no state dict"),
        ({"epoch": 4}, "holds no weights; found: epoch"),
        ({"a": torch.ones(2, 2, dtype=torch.complex64)}, "sparse, complex or quantised"),
        ({"a": torch.eye(3).to_sparse()}, "sparse, complex or quantised"),
    ],
)
def test_what_is_no_state_dict_is_told(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(saved(tmp_path / "net.pt", content))


def test_a_wrong_suffix_or_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"")
    with pytest.raises(ValueError, match=r"net\.h5 is no file of weights: they end in \.safetensors, \.pt"):
        read(tmp_path / "net.h5")
    with pytest.raises(ValueError, match="There is no file"):
        read(tmp_path / "none.pt")


# -- files as they occur --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model_best.pth.tar", "UPPER.PT", "Net.Ckpt", "last.Safetensors"])
def test_any_suffix_in_any_letter_case(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_file(STATE, path) if "afe" in name else torch.save({"epoch": 7, "arch": "mlp", "state_dict": STATE}, path)
    assert parse(path).tensors.keys() == STATE.keys()


@pytest.mark.parametrize(
    "under",
    ["state_dict", "model", "net", "network", "weights", "params", "params_ema", "ema", "model_state", "generator",
     "state_dict_ema", "anything"],
)  # fmt: skip
def test_one_mapping_of_tensors_under_any_name(tmp_path: Path, under: str) -> None:
    optimizer = {"state": {0: {"momentum_buffer": torch.ones(4, 3)}}, "param_groups": []}
    best = {"ModelCheckpoint": {"best_model_score": torch.tensor(0.9)}}
    content = {"epoch": 1, "best_acc1": torch.tensor(0.9), under: STATE, "optimizer": optimizer, "callbacks": best}
    contents = parse(saved(tmp_path / "net.pt", content))
    assert (list(contents.tensors), contents.aside, contents.under) == (list(STATE), (), under)


def test_several_sets_of_weights_are_asked_about(tmp_path: Path) -> None:
    average = {name: t + 1 for name, t in STATE.items()}
    path = saved(tmp_path / "net.pt", {"model": STATE, "ema": {"module": average, "updates": 3}})
    with pytest.raises(SeveralError, match=r"several sets of weights: model, ema\.module.*--weights model") as raised:
        read(path)
    assert raised.value.parts == ("model", "ema.module")
    assert torch.equal(read(path, "ema.module")["fc1.bias"], average["fc1.bias"])
    with pytest.raises(ValueError, match=r"no weights under 'emma'; there are model, ema\.module"):
        read(path, "emma")


def test_a_running_average_s_counter_is_dropped(tmp_path: Path) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(nn.Linear(3, 2))
    assert list(read(saved(tmp_path / "net.pt", averaged.state_dict()))) == ["weight", "bias"]


def test_numbers_and_settings_beside_the_weights_are_named(tmp_path: Path) -> None:
    beside = {"best": np.float64(0.93), "args": argparse.Namespace(lr=1), "plain": types.SimpleNamespace(a=2)}
    for zipped in (True, False):
        torch.save({"model": STATE, **beside}, tmp_path / "net.pt", _use_new_zipfile_serialization=zipped)
        contents = parse(tmp_path / "net.pt")
        assert (list(contents.tensors), contents.aside) == (list(STATE), ("best", "args", "plain"))


def test_a_criterion_s_weight_is_set_aside_and_named(tmp_path: Path) -> None:
    state = {f"model.{name}": t for name, t in STATE.items()}
    state |= {"criterion.weight": torch.ones(2), "train_acc.tp": torch.zeros(2, dtype=torch.long)}
    state |= {"val_metrics.f1.total": torch.zeros(())}
    contents = parse(saved(tmp_path / "net.ckpt", {"state_dict": state, "loops": {}}))
    assert list(contents.tensors) == list(STATE)
    assert contents.aside == ("criterion.weight", "train_acc.tp", "val_metrics.f1.total")
    assert parse(saved(tmp_path / "odd.pt", STATE | {"epoch": 4})).aside == ("epoch",)


def test_weights_that_are_normalised_or_pruned_are_made_one(tmp_path: Path) -> None:
    x = torch.randn(5, 3)
    for make in (nn.utils.parametrizations.weight_norm, nn.utils.weight_norm):
        layer = make(nn.Linear(3, 4))
        merged = read(saved(tmp_path / "net.pt", {f"fc.{name}": t for name, t in layer.state_dict().items()}))
        assert set(merged) == {"fc.weight", "fc.bias"}
        torch.testing.assert_close(x @ merged["fc.weight"].T + merged["fc.bias"], layer(x))
        apart = parse(tmp_path / "net.pt", merged=False).tensors
        assert apart.keys() == {f"fc.{name}" for name in layer.state_dict()}, "as the network's own class has them"
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3))
    merged = read(saved(tmp_path / "net.pt", {f"c.{name}": t for name, t in conv.state_dict().items()}))
    torch.testing.assert_close(merged["c.weight"], conv.weight)
    pruned = prune.l1_unstructured(nn.Linear(3, 4), "weight", amount=5)
    merged = read(saved(tmp_path / "net.pt", {f"fc.{name}": t for name, t in pruned.state_dict().items()}))
    assert int((merged["fc.weight"] == 0).sum()) == 5
    torch.testing.assert_close(merged["fc.weight"], pruned.weight)
    odd = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)).state_dict()
    with pytest.raises(ValueError, match="remove_parametrizations"):
        read(saved(tmp_path / "net.pt", {f"fc.{name}": t for name, t in odd.items()}))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"fc.weight": torch.ones(2, 3, device="meta")}, "fc.weight was never filled in: .*meta device"),
        ({"fc.weight": torch.ones(2, 3, dtype=torch.int8), "fc.SCB": torch.ones(2)}, "fc.weight is quantised"),
        ({"a.lora_A.weight": torch.ones(2, 3), "a.lora_B.weight": torch.ones(3, 2)}, "low-rank difference.*merge_and"),
    ],
)
def test_what_cannot_be_weights_is_refused_for_what_it_is(tmp_path: Path, state: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(saved(tmp_path / "net.pt", state))


def test_numbers_of_places_are_no_quantised_weights(tmp_path: Path) -> None:
    state = {"fc.weight": torch.ones(2, 3), "fc.position_ids": torch.arange(6).view(1, 6)}
    assert read(saved(tmp_path / "net.pt", state))["fc.position_ids"].tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_model_is_refused_for_what_it_is(tmp_path: Path) -> None:
    net = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)), dtype=torch.qint8)
    with pytest.raises(ValueError, match="is quantised: whole numbers stand for its weights"):
        read(saved(tmp_path / "net.pt", net.state_dict()))


@pytest.mark.filterwarnings("ignore")
def test_programs_are_named_with_the_way_to_bring_them(tmp_path: Path) -> None:
    torch.jit.script(nn.Sequential(nn.Linear(3, 2))).save(tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"net\.pt is TorchScript.*torch\.jit\.load\(file\)\.state_dict\(\)"):
        read(tmp_path / "net.pt")
    torch.export.save(torch.export.export(nn.Linear(3, 2), (torch.ones(1, 3),)), tmp_path / "net.pt2")
    with pytest.raises(ValueError, match=r"net\.pt2 is a program of torch\.export.*torch\.export\.load"):
        read(tmp_path / "net.pt2")
    (tmp_path / "net.onnx").write_bytes(b"onnx")
    with pytest.raises(ValueError, match=r"net\.onnx is ONNX.*onnx\.load\(file\)"):
        read(tmp_path / "net.onnx")


def test_shards_are_put_together(tmp_path: Path) -> None:
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    first = {name: t for name, t in STATE.items() if name.startswith("fc1")}
    save_file(first, tmp_path / names[0])
    with pytest.raises(ValueError, match=r"is one of 2 shards, and model-00002-of-00002\.safetensors is not beside it"):
        read(tmp_path / names[0])
    save_file({"fc2.weight": STATE["fc2.weight"]}, tmp_path / names[1])
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: names["fc2" in name] for name in STATE}}))
    for path in (tmp_path / names[0], tmp_path / names[1], index):
        assert read(path).keys() == STATE.keys()
    assert files.in_series(tmp_path.iterdir()) == [tmp_path / names[0]]
    index.write_text(json.dumps({"weight_map": {"fc1.weight": "../secret.safetensors"}}))
    with pytest.raises(ValueError, match="do not lie beside it"):
        read(index)


def test_files_are_read_by_one_process_of_their_own(tmp_path: Path) -> None:
    good = [saved(tmp_path / f"net_{i}.pt", {name: t + i for name, t in STATE.items()}) for i in range(2)]
    several = saved(tmp_path / "two.pt", {"model": STATE, "ema": STATE})
    read = series([*good, several])
    for i in range(2):
        contents = next(read)
        assert list(contents.tensors) == list(STATE)
        assert torch.equal(contents.tensors["fc1.bias"], STATE["fc1.bias"] + i)
        assert contents.tensors["fc1.bias"].dtype == torch.float32
    with pytest.raises(SeveralError, match=r"two\.pt: It holds several") as raised:
        next(read)
    assert raised.value.parts == ("model", "ema")


def test_a_file_that_takes_too_long_or_kills_its_reader_is_a_sentence(tmp_path: Path, monkeypatch) -> None:
    path = saved(tmp_path / "net.pt", STATE)
    monkeypatch.setattr(weight_files, "SECONDS", 0)
    with pytest.raises(ValueError, match=r"net\.pt: reading it took more than 0 s or 1 GB of memory, and was ended"):
        weight_files.read(path)


# -- digests --------------------------------------------------------------------------------------------


def test_the_digest_is_of_the_tensors_not_of_the_file(tmp_path: Path) -> None:
    plain = read(saved(tmp_path / "a.pt", STATE))
    other = read(saved(tmp_path / "b.pth", {"state_dict": {f"module.{k}": v for k, v in STATE.items()}, "epoch": 2}))
    assert digest(plain) == digest(other) == digest({k: v.clone() for k, v in STATE.items()})


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s | {"fc1.bias": s["fc1.bias"] + 1e-6},
        lambda s: s | {"fc1.weight": s["fc1.weight"].reshape(3, 4)},
        lambda s: {("b" if k == "fc1.bias" else k): v for k, v in s.items()},
        lambda s: dict(reversed(s.items())),
        lambda s: s | {"more": torch.zeros(0)},
        lambda s: s | {"fc1.bias": s["fc1.bias"].to(torch.int32)},
    ],
)
def test_any_change_changes_the_digest(change) -> None:
    assert digest(change(dict(STATE))) != digest(STATE)


def test_a_layer_called_as_a_metric_is_a_layer():
    layers = {
        f"f{i}.{kind}": torch.zeros(shape) for i in (1, 2) for kind, shape in (("weight", (4, 4)), ("bias", (4,)))
    }
    contents = unwrap(layers | {"criterion.weight": torch.ones(4), "acc.correct": torch.zeros(())})
    assert set(contents.tensors) == set(layers)
    assert set(contents.aside) == {"criterion.weight", "acc.correct"}
