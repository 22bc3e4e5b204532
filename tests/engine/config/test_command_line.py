"""The command line: words and requests are the same thing, and every end has its exit code."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.__main__ import main
from engine.config.command_line import line, parse, words
from engine.config.commands import (
    AnalyzeCommand,
    CalibrateCommand,
    CheckCommand,
    Command,
    FilmCommand,
    InspectCommand,
    LoadCommand,
    NoiseCommand,
    PlaneCommand,
    PreviewCommand,
    SamplesCommand,
    SweepCommand,
    TrainCommand,
    from_json,
    to_json,
)
from engine.config.kinds import KINDS
from engine.config.requests import (
    ACTIVATIONS,
    DATASETS,
    AnalysisRequest,
    DataRequest,
    ModelRequest,
    RunRequest,
    TrainingRequest,
    default_model,
)
from engine.losses import LOSSES

# Shape checking draws samples of long tuples, which hypothesis takes for a strategy's own dice.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")

# -- words and requests ---------------------------------------------------------------------------------

whole = st.integers(0, 10**6)
counts = st.integers(1, 10**6)
positive = st.floats(0, 1e9, exclude_min=True)
share = st.floats(0, 1)
names = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1)
data = st.builds(
    DataRequest,
    name=st.sampled_from(DATASETS) | names.map(lambda name: name + ".npz"),
    classes=st.none() | st.lists(st.integers(0, 99), unique=True).map(tuple),
    per_class=st.none() | st.integers(1, 10**6),
    label_noise=share,
    scaling=st.sampled_from(["paper", "unit", "none"]),
    seed=st.integers(0, 10**9),
)
widths = st.lists(st.integers(1, 5000), min_size=2, max_size=6).map(tuple)
model = st.builds(
    ModelRequest,
    kind=st.sampled_from(sorted(KINDS)),
    widths=widths,
    activation=st.sampled_from(ACTIVATIONS),
    bias=st.booleans(),
)
training = st.builds(
    TrainingRequest,
    epochs=whole,
    batch_size=counts,
    learning_rate=positive,
    cosine_epochs=counts,
    final_rate_ratio=share,
    clip_norm=st.none() | positive,
    momentum=st.floats(0, 1, exclude_max=True),
    weight_decay=st.floats(0, 1e-4),
    stop_loss=st.none() | positive,
    checkpoints=st.lists(whole).map(tuple),
)
runs = st.builds(
    RunRequest, data=data, model=model, loss=st.sampled_from(tuple(LOSSES)), training=training, seed=st.integers(0, 9)
)
analyses = st.builds(
    AnalysisRequest,
    run=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    epoch=whole,
    layer=names,
    batch_size=counts,
    anchors_per_class=st.none() | st.integers(1, 999),
    top_k=st.none() | st.integers(1, 999),
    dtype=st.sampled_from(["float32", "float64"]),
    bias=st.booleans(),
    curvature=st.sampled_from(["auto", "gauss-newton", "full"]),
    spectra=whole,
    bootstrap=whole,
    samples=st.none() | st.integers(1, 999),
    seed=st.integers(0, 9),
)


@settings(max_examples=60, deadline=None)
@example(request=RunRequest(DataRequest("-odd.npz")), analyze=())
@given(request=runs, analyze=st.sampled_from([(), ("last",), ("last", "all"), ("0", "10")]))
def test_a_run_request_survives_the_way_through_words(request: RunRequest, analyze: tuple[str, ...]) -> None:
    command = TrainCommand(request, analyze, analyze[:1], device="cpu")
    assert parse(words(command)) == from_json(to_json(command)) == command
    film = FilmCommand(request, device="cpu")
    assert parse(words(film)) == from_json(to_json(film)) == film


@settings(max_examples=60, deadline=None)
@given(request=analyses)
def test_an_analysis_request_survives_the_way_through_words(request: AnalysisRequest) -> None:
    command = parse(words(AnalyzeCommand.of(request)))
    assert isinstance(command, AnalyzeCommand)
    assert from_json(to_json(command)) == command
    assert command.epochs == (str(request.epoch),)
    assert command.run == request.run
    assert command.layer == request.layer
    assert command.request(AnalysisRequest(request.run, request.epoch, request.layer, batch_size=-1)) == request


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (AnalyzeCommand(), "analyze"),
        (AnalyzeCommand(cross_fit=True, splits=5), "analyze --cross-fit --splits 5"),
        (CalibrateCommand(), "calibrate"),
        (CheckCommand("0f", ("3",), "fc2"), "check --run 0f --epoch 3 --layer fc2"),
        (InspectCommand(files=("a b.pt",)), "inspect 'a b.pt'"),
        (PreviewCommand("mnist", download=True), "preview --data mnist --download"),
        (SamplesCommand(epochs=("last", "0")), "samples --epoch last,0"),
        (SamplesCommand(layer="conv", pairs=("17", "3:40")), "samples --layer conv --pairs 17,3:40"),
        (NoiseCommand("3f2a", ("10",), steps=1000), "noise --run 3f2a --epoch 10 --steps 1000"),
        (NoiseCommand(seeds=3, learning_rate=0.05), "noise --seeds 3 --learning-rate 0.05"),
        (PlaneCommand("3f2a", ("0", "10"), pairs=("1-2", "3-17")), "plane --run 3f2a --epoch 0,10 --pairs 1-2,3-17"),
        (SweepCommand("tiny"), "sweep tiny"),
        (
            SweepCommand("own.toml", 2, "tcp://h:1", False, "a.csv", "a.tex", device="cpu"),
            "sweep own.toml --workers 2 --scheduler tcp://h:1 --table --csv a.csv --latex a.tex --device cpu",
        ),
        (
            LoadCommand(
                ("a.pt", "b.pt"),
                DataRequest(seed=2),
                "gelu",
                "mse",
                (3, 1),
                7,
                ("last",),
                "fc1",
                AnalysisRequest("", 0, bias=True, seed=5),
            ),
            "load a.pt b.pt --data-seed 2 --activation gelu --loss mse --epochs 3,1 --batch-size 7 --analyze last "
            "--layer fc1 --bias --seed 5",
        ),
    ],
)
def test_every_command_survives_the_way_through_words_and_through_a_record(command: Command, typed: str) -> None:
    assert line(command) == f"python -m engine {typed}"
    assert parse(words(command)) == command
    assert from_json(json.loads(json.dumps(to_json(command)))) == command


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({}, "There is no command None."),
        ({"command": "dance"}, "There is no command dance."),
        ({"command": "load"}, "load lacks the setting files."),
        ({"command": "sweep", "sweep": "tiny", "speed": 3}, "sweep has no setting speed;"),
        ({"command": "sweep", "sweep": 3}, "sweep is a text, not 3."),
    ],
)
def test_a_record_of_another_version_is_no_command(record: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        from_json(record)


def test_defaults_need_no_words() -> None:
    assert words(TrainCommand(RunRequest())) == ["train"]
    assert parse(["train"]) == TrainCommand(RunRequest())
    assert words(TrainCommand(RunRequest(), ("last", "all"))) == ["train", "--analyze", "last,all"]
    assert parse(["train", "--analyze"]) == parse(["train", "--analyze", "last,all"])


def test_an_analysis_takes_what_is_not_given_from_its_run() -> None:
    command = parse(["analyze"])
    assert isinstance(command, AnalyzeCommand)
    usual = AnalysisRequest("r", 5, "fc3", 128, top_k=300)
    assert command.request(usual) == usual


@pytest.mark.parametrize(
    ("words", "model"),
    [
        ("", ModelRequest()),
        ("--classes 3,5,7", ModelRequest(widths=(784, 50, 50, 3))),
        ("--data cifar10", ModelRequest(widths=(3072, 1000, 50, 50, 10))),
        ("--model 6-5-3 --bias --activation tanh", ModelRequest("mlp", (6, 5, 3), "tanh", True)),
        ("--model cnn", ModelRequest("cnn", (1, 10))),
        ("--model cnn --data cifar10 --classes 0,1", ModelRequest("cnn", (3, 2))),
        ("--model cnn:3-4", ModelRequest("cnn", (3, 4))),
    ],
)
def test_the_model_follows_the_data_unless_given(words: str, model: ModelRequest) -> None:
    command = parse(["train", *words.split()])
    assert isinstance(command, TrainCommand)
    assert command.request.model == model


def test_words_that_switch_off() -> None:
    command = parse(["train", "--clip-norm", "0", "--stop-loss", "off", "--per-class", "all", "--classes", "all"])
    assert command == parse(["train", "--clip-norm", "off", "--stop-loss", "off"])
    assert isinstance(command, TrainCommand)
    assert command.request.training.clip_norm is None
    command = parse(["analyze", "--anchors", "0", "--top-k", "all", "--samples", "0"])
    assert isinstance(command, AnalyzeCommand)
    assert command.settings.anchors_per_class is None


@pytest.mark.parametrize(
    ("word", "kind", "widths"),
    [
        ("cnn", "cnn", (1, 10)),
        ("lenet5", "lenet5", (1, 10)),
        ("vit", "vit", (1, 64, 64, 10)),
        ("mlp-bn", "mlp-bn", (784, 50, 50, 10)),
        ("resmlp:784-8-8-10", "resmlp", (784, 8, 8, 10)),
        ("resnet:14", "resnet", (1, 16, 16, 32, 32, 64, 64, 10)),
    ],
)
def test_a_network_is_typed_by_its_kind(word, kind, widths):
    assert parse(["train", "--model", word]).request.model == ModelRequest(kind, widths)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "",
            "train | layers | analyze | sweep | load | inspect | check | selftest | samples | noise | plane | film | "
            "calibrate | preview",
        ),
        ("paint", "invalid choice: 'paint'"),
        ("train --loss hinge", "invalid choice: 'hinge'"),
        ("train --model 784", "give widths from input to classes such as 784-50-50-10"),
        ("train --model rnn:3-4", "'rnn' is no kind of model; there are mlp, cnn, mlp-bn, resmlp, lenet5, resnet, vit"),
        ("train --model resnet:9", "its depth is 8, 14, 20, …, two more than a multiple of 6"),
        ("train --classes 1,x", "'1,x' is no list of whole numbers such as 0,1,2"),
        ("train --clip-norm much", "'much' is neither a number nor off"),
        ("train --analyze first", "'first' is no epoch: give last, all or numbers"),
        ("train --epoch 5", "unrecognized arguments: --epoch 5"),
        ("analyze --anchors many", "'many' is neither a whole number nor all"),
        ("train --epochs -3", "The epochs are a whole number from 0 on; -3 was given."),
        ("train --epochs 1.5", "'1.5' is no whole number"),
        ("train --learning-rate 0", "The learning rate is a number above 0; 0.0 was given."),
        ("train --learning-rate nan", "The learning rate is a number above 0; nan was given."),
        ("train --learning-rate inf", "The learning rate is a number above 0; inf was given."),
        ("train --clip-norm nan", "The gradient norm is clipped at a number above 0, or not at all (None); nan was"),
        ("train --momentum 1", "The momentum lies from 0 to below 1; 1.0 was given."),
        ("train --batch-size 0", "The batch size is a whole number from 1 on; 0 was given."),
        ("train --per-class -1", "The samples per class are a whole number from 1 on; -1 was given."),
        ("train --checkpoints 0,-1", "The checkpoints are epochs from 0 on; -1 was given."),
        ("train --classes=-1,0", "The classes are labels from 0 on; -1 was given."),
        ("train --seed -1", "The seed is a whole number from 0 on; -1 was given."),
        ("train --model 784-0-10", "'784-0-10' is no model: give widths from input to classes"),
        ("train --device gpu0", "'gpu0' is no device; use 'auto', 'cpu' or 'cuda'."),
        ("film --device mps", "'mps' is no device"),
        ("sweep tiny --device gpu0", "'gpu0' is no device"),
        ("sweep tiny --workers 0", "A sweep needs at least one worker, not 0."),
        ("analyze --batch-size 0", "The batch size is a whole number from 1 on; 0 was given."),
        ("analyze --top-k -5", "The leading directions are a whole number from 1 on; -5 was given."),
        ("analyze --bootstrap -1", "bootstrap is a number of resamples from 0, not -1."),
        ("load a.pt --epochs 0,-1", "Epochs are counted from 0; -1 was given."),
        ("load a.pt --loss hinge", "invalid choice: 'hinge'"),
        ("inspect a.pt --device cpu", "unrecognized arguments: --device cpu"),
        ("calibrate --download", "unrecognized arguments: --download"),
        ("sweep tiny --workers some", "A sweep needs at least one worker, not some."),
    ],
)
def test_wrong_usage_is_code_2_and_says_what_is_possible(words: str, sentence: str, capsys) -> None:
    with pytest.raises(SystemExit) as exit:
        main(words.split())
    assert exit.value.code == 2
    assert sentence in capsys.readouterr().err


def test_wrong_usage_is_told_before_torch_is_there() -> None:
    code = (
        "import sys; from engine.__main__ import main\n"
        "try: main(['train', '--epochs', '-3'])\n"
        "except SystemExit as end: sys.exit(end.code if 'torch' not in sys.modules else 'torch is loaded')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (
        2,
        "python -m engine train: error: argument --epochs: The epochs are a whole number from 0 on; -3 was given.",
    )


@pytest.mark.parametrize("words", ["-h", "train -h", "analyze -h", "calibrate -h", "preview -h"])
def test_help_teaches_with_commands_that_work(words: str, capsys) -> None:
    with pytest.raises(SystemExit) as exit:
        main(words.split())
    assert exit.value.code == 0
    text = capsys.readouterr().out
    assert "exit codes" in text
    assert "--job" not in text
    examples = re.findall(r"^  python -m engine (.*)$", text, re.MULTILINE)
    assert len(examples) >= 4
    for words_shown in examples:
        parse(shlex.split(words_shown))


def test_the_default_model_has_as_many_outputs_as_classes() -> None:
    request = dataclasses.replace(DataRequest(), classes=(1, 2))
    assert default_model(request).widths == (784, 50, 50, 2)
