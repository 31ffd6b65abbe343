"""The multi-level advantage, worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from gpae.advantages import coma, multilevel

# one step and environment, three agents: 1 attends mostly to 2, the others to themselves
ATTENTION = jnp.asarray([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])[None, :, :, None]


def sets(threshold) -> np.ndarray:
    return np.asarray(multilevel.correlated_sets(ATTENTION, threshold))[0, :, :, 0].astype(int)


def test_whom_an_agent_attends_to_enough_is_correlated_with_it():
    np.testing.assert_array_equal(sets(0.3), [[1, 1, 0], [0, 1, 1], [0, 0, 1]])


@pytest.mark.parametrize("threshold,size", [(0.0, 3), (2.0, 1)])
def test_an_agent_is_in_its_own_set_whatever_the_threshold(threshold, size):
    found = sets(threshold)
    assert (np.diag(found) == 1).all() and (found.sum(1) == size).all()


def test_members_are_averaged_out_and_the_others_do_what_they_did():
    action = jnp.asarray([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])[None, :, None]
    policy = jnp.asarray([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])[None, :, None]
    found = multilevel.marginalised(action, policy, jnp.asarray([True, False, True])[None, :, None])
    np.testing.assert_allclose(found[0, :, 0], [[0.2, 0.8], [0.0, 1.0], [0.9, 0.1]])


def test_three_levels_by_hand():
    # two agents; joint, individual and correlated baselines of each
    q = jnp.full((1, 2, 1), 5.0)
    baselines = jnp.asarray([[2.0, 2.0], [4.0, 1.0], [3.0, 6.0]])[:, None, :, None]
    weights = jnp.asarray([0.5, 0.25, 0.25])[:, None, None, None]
    # 5 - (1 + 1 + 0.75) and 5 - (1 + 0.25 + 1.5)
    np.testing.assert_allclose(multilevel.advantage(q, baselines, weights)[0, :, 0], [2.25, 2.25])
    last = jnp.asarray([0.0, 0.0, 1.0])[:, None, None, None]
    np.testing.assert_allclose(multilevel.advantage(q, baselines, last)[0, :, 0], [2, -1])
    each = jnp.concatenate([weights, last], axis=2)  # agent 0 has the former, agent 1 the latter
    np.testing.assert_allclose(multilevel.advantage(q, baselines, each)[0, :, 0], [2.25, -1])


def test_weights_of_the_attention_by_hand():
    """0.3 of the own attention, 0.3 of the correlated others', the rest; C_1 = {1, 2}, C_2 = {2, 3}, C_3 = {3}."""
    found = multilevel.attention_weights(ATTENTION, multilevel.correlated_sets(ATTENTION, 0.3), 0.3)[:, 0, :, 0]
    own, others = 0.3 * np.array([0.6, 0.3, 0.8]), 0.3 * np.array([0.3, 0.5, 0.0])
    np.testing.assert_allclose(found, [1 - own - others, own, others], rtol=1e-6)


def test_weights_are_of_the_state():
    q = jnp.asarray([[3.0], [3.0]])[..., None]
    baselines = jnp.asarray([[1.0, 1.0], [2.0, 2.0]])[:, :, None, None]
    weights = jnp.asarray([[1.0, 0.0], [0.0, 1.0]])[..., None, None]
    np.testing.assert_allclose(multilevel.advantage(q, baselines, weights)[:, 0, 0], [2.0, 1.0])


def test_all_weight_on_the_own_action_is_coma():
    # Q of agent 0's two actions beside what agent 1 did
    values, policy = jnp.asarray([1.0, 5.0]), jnp.asarray([0.25, 0.75])
    own = (policy * values).sum()
    baselines = jnp.asarray([9.0, own, 7.0])[:, None, None, None]
    individual = jnp.asarray([0.0, 1.0, 0.0])[:, None, None, None]
    found = multilevel.advantage(values[1].reshape(1, 1, 1), baselines, individual)
    as_coma = coma.counterfactual(values[None, None, None], policy[None, None, None], jnp.ones((1, 1, 1), int))
    np.testing.assert_allclose(found, as_coma)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(AssertionError):
        multilevel.advantage(jnp.zeros((1, 2, 1)), jnp.zeros((3, 1, 2, 1)), jnp.zeros((2, 1, 1, 1)))
    with pytest.raises(AssertionError):
        multilevel.marginalised(jnp.zeros((1, 2, 1, 2)), jnp.zeros((1, 2, 1, 3)), jnp.zeros((1, 2, 1), bool))
