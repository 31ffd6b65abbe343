"""What is said of a handful of seeds, against numbers worked out by hand and scipy's tests on the raw scores."""

import math

import numpy as np
import pytest
from scipy import stats

from gpae.results.statistics import (
    Sample,
    against_constant,
    alike_spread,
    contrast,
    deviation_ratio,
    holm,
    interquartile_mean,
    moments,
    welch,
)

SCORES = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
OTHERS = np.array([2.5, 3.5, 3.0])


def test_mean_deviation_and_standard_error_by_hand():
    found = moments(SCORES[:, None])
    assert found.mean[0] == 4.0 and found.seeds == 5
    assert found.std[0] == pytest.approx(math.sqrt((9 + 4 + 1 + 0 + 36) / 4))
    assert found.sem[0] == pytest.approx(math.sqrt(12.5 / 5))


def test_the_interquartile_mean_leaves_out_the_ends():
    found = interquartile_mean(np.stack([SCORES, 2 * SCORES], 1))
    assert found.point.tolist() == [3.0, 6.0]
    assert (found.low >= [1, 2]).all() and (found.low < found.point).all()
    assert (found.high <= [10, 20]).all() and (found.high > found.point).all()


def test_one_seed_has_a_mean_and_nothing_else():
    found, iqm = moments(SCORES[:1, None]), interquartile_mean(SCORES[:1, None])
    assert found.mean[0] == iqm.point[0] == 1.0
    assert np.isnan([found.std[0], found.sem[0], iqm.low[0], iqm.high[0]]).all()
    assert welch(1.0, math.nan, 1, 4.0, 1.0, 5)[0] == -3.0
    assert np.isnan(welch(1.0, math.nan, 1, 4.0, 1.0, 5)[1:]).all()
    assert np.isnan(against_constant(1.0, math.nan, 1, 4.0)[1:]).all()


def test_the_bootstrap_repeats_itself_and_leaves_the_global_generator_alone():
    draws = np.random.RandomState(0).normal(size=(5, 50))
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    first = interquartile_mean(draws)
    assert np.random.random() == expected
    np.testing.assert_array_equal(first, interquartile_mean(draws))


def test_few_seeds_give_too_narrow_an_interval_as_the_tables_say():
    draws = np.random.RandomState(0).normal(size=(5, 500))
    coverage = {}
    for seeds in (2, 5):
        found = interquartile_mean(draws[:seeds])
        coverage[seeds] = np.mean((found.low <= 0) & (found.high >= 0))
    assert coverage[2] == pytest.approx(0.5, abs=0.07) and coverage[5] == pytest.approx(0.9, abs=0.04)


def test_welch_from_moments_is_scipys_test_on_the_scores():
    found = welch(SCORES.mean(), SCORES.std(ddof=1), 5, OTHERS.mean(), OTHERS.std(ddof=1), 3)
    expected = stats.ttest_ind(SCORES, OTHERS, equal_var=False)
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose(found, [1.0, interval.low, interval.high, expected.pvalue], rtol=1e-12)


def test_one_sample_test_from_moments_is_scipys_on_the_scores():
    found = against_constant(SCORES.mean(), SCORES.std(ddof=1), 5, 6.5)
    expected = stats.ttest_1samp(SCORES, 6.5)
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose(found, [-2.5, interval.low - 6.5, interval.high - 6.5, expected.pvalue], rtol=1e-12)


def test_without_any_spread_there_is_no_interval_and_no_test():
    for found, difference in (
        (welch(100.0, 0.0, 2, 100.0, 0.0, 2), 0.0),
        (welch(100.0, 0.0, 2, 0.0, 0.0, 2), 100.0),
        (against_constant(3.0, 0.0, 2, 1.0), 2.0),
        (alike_spread(3.0, 0.0, 2, 1.0, 5), 2.0),
    ):
        assert found.difference == difference and np.isnan(found[1:]).all()
    assert welch(100.0, 0.0, 3, 90.0, 1.0, 3).p < 0.05  # one spread is enough


def test_a_number_without_deviation_has_the_measured_one():
    """Means of 4 and of 5 runs with one deviation of 3: the difference has the variance 9 (1/4 + 1/5) = 4.05."""
    found = alike_spread(10.0, 3.0, 4, 8.0, 5)
    half = stats.t.ppf(0.975, 3) * math.sqrt(4.05)
    np.testing.assert_allclose(found[:3], [2.0, 2 - half, 2 + half], rtol=1e-12)
    assert found.p == pytest.approx(2 * stats.t.sf(2 / math.sqrt(4.05), 3))


def test_a_contrast_of_four_means_by_hand():
    """(8 - 2) - (5 - 4) = 5 with variances 4/4 + 1/4 + 1/4 + 4/4 = 2.5; freedom 2.5^2 / ((1 + 1/16) * 2 / 3)."""
    samples = [Sample(8, 2, 4), Sample(2, 1, 4), Sample(5, 1, 4), Sample(4, 2, 4)]
    found = contrast(samples, [1, -1, -1, 1], constant=1.0)
    freedom = 6.25 / (2.125 / 3)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(2.5)
    p = 2 * stats.t.sf(4 / math.sqrt(2.5), freedom)
    np.testing.assert_allclose(found, [4.0, 4 - half, 4 + half, p], rtol=1e-12)


def test_weights_scale_means_and_deviations():
    halves = contrast([Sample(8, 2, 4), Sample(2, 1, 5)], [0.5, -0.5])
    np.testing.assert_allclose(halves, contrast([Sample(4, 1, 4), Sample(1, 0.5, 5)], [1, -1]), rtol=1e-12)


def test_a_mean_without_deviation_is_compared_and_not_tested():
    found = contrast([Sample(93.7, math.nan, 5), Sample(44.4, math.nan, 5)], [1, -1])
    assert found.difference == pytest.approx(49.3) and np.isnan(found[1:]).all()


def test_deviations_are_compared_by_their_ratio():
    """F(4, 4) = 3^2: its distribution function is x^2 (3 + x) / (1 + x)^3, so p = 2 (1 - 972 / 1000)."""
    found = deviation_ratio(Sample(0, 6, 5), Sample(0, 2, 5))
    assert found.difference == 3.0 and found.p == pytest.approx(0.056)
    assert found.low < 1 < 3 < found.high
    bound = math.sqrt(stats.f.ppf(0.975, 4, 4))
    np.testing.assert_allclose([found.low, found.high], [3 / bound, 3 * bound], rtol=1e-9)
    other = deviation_ratio(Sample(0, 2, 5), Sample(0, 6, 5))
    np.testing.assert_allclose(other, [1 / 3, 1 / found.high, 1 / found.low, found.p], rtol=1e-9)


def test_deviations_are_not_compared_where_there_are_none():
    assert np.isnan(deviation_ratio(Sample(0, 0.0, 5), Sample(0, 2, 5))[1:]).all()
    assert np.isnan(deviation_ratio(Sample(0, 2, 5), Sample(0, 0.0, 5))).all()
    assert np.isnan(deviation_ratio(Sample(0, math.nan, 1), Sample(0, 2, 5))).all()


def test_holms_adjustment_by_hand():
    """Sorted 0.01, 0.02, 0.03 times 3, 2, 1: 0.03, 0.04, and 0.03 raised to 0.04."""
    found = holm([0.03, 0.01, math.nan, 0.02])
    assert found[:2] + found[3:] == pytest.approx([0.04, 0.03, 0.04]) and math.isnan(found[2])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []
