"""Which files may be opened, and which epochs they are."""

import os
from pathlib import Path

import pytest

from engine.models import files


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two allowed folders beside one that is not."""
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GAMMASCOPE_ROOTS", f"{tmp_path / 'mine'}{os.pathsep}{tmp_path / 'more'}")
    for name in ("cache/checkpoints/run", "mine/deep", "secret"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "net.pt").touch()
    return tmp_path


def test_a_path_under_a_root_is_found(root: Path) -> None:
    assert files.located(str(root / "mine" / "deep")) == root / "mine" / "deep"
    assert files.located("deep") == root / "mine" / "deep"
    assert files.located(" run ") == root / "cache" / "checkpoints" / "run"
    assert files.located("deep/net.pt") == root / "mine" / "deep" / "net.pt"
    assert files.located("deep/../deep") == root / "mine" / "deep"


@pytest.mark.parametrize("typed", ["/etc", "../secret", "deep/../../secret", "/", "..", "~", "mine/../../secret"])
def test_a_path_out_of_the_roots_is_refused(root: Path, typed: str) -> None:
    with pytest.raises(ValueError, match=r"outside the folders that may be opened: .*GAMMASCOPE_ROOTS"):
        files.located(typed)


def test_a_link_out_of_the_roots_is_refused(root: Path) -> None:
    (root / "mine" / "door").symlink_to(root / "secret")
    (root / "mine" / "loop").symlink_to(root / "mine" / "loop")
    for typed in ("loop", "door", "door/net.pt", str(root / "mine" / "door")):
        with pytest.raises(ValueError, match="outside the folders"):
            files.located(typed)
    (root / "mine" / "deep" / "stolen.pt").symlink_to(root / "secret" / "net.pt")
    assert [f.name for f in files.weight_files(root / "mine" / "deep")] == ["net.pt"]


def test_a_root_that_is_itself_a_link_is_a_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "alias").symlink_to(root / "mine")
    monkeypatch.setenv("GAMMASCOPE_ROOTS", str(root / "alias"))
    assert files.located(str(root / "alias" / "deep")) == root / "mine" / "deep"


def test_what_is_not_there_is_told(root: Path) -> None:
    for typed in ("nothing", "x" * 5000):
        with pytest.raises(ValueError, match="is not there, or lies outside"):
            files.located(typed)
    with pytest.raises(ValueError, match="zero characters"):
        files.located("a\0b")


def test_a_folder_s_files_come_in_natural_order(root: Path) -> None:
    folder = root / "mine"
    for name in ("ep10.PT", "ep2.pth", "ep1.safetensors", "notes.txt"):
        (folder / name).touch()
    assert [f.name for f in files.weight_files(folder)] == ["ep1.safetensors", "ep2.pth", "ep10.PT"]
    (root / "more").mkdir()
    with pytest.raises(ValueError, match="holds no file of weights"):
        files.weight_files(root / "more")


@pytest.mark.parametrize(
    ("names", "epochs"),
    [
        (["epoch_10.pt", "epoch_0.pt", "epoch_100.pt"], (10, 0, 100)),
        (["ckpt-0005.safetensors", "ckpt-0010.safetensors"], (5, 10)),
        (["resnet18-epoch=3-loss=0.5.ckpt", "resnet18-epoch=7-loss=0.2.ckpt"], (3, 7)),
        (["resnet18_3.pt", "resnet18_12.pt"], (3, 12)),
        (["0.pt", "5.pt", "10.pt"], (0, 5, 10)),
        (["checkpoint3.pth"], (3,)),
        (["resnet18.pth"], (0,)),
        (["a.pt", "b.pt", "c.pt"], (0, 1, 2)),
        (["epoch_1.pt", "epoch_1.pth"], (0, 1)),
        (["first_1.pt", "second_2.pt"], (0, 1)),
        ([], ()),
        (["epoch=3-step=400.ckpt"], (3,)),
        (["epoch=0-step=79.ckpt", "epoch=1-step=158.ckpt"], (0, 1)),
        (["model_epoch_5_step_100.pt"], (5,)),
        (["step_100_epoch_5.pt", "step_200_epoch_10.pt"], (5, 10)),
        (["epoch=3-step=100.ckpt", "epoch=3-step=200.ckpt"], (100, 200)),
        (["checkpoint_3.pth.tar", "checkpoint_12.pth.tar"], (3, 12)),
        (["iter3.pt", "ITER40.PT"], (3, 40)),
    ],
)
def test_epochs_are_read_from_names(names: list[str], epochs: tuple[int, ...]) -> None:
    assert files.epochs(names) == epochs
