"""The scale on which a critic learns, worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.algorithms import value_scale

TARGET = jnp.asarray([[[1.0, 5.0], [3.0, 7.0]]])  # [T, N, B] = [1, 2, 2]
BOTH = jnp.ones((1, 1, 2))


def test_the_first_targets_are_the_whole_of_it():
    mean, deviation = value_scale.updated(value_scale.fresh(), TARGET, BOTH).moments()
    assert (mean, deviation) == (pytest.approx(4, abs=1e-3), pytest.approx(5**0.5, abs=1e-3))


def test_what_was_never_written_does_not_count():
    mean, deviation = value_scale.updated(value_scale.fresh(), TARGET, jnp.asarray([[[1.0, 0.0]]])).moments()
    assert (mean, deviation) == (pytest.approx(2, abs=1e-3), pytest.approx(1, abs=1e-3))


def test_two_updates_count_almost_alike():
    """0.99999 a + b over 1.99999, a = 4 and b = 104."""
    scale = value_scale.updated(value_scale.fresh(), TARGET, BOTH)
    scale = value_scale.updated(scale, TARGET + 100, BOTH)
    weights = np.array([0.99999, 1.0]) / 1.99999
    mean, square = weights @ [4, 104], weights @ [21, 21 + 200 * 4 + 100**2]
    found, deviation = scale.moments()
    assert (found, deviation) == (pytest.approx(mean, rel=1e-3), pytest.approx((square - mean**2) ** 0.5, rel=1e-3))


def test_the_least_deviation_is_a_tenth():
    assert value_scale.fresh().moments() == (0, pytest.approx(0.1))
    scale = value_scale.updated(value_scale.fresh(), jnp.full((1, 1, 2), 0.5), BOTH)
    assert scale.moments()[1] == pytest.approx(0.1)


def test_there_and_back():
    scale = value_scale.updated(value_scale.fresh(), TARGET, BOTH)
    normalised = scale.normalised(TARGET)
    assert float(normalised.mean()) == pytest.approx(0, abs=1e-3) and float(normalised.std()) == pytest.approx(
        1, abs=1e-3
    )
    np.testing.assert_allclose(scale.original(normalised), TARGET, rtol=1e-5)


def test_digits_are_kept_where_the_mean_is_hundreds_of_deviations_away():
    """Targets 39,900 and 40,100, then 40,100 and 40,300: means 40,000 and 40,200, deviations of 100. Of both updates,
    almost alike: mean 40,100, variance 100^2 + 100^2. Squares of 1.6e9 have no digit below 128 in float32."""
    scale = value_scale.fresh()
    targets = [jnp.asarray([[[low, high]]], jnp.float32) for low, high in ((39_900, 40_100), (40_100, 40_300))]
    scale = value_scale.updated(scale, targets[0], BOTH)
    assert scale.moments() == (pytest.approx(40_000, rel=1e-6), pytest.approx(100, rel=1e-4))
    np.testing.assert_allclose(scale.normalised(targets[0]), [[[-1, 1]]], rtol=1e-4)
    scale = value_scale.updated(scale, targets[1], BOTH)
    share = 1 / 1.99999
    mean, variance = 40_000 + 200 * share, 100**2 + share * (1 - share) * 200**2
    assert scale.moments() == (pytest.approx(mean, rel=1e-6), pytest.approx(variance**0.5, rel=1e-4))


def test_the_moments_decay_as_harls_do():
    """Running means of the targets and of their squares over their running weight, in float64, over 300 updates."""
    rng, scale = np.random.default_rng(0), value_scale.fresh()
    sums, update = np.zeros(3), jax.jit(value_scale.updated, static_argnums=3)
    for number in range(300):
        target = rng.normal(number / 10, 2.0, size=(5, 2, 3)).astype(np.float32)
        scale = update(scale, jnp.asarray(target), jnp.ones((5, 1, 3)), 10)
        for _ in range(10):  # gradient steps
            seen = target.mean(dtype=float), (target.astype(float) ** 2).mean(), 1.0
            sums = 0.99999 * sums + (1 - 0.99999) * np.array(seen)
    mean, square = sums[:2] / sums[2]
    assert scale.weight == pytest.approx(sums[2], rel=1e-4)
    assert scale.moments() == (pytest.approx(mean, rel=1e-4), pytest.approx((square - mean**2) ** 0.5, rel=1e-4))
