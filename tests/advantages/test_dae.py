"""DAE's advantage, worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from gpae.advantages import dae

GAE = jnp.array([[[10.0], [10.0]], [[20.0], [20.0]], [[30.0], [30.0]]])
EXPECTED = jnp.array([[[1.0], [2.0]], [[4.0], [8.0]], [[16.0], [32.0]]])
ONE = jnp.ones_like(GAE)
GOES_ON, ENDS = jnp.zeros((3, 1), bool), jnp.array([[False], [True], [False]])


def test_beta_0_takes_away_the_first_expected_reward_alone():
    np.testing.assert_allclose(dae.advantage(GAE, EXPECTED, GOES_ON, ONE, 0.5, 0.0), GAE - EXPECTED)


def test_beta_1_is_the_whole_discounted_sum():
    # gamma 0.5: 16; 4 + 8 = 12; 1 + 2 + 4 = 7 for the first agent, twice as much for the second
    difference = np.array([[[7.0], [14.0]], [[12.0], [24.0]], [[16.0], [32.0]]])
    np.testing.assert_allclose(dae.advantage(GAE, EXPECTED, GOES_ON, ONE, 0.5, 1.0), GAE - difference)


def test_beta_between_and_the_episodes_end():
    # gamma beta 0.25 and step 1 ends the episode: 16; 4; 1 + 0.25 * 4 = 2
    difference = np.array([[[2.0], [4.0]], [[4.0], [8.0]], [[16.0], [32.0]]])
    np.testing.assert_allclose(dae.advantage(GAE, EXPECTED, ENDS, ONE, 0.5, 0.5), GAE - difference)


def test_off_policy_each_agents_later_terms_are_weighed_by_its_own_truncated_ratios():
    ratio = jnp.array([[[9.0], [9.0]], [[0.5], [1.0]], [[0.25], [0.0]]])  # the first is not used
    # gamma 1, beta 1, agent 0: 16; 4 + 0.25 * 16 = 8; 1 + 0.5 * 8 = 5. Agent 1: 32; 8 + 0; 2 + 8 = 10
    difference = np.array([[[5.0], [10.0]], [[8.0], [8.0]], [[16.0], [32.0]]])
    np.testing.assert_allclose(dae.advantage(GAE, EXPECTED, GOES_ON, ratio, 1.0, 1.0), GAE - difference)


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(AssertionError):
        dae.advantage(GAE, EXPECTED[:2], GOES_ON, ONE, 0.5, 1.0)
