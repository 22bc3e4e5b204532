"""A checkpoint saved by plain PyTorch: uploaded, confirmed, checked and measured, in a real browser."""

import re

import pytest
import torch
from playwright.sync_api import expect
from torch import nn

from engine.config.requests import DataRequest
from engine.data.datasets import load
from tests.browser.conftest import settle

pytestmark = pytest.mark.browser

PATIENCE_MS = 180_000


@pytest.fixture
def checkpoints(tmp_path):
    """A small tanh network trained on the digits for some steps, without anything of this program."""
    data = load(DataRequest())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 12), nn.Tanh(), nn.Linear(12, 10), nn.Tanh(), nn.Linear(10, 10)
        )
        optimiser = torch.optim.SGD(net.parameters(), 0.3)
        paths = []
        for epoch in range(4):
            if epoch in (0, 3):
                paths.append(tmp_path / f"mine_epoch_{epoch}.pt")
                torch.save({"model_state_dict": net.state_dict(), "epoch": epoch}, paths[-1])
            for rows in torch.randperm(len(data.train_y)).split(50):
                optimiser.zero_grad()
                nn.functional.cross_entropy(net(data.train_x[rows]), data.train_y[rows]).backward()
                optimiser.step()
        net.load_state_dict(torch.load(paths[-1])["model_state_dict"])
        accuracy = float((net(data.train_x).argmax(1) == data.train_y).double().mean())
    return paths, accuracy


@pytest.mark.slow
def test_a_checkpoint_saved_by_plain_pytorch_comes_to_its_figures(planted, window, checkpoints):
    paths, accuracy = checkpoints
    page = window(f"{planted.url}/load", height=1400)
    page.locator("input[type=file]").first.set_input_files(paths)
    expect(page.get_by_text("784‑12‑10‑10, 10 classes, 9,660 parameters")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("textbox", name="Epochs of the files")).to_have_value("0, 3")
    page.get_by_role("button", name="tanh").or_(page.get_by_role("radio", name="tanh")).first.click()
    settle(page)
    page.get_by_role("button", name="Measure its accuracy").click()
    expect(page.get_by_text("the network recognises these samples")).to_be_visible(timeout=PATIENCE_MS)
    assert accuracy > 0.8
    expect(page.get_by_test_id("stMetric").first).to_contain_text(f"{accuracy:.1%}")

    settle(page)
    page.get_by_role("button", name="Measure", exact=True).click()
    look = page.get_by_role("button", name="Look at it").first
    expect(look).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text(re.compile("Done: 2 analyses")).first).to_be_visible(timeout=PATIENCE_MS)
    look.click()
    expect(page.get_by_text("Noise exponent γ")).to_be_visible(timeout=PATIENCE_MS)
    settle(page)
    expect(page.get_by_text(re.compile(r"epoch\s3 · layer\sfc2"))).not_to_have_count(0)
    page.get_by_role("slider").first.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"epoch=0"))


def test_a_pickled_model_is_refused_and_its_code_not_run(planted, window, tmp_path):
    path = tmp_path / "whole.pt"
    torch.save(nn.Sequential(nn.Linear(4, 2)), path)
    page = window(f"{planted.url}/load")
    page.locator("input[type=file]").first.set_input_files(path)
    expect(page.get_by_test_id("stAlert")).to_contain_text("weights_only=False", timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Measure its accuracy")).to_have_count(0)
