"""The marginal advantage, worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from gpae.advantages import coma, marginal

# one step, two agents with two actions, one environment; two samples of the others' actions
Q = [[[1.0, 5.0], [2.0, 0.0]], [[3.0, 1.0], [4.0, 6.0]]]  # [sample, agent, own action]
POLICY = [[0.25, 0.75], [0.5, 0.5]]
ACTION = [1, 0]


def arrays():
    q, policy = (jnp.moveaxis(jnp.asarray(x)[..., None], -1, -2) for x in (Q, POLICY))
    return q[:, None], policy[None], jnp.asarray(ACTION)[None, :, None]


def test_two_samples_by_hand():
    # agent 0: 5 - (0.25 * 1 + 0.75 * 5) = 1 and 1 - (0.25 * 3 + 0.75 * 1) = -0.5; agent 1: 2 - 1 = 1 and 4 - 5 = -1
    np.testing.assert_allclose(marginal.advantage(*arrays()), [[[0.25], [0.0]]])


def test_one_sample_the_actions_taken_is_coma():
    q, policy, action = arrays()
    expected = [[[1.0], [1.0]]]
    np.testing.assert_allclose(coma.counterfactual(q[0], policy, action), expected)
    np.testing.assert_allclose(marginal.advantage(q[:1], policy, action), expected)


def test_an_action_that_is_never_taken_does_not_count_in_the_baseline():
    q, policy, action = arrays()
    policy = jnp.asarray([0.0, 1.0])[None, None, None] * jnp.ones((1, 2, 1, 1))
    np.testing.assert_allclose(coma.counterfactual(q, policy, action)[:, 0, 0, 0], [0.0, 0.0])


def test_shapes_that_do_not_fit_are_refused():
    q, policy, action = arrays()
    with pytest.raises(AssertionError):
        marginal.advantage(q[..., :1], policy, action)
    with pytest.raises(AssertionError):
        marginal.advantage(q, policy, action[:, :1])
