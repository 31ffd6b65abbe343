"""The scale on which a critic learns, worked out by hand."""

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
