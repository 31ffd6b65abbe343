"""How often the verdict of a number is wrong, by simulation: `python -m gpae.results.verdict_rates` writes the table.

Runs are normal: the paper's about its truth, ours about a truth that is `apart` margins away, with the same deviation
of `spread` margins. `consistent` is wrong where the truths are a margin or more apart, `differs` where they are at most
a margin apart.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gpae.results import schema
from gpae.results.claims import numbers

PATH = Path("docs/verdict-rates.csv")
PAPER_SEEDS = 5
SEEDS = (2, 3, 4, 5, 7, 10)
SPREADS = (0.1, 0.25, 0.5, 1.0)
APART = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
DRAWS = 2000


class Rate(NamedTuple):
    """Shares of the draws; printed: whether the paper prints its deviation; spread, apart: in margins."""

    printed: bool
    seeds: int
    spread: float
    apart: float
    consistent: float
    differs: float
    not_shown: float

    @property
    def wrong_consistent(self) -> float:
        return self.consistent if self.apart >= 1 else 0.0

    @property
    def wrong_differs(self) -> float:
        return self.differs if self.apart <= 1 else 0.0


def rate(printed: bool, seeds: int, spread: float, apart: float, draws: int = DRAWS) -> Rate:
    """The shares of verdicts, margin 1, the paper's truth 0; the same draws for every place of the table."""
    normal = np.random.default_rng(0).normal(size=(draws, PAPER_SEEDS + max(SEEDS)))
    theirs, ours = spread * normal[:, :PAPER_SEEDS], apart + spread * normal[:, PAPER_SEEDS : PAPER_SEEDS + seeds]
    moments = (each for runs in (ours, theirs) for each in (runs.mean(1), runs.std(1, ddof=1)))
    counts: Counter[str] = Counter()
    for mean, std, claim, deviation in zip(*(each.tolist() for each in moments), strict=True):
        claimed = deviation if printed else float("nan")
        test = numbers.compared(mean, std, seeds, claim, claimed, PAPER_SEEDS)
        counts[numbers.judged(test, 1.0, seeds, PAPER_SEEDS)[0]] += 1
    shares = [counts[verdict] / draws for verdict in ("consistent", "differs", "not shown")]
    return Rate(printed, seeds, spread, apart, *shares)


def rates() -> Iterator[Rate]:
    for place in product((True, False), SEEDS, SPREADS, APART):
        yield rate(*place)


def build(root: Path = Path(".")) -> Path:
    """Writes docs/verdict-rates.csv, a row a place of the table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    wrong = ("wrong_consistent", "wrong_differs")
    writer.writerow([*Rate._fields, *wrong])
    for found in rates():
        settings = ["yes" if found.printed else "no", found.seeds, f"{found.spread:g}", f"{found.apart:g}"]
        shares = [*found[4:], *(getattr(found, name) for name in wrong)]
        writer.writerow([*settings, *(f"{share:.4f}" for share in shares)])
    return schema.write_whole(root / PATH, text.getvalue().encode())


if __name__ == "__main__":
    print(build())
