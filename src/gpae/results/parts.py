"""The parts of a sentence: each a number with its test, and the values that the sentence claims for it."""

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import reduce
from itertools import permutations
from typing import Protocol

import numpy as np
from scipy import stats

from gpae.results.evidence import UNPRINTED, Run, Shortage, Speed, Term, sample
from gpae.results.statistics import Sample, contrast, deviation_ratio

SIGNIFICANCE = 0.05


class Evidence(Protocol):
    """Runs and benchmarks: `evidence.Measured` or `evidence.Printed`."""

    def run(self, quantity: str, method: str, task: str) -> Run: ...

    def speed(self, benchmark: str, task: str, file: str) -> Speed: ...


@dataclass(frozen=True)
class Outcome:
    """What a part's number is.

    value: NaN where it is missing
    low, high: its 95% interval
    p: that it lies on a bound of what is claimed, two-sided; of two bounds the larger p
    missing, shortage, sources: as in Run
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    missing: str = ""
    shortage: Shortage | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """what: the number in words. It is claimed to lie above `least` and below `most`.

    absolute: these are points of a score, which mean nothing on a task that only resembles the paper's
    """

    what: str
    least: float = -math.inf
    most: float = math.inf
    terms: tuple[Term, ...] = ()
    absolute: bool = False

    @property
    def claimed(self) -> str:
        sides = [(">", self.least), ("<", self.most)]
        return " and ".join(f"{sign} {bound:.4g}" for sign, bound in sides if math.isfinite(bound))

    def inside(self, outcome: Outcome) -> bool:
        return self.least < outcome.value < self.most

    def holds(self, outcome: Outcome) -> bool:
        """Significantly inside; where there is a range and no test, all of the range is."""
        whole = self.least < outcome.low and outcome.high < self.most
        return self.inside(outcome) and (whole if math.isnan(outcome.p) else outcome.p < SIGNIFICANCE)

    def fails(self, outcome: Outcome, adjusted: float) -> bool:
        """Significantly outside by the p adjusted for its claim's parts; a range without a test, all of it."""
        whole = outcome.high <= self.least or outcome.low >= self.most
        outside = not math.isnan(outcome.value) and not self.inside(outcome)
        return outside and (whole if math.isnan(outcome.p) else adjusted < SIGNIFICANCE)

    def measure(self, evidence: Evidence) -> Outcome:
        runs = [evidence.run(term.quantity, term.method, term.task) for term in self.terms]
        missing = {
            run.missing if run.missing == UNPRINTED else f"{term.method} on {term.task}: {run.missing}"
            for term, run in zip(self.terms, runs, strict=True)
            if run.missing
        }
        if missing:
            return Outcome(missing="; ".join(sorted(missing)))
        short = next((run.shortage for run in runs if run.shortage), None)
        files = dict.fromkeys(source for run in runs for source in run.sources)
        return replace(self.number(runs), shortage=short, sources=tuple(files))

    def number(self, runs: list[Run]) -> Outcome:
        """The part's number from its terms' runs, none of them missing."""
        raise NotImplementedError

    def tested(self, samples: list[Sample]) -> Outcome:
        """The sum of the samples' means, with the t-test against each bound."""
        ones = [1.0] * len(samples)
        value, low, high, _ = contrast(samples, ones)
        p = [contrast(samples, ones, bound).p for bound in (self.least, self.most) if math.isfinite(bound)]
        return Outcome(value, low, high, max(p))


@dataclass(frozen=True)
class Contrast(Part):
    """The weighted sum of the terms' means, by a t-test (Welch and Satterthwaite).

    Quantities of the same runs are not independent: they are added up seed by seed before.
    """

    def number(self, runs: list[Run]) -> Outcome:
        groups = defaultdict(list)
        for term, run in zip(self.terms, runs, strict=True):
            groups[term.method, term.task].append((term.weight, run))
        samples = []
        for group in groups.values():
            weights, tables = [weight for weight, _ in group], [dict(run.by_seed) for _, run in group]
            if seeds := [seed for seed in tables[0] if all(seed in table for table in tables)]:
                sums = [sum(w * table[seed] for w, table in zip(weights, tables, strict=True)) for seed in seeds]
                samples.append(sample(sums))
            else:
                samples += [Sample(w * r.sample.mean, abs(w) * r.sample.std, r.sample.seeds) for w, r in group]
        return self.tested(samples)


@dataclass(frozen=True)
class Spread(Part):
    """The first term's deviation over seeds divided by the second's, by an F-test that takes scores to be normal."""

    def number(self, runs: list[Run]) -> Outcome:
        return Outcome(*deviation_ratio(*(run.sample for run in runs)))


def _of_chance(mean: float, ranks: int, seeds: int) -> float:
    """Two-sided p of a mean Spearman correlation of `seeds` independent pairs of orders of `ranks` things."""
    orders = np.array(list(permutations(range(ranks))))
    squares = np.bincount(((orders - np.arange(ranks)) ** 2).sum(1)) / len(orders)
    chance = reduce(np.convolve, [squares] * seeds)
    apart = 1 - 6 * np.arange(len(chance)) / seeds / (ranks**3 - ranks)  # a mean correlation for each sum of squares
    return float(chance[np.abs(apart) >= abs(mean) - 1e-9].sum())


@dataclass(frozen=True)
class Rank(Part):
    """Spearman's correlation over methods of two quantities, seed by seed; its mean over seeds, by a permutation test.

    p is exact for ranks without ties: how often independent ranks, every order of a seed's equally likely, have a mean
    as far from 0. The interval is Student's t's.
    terms: those of the first quantity, a method each, then those of the second in the same order
    """

    def number(self, runs: list[Run]) -> Outcome:
        tables, half = [dict(run.by_seed) for run in runs], len(runs) // 2
        correlations = []
        for seed in tables[0]:
            values = [table[seed] for table in tables if seed in table]
            # numbers that are all the same rank nothing
            if len(values) == len(tables) and min(len(set(values[:half])), len(set(values[half:]))) > 1:
                correlations.append(float(stats.spearmanr(values[:half], values[half:]).statistic))
        if not correlations:
            return Outcome(missing="no seed tells the methods apart")
        value, low, high, _ = contrast([sample(correlations)], [1.0])
        return Outcome(value, low, high, _of_chance(value, half, len(correlations)))


@dataclass(frozen=True)
class Tally(Part):
    """On how many tasks a condition holds: all of a task's contrasts (every), or one of them.

    value is the number of tasks on which the means are so. The test of "at least u of n" is the partial conjunction's
    (Benjamini and Heller 2008): with Bonferroni's bound, (n - u + 1) times the u-th smallest p of the n tasks; a task's
    own p is the largest of its contrasts', or for one of them the smallest times their number. p is that of the side on
    which the count lies: at least u tasks, or at least n - u + 1 on which the contrary is so.
    """

    tasks: tuple[tuple[Contrast, ...], ...] = ()
    every: bool = True

    def number(self, runs: list[Run]) -> Outcome:
        rest, found = list(runs), []
        for parts in self.tasks:
            outcomes = []
            for part in parts:
                outcomes.append((part, part.number(rest[: len(part.terms)])))
                rest = rest[len(part.terms) :]
            found.append(outcomes)
        join = all if self.every else any
        count = sum(join(part.inside(outcome) for part, outcome in outcomes) for outcomes in found)
        wanted = math.ceil(self.least)
        if count >= wanted:
            sides = [self._together(outcomes, True, self.every) for outcomes in found]
        else:
            sides = [self._together(outcomes, False, not self.every) for outcomes in found]
            wanted = len(found) - wanted + 1
        tested = any(not math.isnan(outcome.p) for outcomes in found for _, outcome in outcomes)
        p = min(1.0, sorted(sides)[wanted - 1] * (len(found) - wanted + 1))
        return Outcome(float(count), p=p if tested else math.nan)

    @staticmethod
    def _together(outcomes: list[tuple[Contrast, Outcome]], inside: bool, every: bool) -> float:
        """A task's p; a contrast on the other side, or without a test, is no evidence."""
        p = [1.0 if math.isnan(it.p) or part.inside(it) != inside else it.p for part, it in outcomes]
        return max(p) if every else min(1.0, min(p) * len(p))


@dataclass(frozen=True)
class Overhead(Part):
    """By how many percent more time the first side of a benchmark takes, from its median speed ratio and its spread.

    The range holds every repeat: the spread is (most - least) / median, and the median lies between them.
    """

    benchmark: str = ""
    task: str = ""
    file: str = ""

    def measure(self, evidence: Evidence) -> Outcome:
        speed = evidence.speed(self.benchmark, self.task, self.file)
        if speed.missing:
            return Outcome(missing=speed.missing)
        ratios = speed.ratio, speed.ratio * (1 + speed.spread), speed.ratio * (1 - speed.spread)
        more = [100 * (1 / ratio - 1) if ratio > 0 else math.inf for ratio in ratios]
        return Outcome(*more, sources=(self.file,))
