"""Every test computes as a job does: one thread, pinned random bits, the repository's compilation cache.

But programs of the tests' own processes are compiled with less optimisation: nearly all of their time is compiling, and
that takes half of it away. The commands that they start compile as a user's do.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from gpae import runtime

os.environ.update({name: value for name, value in runtime.settings(1).items() if name != "GLIBC_TUNABLES"})
os.environ["XLA_FLAGS"] += " --xla_backend_optimization_level=1"

LONG = ("test_smoke", "pipeline", "faults", "training", "algorithms", "parity")
COUNTS = pytest.StashKey[Counter]()


def pytest_addoption(parser):
    parser.addoption("--record", type=Path, help="Where to keep how often each fault was injected and survived, a CSV.")


@pytest.fixture
def record(request):
    """record(fault, times): what a test has put in and seen survived."""
    counts = request.config.stash.setdefault(COUNTS, Counter())

    def add(fault: str, times: int = 1) -> None:
        counts[fault] += times

    return add


def pytest_collection_modifyitems(items):
    """Long files first, so that at the end no process waits for another's; within a file all stays as it is."""

    def place(item) -> int:
        return next((i for i, part in enumerate(LONG) if part in item.nodeid), len(LONG))

    items.sort(key=place)


def pytest_sessionfinish(session):
    """Where all was survived; what has not been tried now keeps its row."""
    path, counts = session.config.getoption("--record"), session.config.stash.get(COUNTS, None)
    if path and counts and not session.testsfailed:
        import pandas as pd

        rows = pd.DataFrame(counts.items(), columns=["fault", "survived"])
        if path.exists():
            known = pd.read_csv(path)
            rows = pd.concat([known[~known["fault"].isin(rows["fault"])], rows])
        rows.sort_values("fault").to_csv(path, index=False)
