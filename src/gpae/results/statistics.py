"""What is said of a handful of seeds: mean and spread, interquartile mean with an interval, and comparisons.

A quantity that one seed cannot give (a spread, an interval, a test) is NaN, never a guess.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

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
    from rliable.library import get_interval_estimates  # takes seconds to import, and only this needs it

    # rliable 1.2 takes a random_state but draws from numpy's global one, so that one is set, and put back
    before = np.random.get_state()
    np.random.seed(BOOTSTRAP_SEED)
    try:
        points, ranges = get_interval_estimates({"cells": scores}, _iqm, reps=RESAMPLES, confidence_interval_size=LEVEL)
    finally:
        np.random.set_state(before)
    return Interval(points["cells"], *ranges["cells"])


def welch(mean: float, std: float, seeds: int, other_mean: float, other_std: float, other_seeds: int) -> Comparison:
    """Welch's t-test of mean - other_mean from two samples' means, deviations (n - 1) and sizes.

    Without any spread in either sample it is the limit of small spread: p is 1 where the means agree, else 0.
    NaN interval and p where a sample has fewer than two seeds.
    """
    difference = mean - other_mean
    if min(seeds, other_seeds) < 2:
        return Comparison(difference, math.nan, math.nan, math.nan)
    parts = std**2 / seeds, other_std**2 / other_seeds
    if sum(parts) == 0:
        return Comparison(difference, difference, difference, float(difference == 0))
    p = stats.ttest_ind_from_stats(mean, std, seeds, other_mean, other_std, other_seeds, equal_var=False).pvalue
    # Welch and Satterthwaite's degrees of freedom, which scipy 1.12 does not give back
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (seeds - 1) + parts[1] ** 2 / (other_seeds - 1))
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * math.sqrt(sum(parts))
    return Comparison(difference, difference - half, difference + half, float(p))


def against_constant(mean: float, std: float, seeds: int, constant: float) -> Comparison:
    """One-sample t-test of mean - constant, for a number that is printed without its deviation; NaN as in `welch`."""
    difference = mean - constant
    if seeds < 2:
        return Comparison(difference, math.nan, math.nan, math.nan)
    error = std / math.sqrt(seeds)
    if error == 0:
        return Comparison(difference, difference, difference, float(difference == 0))
    half = stats.t.ppf((1 + LEVEL) / 2, seeds - 1) * error
    p = 2 * stats.t.sf(abs(difference) / error, seeds - 1)
    return Comparison(difference, difference - half, difference + half, float(p))
