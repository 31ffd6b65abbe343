"""The 5% stops of the motivation experiment, on the real SMAX-3m."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.environments.base import Interruption
from gpae.environments.registry import make
from gpae.environments.smax.rules import STOP
from gpae.networks.policies import Categorical

SETTINGS = {
    "scenario": "3m",
    "implementation": "fast",
    "see_enemy_actions": True,
    "walls_cause_death": True,
    "attack_mode": "closest",
}


@pytest.fixture(scope="module")
def steps():
    """300 steps of 16 environments in which everybody goes north: chosen actions [N, B] and what came of them."""
    environment = make("smax", **SETTINGS, stop_probability=0.05)
    chosen = jnp.zeros((3, 16), jnp.int32)

    def one(state, key):
        return environment.step(key, state, chosen)

    state, _ = environment.reset(jax.random.PRNGKey(0), 16)
    keys = jax.random.split(jax.random.PRNGKey(1), 300)
    return environment, chosen, jax.jit(lambda state: jax.lax.scan(one, state, keys)[1])(state)


def test_one_agent_stops_with_the_probability_given(steps):
    environment, chosen, found = steps
    assert environment.spec.interruption == Interruption(STOP, pytest.approx(0.05 / 3))
    replaced, agent = np.asarray(found.disturbance.replaced), np.asarray(found.disturbance.agent)
    stopped = np.asarray(found.executed) == STOP
    assert np.array_equal(stopped.any(axis=1), replaced) and stopped.sum(axis=1).max() == 1
    time, batch = np.nonzero(replaced)
    assert stopped[time, agent[time, batch], batch].all()
    count = replaced.size
    assert abs(replaced.mean() - 0.05) < 3 * np.sqrt(0.05 * 0.95 / count)
    shares = np.bincount(agent.ravel(), minlength=3) / count
    assert np.abs(shares - 1 / 3).max() < 3 * np.sqrt(2 / 9 / count)


def test_the_executed_action_is_what_happens():
    """With probability 1 a drawn unit stays where it is, and the others move as in the undisturbed environment."""
    environment, still = make("smax", **SETTINGS, stop_probability=1.0), make("smax", **SETTINGS)
    assert still.spec.interruption is None
    state, _ = environment.reset(jax.random.PRNGKey(0), 4)
    after, step = environment.step(jax.random.PRNGKey(2), state, jnp.zeros((3, 4), jnp.int32))
    moved = np.asarray(after.units.y - state.units.y)[:3]
    drawn = np.arange(3)[:, None] == np.asarray(step.disturbance.agent)
    assert (np.abs(moved[drawn]) < 0.2).all() and (np.abs(moved[~drawn]) > 0.5).all()


def test_actions_are_executed_as_often_as_the_policies_state():
    """Everybody hardly ever chooses to stop, and the task stops one of three at half of the steps."""
    environment = make("smax", **SETTINGS, stop_probability=0.5)
    state, view = environment.reset(jax.random.PRNGKey(0), 4096)
    logits = jnp.zeros(view.available.shape).at[..., STOP].set(-20.0)
    policies = Categorical.masked(logits, view.available).interrupted(environment.spec.interruption)
    _, step = environment.step(jax.random.PRNGKey(1), state, policies.sample(jax.random.PRNGKey(2)))
    stated = np.exp(policies.log_prob(jnp.full(step.executed.shape, STOP)))
    np.testing.assert_allclose(stated, 1 / 6, rtol=1e-5)
    often = np.mean(np.asarray(step.executed) == STOP)
    assert abs(often - 1 / 6) < 3 * np.sqrt(1 / 6 * 5 / 6 / step.executed.size)
