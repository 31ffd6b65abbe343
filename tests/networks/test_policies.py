"""Epsilon-greedy: how often each action is taken, beside the probability that it states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.networks.policies import EpsilonGreedy

# the third action is best, but it is not available; then the second is
Q = jnp.array([0.0, 1.0, 9.0, -1.0])
AVAILABLE = jnp.array([True, True, False, True])


def policy(epsilon, shape=()):
    spread = lambda leaf: jnp.broadcast_to(leaf, (*shape, 4))  # noqa: E731
    return EpsilonGreedy(spread(Q), spread(AVAILABLE), jnp.full(shape, epsilon))


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_actions_come_as_often_as_stated(epsilon):
    count = 20_000
    drawn = np.asarray(policy(epsilon, (count,)).sample(jax.random.PRNGKey(0)))
    # by hand: epsilon / 3 each of the three that are available, and the rest for the second
    expected = np.array([epsilon / 3, 1 - 2 * epsilon / 3, 0, epsilon / 3])
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / count, expected, atol=0.012)
    stated = np.exp(policy(epsilon, (4,)).log_prob(jnp.arange(4)))
    np.testing.assert_allclose(stated, expected, atol=1e-7)


def test_the_mode_is_the_best_available_whatever_epsilon():
    assert policy(1.0).mode() == policy(0.0).mode() == 1
    assert policy(0.0).mode().dtype == policy(0.5).sample(jax.random.PRNGKey(0)).dtype == jnp.int32
