"""COMA's one-step advantage, worked out by hand."""

import jax.numpy as jnp
import numpy as np

from gpae.advantages import coma, gpae


def test_two_agents_three_steps_by_hand():
    # gamma 0.5; the episode ends with step 1
    reward = jnp.array([[1.0], [2.0], [4.0]])
    done = jnp.array([[False], [True], [False]])
    value = jnp.array([[[3.0], [1.0]], [[2.0], [6.0]], [[8.0], [0.0]]])
    bootstrap = jnp.array([[10.0], [20.0]])
    expected = [
        [[1 + 0.5 * 2 - 3], [1 + 0.5 * 6 - 1]],  # -1, 3
        [[2 - 2], [2 - 6]],  # nothing comes after the end: 0, -4
        [[4 + 0.5 * 10 - 8], [4 + 0.5 * 20 - 0]],  # 1, 14
    ]
    np.testing.assert_allclose(coma.advantage(reward, done, value, bootstrap, 0.5), expected)


def test_it_is_gpae_without_a_trace():
    key = np.random.default_rng(0)
    reward, done = key.normal(size=(5, 3)), key.random((5, 3)) < 0.3
    value, bootstrap = key.normal(size=(5, 2, 3)), key.normal(size=(2, 3))
    one = coma.advantage(*map(jnp.asarray, (reward, done, value, bootstrap)), 0.9)
    other = gpae.advantage(*map(jnp.asarray, (reward, done, value, bootstrap)), jnp.zeros((5, 2, 3)), 0.9)
    np.testing.assert_allclose(one, other, atol=1e-6)
