"""What many sessions hold: python -m tests.benchmarks.sessions [--cache FOLDER] [--sessions 20] [--minutes 60]

So many browsers' sessions, without browsers, go from page to page and ask for other epochs and directions over one
server; now and then one leaves and another comes, as tabs are closed. Every half minute a line: pages shown, how long
one takes in the median and at the 95th percentile, the server's memory, descriptors, threads. At the end the slope of
memory and of descriptors over the second half, which of a server that holds nothing for ever is near 0.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path
from threading import Event, Lock, Thread

import numpy as np
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from cache.store import Store
from pages.state.menu import MENU
from tests.browser.conftest import Dashboard
from tests.planted import add_spectra, fill

LOOKING = ("start", "commutativity", "power_law", "dynamics", "suppression", "layers", "predictors", "held_out")
EPOCHS, DIRECTIONS = (0, 10, 50, 100), (10, 40, 60, 100)
EVERY = 30.0  # seconds between two lines
LEAVES = 0.05  # of the pages shown, a tab is closed after it


def visit(dashboard: Dashboard, rng: random.Random, stop: Event, times: list[float], lock: Lock) -> None:
    """One session after the other, each on page after page, until `stop`."""
    address = dashboard.url.replace("http", "ws") + "/_stcore/stream"
    while not stop.is_set():
        with connect(address, subprotocols=["streamlit"], max_size=None, origin=dashboard.url) as socket:
            while not stop.is_set():
                message = BackMsg()
                page = rng.choice(LOOKING)
                message.rerun_script.page_name = "" if page == "start" else page
                message.rerun_script.query_string = f"epoch={rng.choice(EPOCHS)}&k={rng.choice(DIRECTIONS)}"
                began = time.monotonic()
                socket.send(message.SerializeToString())
                while ForwardMsg.FromString(socket.recv(60)).WhichOneof("type") != "script_finished":
                    pass
                with lock:
                    times.append(time.monotonic() - began)
                if rng.random() < LEAVES or stop.wait(rng.uniform(1.0, 4.0)):
                    break


def watch(dashboard: Dashboard, sessions: int, minutes: float, seed: int) -> None:
    """Start the sessions, and print what the server holds meanwhile."""
    server, stop, lock = psutil.Process(dashboard.server.pid), Event(), Lock()
    times: list[float] = []
    visitors = [
        Thread(target=visit, args=(dashboard, random.Random(1000 * seed + i), stop, times, lock), daemon=True)
        for i in range(sessions)
    ]
    for visitor in visitors:
        visitor.start()
    began, curve = time.monotonic(), []
    print("minutes  pages   median   95 %    memory  descriptors  threads", flush=True)
    while time.monotonic() - began < 60 * minutes:
        time.sleep(min(EVERY, max(1.0, 60 * minutes - (time.monotonic() - began))))
        with lock:
            recent, count = times[-200:], len(times)
        held = server.memory_info().rss / 2**20, server.num_fds(), server.num_threads()
        curve.append(((time.monotonic() - began) / 60, *held))
        middle, late = np.quantile(recent, (0.5, 0.95)) if recent else (np.nan, np.nan)
        print(
            f"{curve[-1][0]:7.1f}  {count:5d}  {1e3 * middle:5.0f} ms {1e3 * late:5.0f} ms {held[0]:5.0f} MiB  "
            f"{held[1]:8d}  {held[2]:9d}",
            flush=True,
        )
    alive = sum(visitor.is_alive() for visitor in visitors)
    stop.set()
    for visitor in visitors:
        visitor.join(30)
    late = np.array(curve[len(curve) // 2 :])
    if len(late) > 2:
        memory, descriptors = (np.polyfit(late[:, 0], late[:, i], 1)[0] for i in (1, 2))
        print(
            f"second half: {memory:+.2f} MiB and {descriptors:+.2f} descriptors a minute; {alive} of {sessions} alive"
        )


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.sessions", description=__doc__)
    parser.add_argument("--cache", type=Path, default=None, help="left out: a small planted one")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    typed = parser.parse_args()
    assert set(LOOKING) <= {entry.name for entries in MENU.values() for entry in entries}
    with tempfile.TemporaryDirectory() as folder:
        if typed.cache is None:
            add_spectra(Store(Path(folder)), fill(Store(Path(folder)), epochs=EPOCHS), 100)
        dashboard = Dashboard(typed.cache or folder).start()
        try:
            watch(dashboard, typed.sessions, typed.minutes, typed.seed)
        finally:
            dashboard.stop()


if __name__ == "__main__":
    main()
