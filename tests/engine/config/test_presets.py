"""engine.config.presets: the paper's table, and errors that name what is wrong."""

import pytest

from engine.config.presets import preset, presets, read
from engine.config.requests import RunRequest

# The paper's settings: data, kind, loss, samples per class, B, epochs, 𝒩 for 3, 6, 10 classes.
TABLE = {
    "MNIST MLP, CE": ("mnist", "mlp", "ce", 2000, 50, 100, (300, 1000, 1000)),
    "MNIST MLP, MSE": ("mnist", "mlp", "mse", 2000, 50, 100, (300, 1000, 1000)),
    "MNIST CNN, CE": ("mnist", "cnn", "ce", 2000, 50, 100, (200, 500, 1000)),
    "MNIST CNN, MSE": ("mnist", "cnn", "mse", 5000, 128, 100, (200, 300, 800)),
    "CIFAR-10 MLP, CE": ("cifar10", "mlp", "ce", 2000, 100, 150, (800, 1500, 1500)),
    "CIFAR-10 MLP, MSE": ("cifar10", "mlp", "mse", 5000, 100, 100, (500, 1000, 1000)),
    "CIFAR-10 CNN, CE": ("cifar10", "cnn", "ce", 2000, 128, 100, (500, 1000, 1500)),
    "CIFAR-10 CNN, MSE": ("cifar10", "cnn", "mse", 5000, 128, 500, (500, 500, 1000)),
}
WIDTHS = {
    ("mnist", "mlp"): (784, 50, 50),
    ("cifar10", "mlp"): (3072, 1000, 50, 50),
    ("mnist", "cnn"): (1,),
    ("cifar10", "cnn"): (3,),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("classes", [3, 6, 10])
def test_every_row_of_the_papers_table(name: str, classes: int) -> None:
    data, kind, loss, per_class, batch, epochs, windows = TABLE[name]
    one = preset(name)
    run = one.run(classes)
    assert (run.data.name, run.model.kind, run.loss) == (data, kind, loss)
    assert run.data.per_class == (5000 if name == "CIFAR-10 CNN, CE" and classes == 3 else per_class)
    assert run.data.classes == (None if classes == 10 else tuple(range(classes)))
    assert run.model.widths == (*WIDTHS[data, kind], classes)
    assert (run.training.batch_size, run.training.epochs) == (batch, epochs)
    assert one.window[classes] == windows[(3, 6, 10).index(classes)]
    usual = RunRequest().training
    for setting in ("learning_rate", "cosine_epochs", "final_rate_ratio", "clip_norm", "momentum", "weight_decay"):
        assert getattr(run.training, setting) == getattr(usual, setting)


def test_the_prominent_ones_come_first_and_the_tiny_one_needs_no_download() -> None:
    names = [p.name for p in presets() if p.prominent]
    assert names == ["MNIST MLP, CE", "MNIST MLP, MSE", "CIFAR-10 MLP, CE", "CIFAR-10 CNN, CE", "tiny, 5 seconds"]
    assert [p.name for p in presets()][:5] == names
    assert preset("tiny, 5 seconds").request.data.name == "mnist5k"
    assert len({p.name for p in presets()}) == len(presets())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[preset]]\nname = 'a'\nspeed = 3", "Preset 'a' has no setting speed; it has analyze, data"),
        ("[[preset]]\nname = 'a'\ndata = {colour = 1}", "Preset 'a': DataRequest has no setting colour"),
        ("[[preset]]\nname = 'a'\ntraining = {rate = 1}", "Preset 'a': TrainingRequest has no setting rate"),
        ("[[preset]]\nloss = 'ce'", "A preset needs a name."),
        ("[preset", "no valid TOML"),
        ("[other]\na = 1", "there is no other"),
    ],
)
def test_what_is_wrong_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(text)


def test_what_there_is_not_is_told_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no preset 'Fig. 9'; there are MNIST MLP, CE;"):
        preset("Fig. 9")
    with pytest.raises(ValueError, match="3, 6, 10 classes, not 4"):
        preset("CIFAR-10 CNN, CE").run(4)
