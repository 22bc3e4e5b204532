"""Keys name what a cache holds: they stay, or every kept number is lost."""

import pytest

from engine.config.presets import presets
from engine.config.requests import (
    AnalysisRequest,
    DataRequest,
    ModelRequest,
    RunRequest,
    SamplesRequest,
    TrainingRequest,
    key,
)
from engine.runs.recording import film_key
from engine.sweeps.grid import open_sweep

KEYS = (
    (RunRequest(), "", "ce701df11a832a21"),
    (RunRequest(), "some data", "83b300f3b791f26d"),
    (RunRequest(DataRequest("mnist", (0, 1, 2), 500, 0.1, "unit", 7)), "f", "4002b25da0579d53"),
    (RunRequest(DataRequest("own.npz", classes=(2, 0, 1))), "", "c63696b4aed89b21"),
    (RunRequest(DataRequest("cifar10"), ModelRequest("cnn", (3, 10)), "mse", seed=3), "", "4d10d3f8f1f38dbd"),
    (
        RunRequest(model=ModelRequest(widths=(784, 20, 10), activation="gelu", bias=True), loss="linear_mse"),
        "",
        "768649c255298c62",
    ),
    (RunRequest(training=TrainingRequest(3, 10, 0.5, 20, 1.0, None, 0.9, 1e-4, None, (0, 3))), "", "ce33cb2ece0e67fb"),
    (RunRequest(training=TrainingRequest(epochs=0, checkpoints=())), "", "564a159faea401ae"),
    (RunRequest(model=ModelRequest("resnet18", (3, 10)), weights=("ab" * 32, "cd" * 32)), "f", "e57cadc79e9282a3"),
    (DataRequest(), "", "fbe30cca319de045"),
    (DataRequest("fashion_mnist", per_class=100), "", "71e6e24975e46f99"),
    (AnalysisRequest("0123456789abcdef", 100), "f", "2a6c62faa2bc0b26"),
    (AnalysisRequest("0123456789abcdef", 0, "fc2+fc3"), "f", "ff67148a1d1f4eac"),
    (
        AnalysisRequest("0123456789abcdef", 5, "fc1", 10, None, 50, "float64", True, "full", 0, 7, 999, 3),
        "f",
        "780c58e428b8c4a0",
    ),
    (AnalysisRequest("0123456789abcdef", 5, curvature="gauss-newton", spectra=1), "f", "3c1360830a61e4f3"),
    (
        AnalysisRequest("0123456789abcdef", 5, anchors_per_class=1, top_k=1, bootstrap=1, samples=1),
        "",
        "c59ca00a5bec0593",
    ),
    (SamplesRequest("0123456789abcdef", 100), "f", "691b035a5bd87a22"),
    (SamplesRequest("0123456789abcdef", 0, "fc3"), "", "05b849a80964a93c"),
    (ModelRequest(), "", "02703cfd8c47146a"),
    (TrainingRequest(), "", "1094e68ece173173"),
)
PRESETS = {
    "MNIST MLP, CE": ("73b50f8ab090bc61", "ced015b44362e634"),
    "MNIST MLP, MSE": ("0e757ed04539af9b", "81b3ef2c506c1564"),
    "CIFAR-10 MLP, CE": ("c50d0cce9f71ccbb", "79df4834afa2d9e5"),
    "CIFAR-10 CNN, CE": ("4470970ed86ee96e", "318de4b6766b8200"),
    "tiny, 5 seconds": ("9dacdf6eaa925729", "45383d5366c943f4"),
    "MNIST CNN, CE": ("1ee0f8f41d0cbf3a", "1da8c4f21ba73cc7"),
    "MNIST CNN, MSE": ("1efd7841896b6946", "91d41d9630ec8629"),
    "CIFAR-10 MLP, MSE": ("c56b5bd48f65b5ee", "fdda2922012bb655"),
    "CIFAR-10 CNN, MSE": ("36640af09910f6b8", "b9668992b6e3aca8"),
    "MNIST deeper MLP, CE": ("d675573808f045c6", "a85602b4674463d8"),
    "Digits, deeper MLP": ("2ef05a2078a8d62d", "2011343b17b6dc01"),
    "Digits, BatchNorm": ("01da494972d15fda", "211b0f76cfa5c0d0"),
    "Digits, residual MLP": ("07385a1047f27b53", "598b312a4852fac1"),
    "Digits, LeNet-5": ("3c458e597a542e2e", "c73e6c01ef747e5f"),
    "Digits, ResNet-8": ("d8521f37ba93cc3f", "de8cea819669383f"),
    "Digits, vision transformer": ("c0cf67ed37c65521", "3e8855940f6042c5"),
}
FILMS = (
    (RunRequest(), "e315f3abf36272be"),
    (RunRequest(DataRequest("mnist", per_class=100), seed=1), "79fcd38059804590"),
)
# Of every cell of the sweeps that come with the project, in their order.
CELLS = {
    "tiny": """
        3ef3882aa9df95f7 2b0031304ee0951f 2f2de86c161cb7be d776bb5918f4e619 987d82b48dd16cba 99ab398f2f0bc2f2
        e668ac001dd1f2c0 1f88f10e0aa0d9e2""",
    "results": """
        460913d52aa6f4ac f71fa412cd0f42bd 0d07322b71b6ec8f dc57a83ce89b5058 b0048574f46a4360 32edca24c4110b25
        d39d8e04c7624e87 bbfbd703aeebef8b 6f164ad55f9590e1 3acc1e42e79c7b2c 8f142a30c44ba33a 2662d6efd0f65079
        a7f68c2d6b3fe292 26a4a83cd0211668 f763c9b978c826ee 0874e398ad7046d2 c087804f94a593b9 a0eabb9207c54be1
        4f1b85484bb188e5 9bc1161d2a8a0a9a 612d3b2b76418273 245f313ad4e0220a 3ecbfaed6b5fe49d 327d3de94b069edd
        5233b8ca1c3502ec bc9e596295b9dced 6e69eaf792fb7049 79457ade681b1324 4ccd71ec658d772b 86bd4088dbed95e9
        881b00f485a601ee e0821b78931ca430""",
    "table1": """
        b0048574f46a4360 32edca24c4110b25 fc11b1f0c72206d4 ecf9e124e83a36ec d39d8e04c7624e87 bbfbd703aeebef8b
        75536325ab23a5a2 fed5b03e585d7b94 272d2b142f13c0c2 0d07322b71b6ec8f 3173acac91e4de70 20619275825230a2
        6f164ad55f9590e1 3acc1e42e79c7b2c 4c868a6b8b0288cd 54168a4dec75627b 8f142a30c44ba33a 2662d6efd0f65079
        fe55c1d2c0bfe152 8897a1b53fb06b2f ba1672edb8fc5fef dc57a83ce89b5058 bfa9687d10c9d4de ad9d7cd77ce92111
        a417ac6ac0f2d4d3 37fea81878246a60 9defbff1c585928b 073d27787ff58a9b 6857387751817295 ae98b77c25a7afc5
        7a6dffe7bdb29401 95250e772a0d3445 f4c197a8ecf07c4e ffe3bbf158e56340 6489f7a60385fbe9 004cf4764ae15721
        0b84654fcf7e6fe1 1d15932eeed3ba78 0d9182d99252c9cd d4b3ffcd0806a5b4 71aa94e68dc31bea e0afd088a7cab64f
        c2ee920eb61a3c61 957dd616b1e5bd77 d72a981525daa808 1f9c843516519c3c 8e016ef6236f60cd 2a2c1431de53565d
        0ad7bfc6f6c50054 2844bd4e81ae9612 46e5f0b279126fe8 3d260c5741b05504 4b090d2d4ccd5323 6fd08b9bd76daba4
        62d85f549ec74591 d5653db405d1c783 e78d26668def5167 60ea534244c499ae e70738c3ca197edf a5ad4db8a85257b9
        e1a944b95ae9fd62 ffa3762e8cb00057 3903f56c27a30298 b95a1eeaf9194551 1e866f2baef2e52f 04b8fe1fd4f818a9
        d73dab42f905b230 7d0fa7e351bb3fb2 4bcf6f7293e2b6fc e34a6253239d7e9a 39a4b89c84746a34 afab8de1856cf37b
        5847241d92d083b4 9fa4e1bf7e617a3c 0c69944a74be097f 3196b8f8317e4d06 14d3c4818628a0d7 e57dff09a127cc4f
        b81076b186fdba31 d2a9b55231eedfc4 b2b8c876337cd889 45ba234858a4b1e4 3e1df87b62ad2108 6c78e008e3e59791
        cfc82565fda1add8 48c3fa8d1430292e a5f7413069ecabc9 e2bbf15c27dd47c0 e08229b4dc7f5870 e235c89acddb42ad
        29e621d3801d8fa0 8378bba87f007e3c f9355c02f8bf858f d3bfd447f78039a9 cf253d4eec47fe81 c3add640bf8995ff""",
}


@pytest.mark.parametrize(("request_", "fingerprint", "kept"), KEYS)
def test_keys_of_requests_stay(request_, fingerprint, kept):
    assert key(request_, fingerprint) == kept


def test_keys_of_presets_stay():
    assert {p.name: (key(p.run(10)), key(p.run(3))) for p in presets()} == PRESETS


@pytest.mark.parametrize(("request_", "kept"), FILMS)
def test_keys_of_films_stay(request_, kept):
    assert film_key(request_) == kept


@pytest.mark.parametrize("sweep", CELLS)
def test_keys_of_cells_stay(sweep):
    assert [cell.key for cell in open_sweep(sweep).cells] == CELLS[sweep].split()
