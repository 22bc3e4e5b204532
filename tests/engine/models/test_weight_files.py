"""Files of weights: every nesting, prefix and type is read, nothing in them is executed, damage is a sentence."""

import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.models import weight_files
from engine.models.weight_files import digest, read

STATE = {"fc1.weight": torch.arange(12.0).reshape(4, 3), "fc1.bias": torch.ones(4), "fc2.weight": torch.ones(2, 4)}


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
    for name in ("a.pt", "b.pt"):
        with pytest.raises(ValueError, match=rf"{name}: it .*model\.state_dict\(\)"):
            read(tmp_path / name)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Malicious(trace)))
    assert trace.exists(), "the trap itself works"


def test_a_whole_module_is_told_to_save_its_state_dict(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt", nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(ValueError, match=r"pickled Python objects.*Sequential.*torch\.save\(model\.state_dict\(\)"):
        read(path)


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
    monkeypatch.setattr(weight_files, "LARGEST_BYTES", 10**6)
    assert packed.stat().st_size < 10**5
    with pytest.raises(ValueError, match="can be read"):
        read(packed)
    with pytest.raises(ValueError, match="can be read"):
        read(saved(tmp_path / "large.pt", {"a": torch.zeros(10**6)}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(2)], "not a list: save model.state_dict"),
        ({"fc.weight": torch.ones(2, 2), "epoch": 4}, "tensors only, but epoch is none"),
        ({}, "holds no weights"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "sparse, complex or quantised"),
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
