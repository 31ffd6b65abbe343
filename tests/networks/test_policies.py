"""Epsilon-greedy, and choices that a task replaces: how often each action is taken, beside the probability stated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.environments.base import Interruption
from gpae.networks.policies import Categorical, EpsilonGreedy

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


def test_a_replaced_choice_states_what_is_executed():
    """By hand: of the choices 0.5, 0.3 and 0.2 a tenth is replaced by the second."""
    chosen = Categorical(jnp.log(jnp.array([0.5, 0.3, 0.2])))
    policy = chosen.interrupted(Interruption(action=1, chance=0.1))
    actions = jnp.arange(3)
    np.testing.assert_allclose(np.exp(jax.vmap(policy.log_prob)(actions)), [0.45, 0.37, 0.18], rtol=1e-6)
    assert policy.entropy() == chosen.entropy() and (policy.features() == chosen.features()).all()
    assert policy.sample(jax.random.PRNGKey(0)) == chosen.sample(jax.random.PRNGKey(0))


def test_who_never_chooses_what_is_executed_is_not_pushed_away_from_it():
    """Its chance does not fall below the task's, and its gradient goes with the policy's own share of it."""

    def log_prob(logit, chance):
        policy = Categorical.masked(jnp.array([0.0, 0.0, logit]), jnp.ones(3, bool))
        return policy.interrupted(Interruption(action=2, chance=chance)).log_prob(jnp.array(2))

    value, slope = jax.value_and_grad(log_prob)(-60.0, 0.05)
    assert value == pytest.approx(np.log(0.05)) and abs(slope) < 1e-20
    # half its own: p = 0.5, 0.75 in all, of which 2 / 3 are its own choice; d log p / d logit is 1 - p
    value, slope = jax.value_and_grad(log_prob)(np.log(2.0), 0.5)
    assert value == pytest.approx(np.log(0.75)) and slope == pytest.approx(0.5 * 0.5 * 0.5 / 0.75)
