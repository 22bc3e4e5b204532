"""One thread per test process, and per process a test starts: the matrices here are small, and threads of
tests that run side by side would mostly wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
