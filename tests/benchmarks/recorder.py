"""How long a recorder keeps a script waiting: python -m tests.benchmarks.recorder [--weights 10000000] [--epochs 10]

Seconds that `record` takes without an analysis, for a network of so many weights, beside the copy of its weights and
the write of as many bytes to the same disk.
"""

import argparse
import os
import platform
import tempfile
import time
from statistics import median

import torch
from torch import nn

from engine import Recorder

WANTED = 0.2  # seconds for ten million weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=int, default=10_000_000)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    print(platform.platform(), f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GAMMASCOPE_CACHE"] = folder
        width = int((options.weights / 4) ** 0.5)
        model = nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(4)), nn.Linear(width, 2))
        recorder = Recorder("benchmark", model, (torch.randn(8, width), torch.arange(8) % 2))
        seconds, busy, plain = [], [], []
        for epoch in range(1, options.epochs + 1):
            began, own = time.perf_counter(), time.process_time()
            recorder.record(epoch, loss=1.0, accuracy=0.5)
            seconds.append(time.perf_counter() - began)
            busy.append(time.process_time() - own)
            began = time.perf_counter()
            with open(os.path.join(folder, "plain"), "wb") as file:
                file.write(torch.cat([w.detach().flatten().clone() for w in model.parameters()]).numpy().tobytes())
            plain.append(time.perf_counter() - began)
        count = sum(w.numel() for w in model.parameters())
        print(f"record, {count:,} weights: {median(seconds):.3f} s, slowest {max(seconds):.3f} s ({WANTED} s wanted)")
        print(f"of these the processor worked {median(busy):.3f} s: all there is to wait for on a machine that is idle")
        print(f"copy and plain write: {median(plain):.3f} s, slowest {max(plain):.3f} s")
        recorder.close()


if __name__ == "__main__":
    main()
