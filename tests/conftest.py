"""One thread per test process, and per process a test starts: the matrices here are small, and threads of
tests that run side by side would mostly wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# A busy machine must not fail a property; time is the benchmarks' business.
settings.register_profile("gammascope", deadline=None)
settings.load_profile("gammascope")
