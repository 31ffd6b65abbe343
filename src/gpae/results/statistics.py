"""What is said of a handful of seeds: mean and spread, interquartile mean with an interval, and comparisons.

A quantity that one seed cannot give (a spread, an interval, a test) is NaN, never a guess.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy import special, stats

BOOTSTRAP_SEED = 0
RESAMPLES = 2000
LEVEL = 0.95
COVERAGE = "50% of cases for 2 seeds, 74% for 3 and 90% for 5"  # 4000 draws of normal scores; nominal is 95%


class Moments(NamedTuple):
    """mean, std (n - 1), standard error of the mean, all [...], and the number of seeds.

    The paper prints mean and standard deviation over 5 seeds and does not say which deviation: the sample's
    (n - 1) is taken here, for its numbers and for ours.
    """

    mean: np.ndarray
    std: np.ndarray
    sem: np.ndarray
    seeds: int


class Interval(NamedTuple):
    """A point estimate and its 95% interval, all [...]."""

    point: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Comparison(NamedTuple):
    """A difference of two means, its 95% interval and the two-sided p-value that it is 0."""

    difference: float
    low: float
    high: float
    p: float


def area(steps: np.ndarray, scores: np.ndarray, end: float) -> float:
    """The mean of a learning curve from its first point to `end` environment steps: trapezoids, [evaluation] each."""
    inside = steps < end
    x = np.append(steps[inside], end)
    y = np.append(scores[inside], np.interp(end, steps, scores))
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) / (end - steps[0]))


def moments(scores: np.ndarray) -> Moments:
    """Mean, standard deviation and standard error over seeds, of scores [seed, ...]."""
    seeds = scores.shape[0]
    std = scores.std(axis=0, ddof=1) if seeds > 1 else np.full(scores.shape[1:], np.nan)
    return Moments(scores.mean(axis=0), std, std / math.sqrt(seeds), seeds)


def _iqm(scores: np.ndarray) -> np.ndarray:
    return stats.trim_mean(scores, 0.25, axis=0)


def interquartile_mean(scores: np.ndarray) -> Interval:
    """IQM over seeds of scores [seed, cell], with the percentile interval of rliable's stratified bootstrap.

    Each cell is a stratum of its own: seeds are drawn again within it. Few seeds give too narrow an interval
    (COVERAGE): that of two seeds is their range.
    """
    if scores.shape[0] < 2:
        nothing = np.full(scores.shape[1:], np.nan)
        return Interval(_iqm(scores), nothing, nothing)
    from rliable.library import get_interval_estimates  # takes seconds to import, and only the bootstrap needs it

    with _drawn_alike():
        points, ranges = get_interval_estimates({"cells": scores}, _iqm, reps=RESAMPLES, confidence_interval_size=LEVEL)
    return Interval(points["cells"], *ranges["cells"])


@contextmanager
def _drawn_alike() -> Iterator[None]:
    """rliable 1.2 takes a random_state but draws from numpy's global one, so that one is set, and put back."""
    before = np.random.get_state()
    np.random.seed(BOOTSTRAP_SEED)
    try:
        yield
    finally:
        np.random.set_state(before)


def performance_profiles(scores: Mapping[str, np.ndarray], taus: np.ndarray) -> dict[str, Interval]:
    """The share of runs above each of `taus`, [tau], of scores [seed, task] by method; NaN interval for one seed."""
    from rliable.library import get_interval_estimates

    def above(scores: np.ndarray) -> np.ndarray:
        # as rliable's create_performance_profile, which takes 20 s for nine methods
        return np.mean(scores[..., None] > taus, axis=(0, 1))

    with _drawn_alike():
        points, ranges = get_interval_estimates(dict(scores), above, reps=RESAMPLES, confidence_interval_size=LEVEL)
    several = {name: len(values) > 1 for name, values in scores.items()}
    nothing = np.full(len(taus), math.nan)
    return {name: Interval(points[name], *(ranges[name] if several[name] else (nothing, nothing))) for name in scores}


def probability_of_improvement(scores: np.ndarray, others: np.ndarray) -> Interval:
    """That a run of one method is above one of the other, in the mean over tasks: Mann and Whitney's U over the pairs.

    scores, others: [seed, task], the same tasks; ties count half; NaN interval where either has one seed
    """
    from rliable.library import get_interval_estimates

    def chance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        above = (one[:, None] > other[None]) + 0.5 * (one[:, None] == other[None])
        return np.array([above.mean()])

    if min(len(scores), len(others)) < 2:
        return Interval(chance(scores, others)[0], np.float64(math.nan), np.float64(math.nan))
    with _drawn_alike():
        points, ranges = get_interval_estimates(
            {"pair": [scores, others]}, chance, reps=RESAMPLES, confidence_interval_size=LEVEL
        )
    return Interval(points["pair"][0], ranges["pair"][0, 0], ranges["pair"][1, 0])


class Sample(NamedTuple):
    """What is left of a sample: mean, standard deviation (n - 1) and size."""

    mean: float
    std: float
    seeds: int


def contrast(samples: Sequence[Sample], weights: Sequence[float], constant: float = 0.0) -> Comparison:
    """t-test of a weighted sum of independent samples' means, minus a constant (Welch and Satterthwaite).

    NaN interval and p where a sample has fewer than two seeds or no deviation, and where none of them has any spread: a
    few runs that score alike, at a win rate's floor or by chance, are no certainty.
    """
    difference = sum(weight * sample.mean for sample, weight in zip(samples, weights, strict=True)) - constant
    if any(sample.seeds < 2 or math.isnan(sample.std) for sample in samples):
        return Comparison(difference, math.nan, math.nan, math.nan)
    parts = [(weight * sample.std) ** 2 / sample.seeds for sample, weight in zip(samples, weights, strict=True)]
    if sum(parts) == 0:
        return Comparison(difference, math.nan, math.nan, math.nan)
    freedom = sum(parts) ** 2 / sum(part**2 / (s.seeds - 1) for part, s in zip(parts, samples, strict=True))
    error = math.sqrt(sum(parts))
    # Student's t as scipy.stats has it, without its 0.1 ms of checks
    half = special.stdtrit(freedom, (1 + LEVEL) / 2) * error
    p = 2 * special.stdtr(freedom, -abs(difference) / error)
    return Comparison(difference, float(difference - half), float(difference + half), float(p))


def welch(mean: float, std: float, seeds: int, other_mean: float, other_std: float, other_seeds: int) -> Comparison:
    """Welch's t-test of mean - other_mean from two samples' means, deviations (n - 1) and sizes; as `contrast`."""
    return contrast([Sample(mean, std, seeds), Sample(other_mean, other_std, other_seeds)], [1, -1])


def against_constant(mean: float, std: float, seeds: int, constant: float) -> Comparison:
    """One-sample t-test of mean - constant; as `contrast`."""
    return contrast([Sample(mean, std, seeds)], [1], constant)


def alike_spread(mean: float, std: float, seeds: int, other_mean: float, other_seeds: int) -> Comparison:
    """t-test of mean - other_mean where the other is printed without its deviation, which is taken to be this one's.

    The printed mean is one of other_seeds runs and not the truth: mean - other_mean has the variance
    std^2 (1 / seeds + 1 / other_seeds), with seeds - 1 degrees of freedom. NaN as `contrast`.
    """
    widened = std * math.sqrt(1 + seeds / other_seeds)
    return contrast([Sample(mean, widened, seeds)], [1], other_mean)


def deviation_ratio(sample: Sample, other: Sample) -> Comparison:
    """F-test of std / other's std, for scores that are normal over seeds; the difference is the ratio.

    NaN interval and p where a sample has fewer than two seeds or no spread at all, as at a win rate's floor.
    """
    if min(sample.seeds, other.seeds) < 2 or not (sample.std > 0 and other.std > 0):
        ratio = sample.std / other.std if other.std > 0 else math.nan
        return Comparison(ratio, math.nan, math.nan, math.nan)
    ratio, law = sample.std / other.std, stats.f(sample.seeds - 1, other.seeds - 1)
    low, high = (ratio / math.sqrt(law.ppf(level)) for level in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    return Comparison(ratio, low, high, float(2 * min(law.cdf(ratio**2), law.sf(ratio**2))))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: all of them hold together at one level. NaN is no test."""
    adjusted, least = [math.nan] * len(p), 0.0
    order = sorted((value, index) for index, value in enumerate(p) if not math.isnan(value))
    for rank, (value, index) in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * value))
        adjusted[index] = least
    return adjusted
