"""HAPPO's turns."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import random_windows

from gpae import plan
from gpae.algorithms.policy_gradient import Held
from gpae.algorithms.sequential import normalised, of_agent
from gpae.algorithms.window import Frozen
from gpae.config import Params
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")


@cache
def held():
    """The algorithm, a state and what an update could hold fixed; both are compiled once for all tests."""
    job = plan.job(PARAMS, "smoke", "happo", "spread_3", (0,))
    learner = replace(job.learner, environments=8, rollout_steps=8, epochs=2, learning_rate=0.01)
    algorithm = Trainer(replace(job, learner=learner, network=replace(job.network, width=16, layers=1))).algorithm
    state = jax.jit(algorithm.init)(jax.random.PRNGKey(0))
    window = random_windows.rollout(algorithm, state.actor.params, 8, 8).window
    advantage = jnp.asarray(np.random.default_rng(1).normal(size=window.log_prob.shape), jnp.float32)
    frozen = Frozen(
        window.log_prob,
        advantage[..., None],
        advantage,
        advantage,
        advantage,
        jnp.ones((8, 1, 8)),
        jnp.ones_like(advantage),
    )
    return algorithm, state, Held(jax.random.PRNGKey(2), window, frozen), jax.jit(algorithm._fit_actor)


def alone(agent: int):
    """An agent's part of what is held, cut by hand."""
    found = held()[2]
    window, frozen, view = found.window, found.frozen, found.window.view
    own = slice(agent, agent + 1)
    window = window._replace(
        view=view._replace(observation=view.observation[:, own], available=view.available[:, own]),
        action=window.action[:, own],
        log_prob=window.log_prob[:, own],
        actor_hidden=window.actor_hidden[own],
        critic_hidden=window.critic_hidden[own],
    )
    parts = {name: leaf[:, own] for name, leaf in frozen._asdict().items() if leaf is not None and name != "weight"}
    return window, frozen._replace(**parts)


def test_an_agents_part():
    found = held()[2]
    for agent in range(3):
        for mine, expected in zip(
            jax.tree.leaves(of_agent(found.window, found.frozen, jnp.asarray(agent))),
            jax.tree.leaves(alone(agent)),
            strict=True,
        ):
            np.testing.assert_array_equal(mine, expected)


def test_each_learns_in_its_turn_and_counts_by_what_the_ones_before_changed():
    algorithm, learner, found, fit = held()
    fitted, _ = fit(learner, found)
    order_key, turn_key = jax.random.split(found.key)
    order, keys = np.asarray(jax.random.permutation(order_key, 3)), jax.random.split(turn_key, 3)
    assert sorted(order) == [0, 1, 2]

    @jax.jit
    def turn(trained, key, window, frozen):
        return algorithm._descend("actor", trained, key, (window, frozen))[0]

    def after(compound: bool):
        """Each agent's own weights after its turn, and the ratio of all."""
        trained, ratio = {}, 1.0
        for key, agent in zip(keys, order, strict=True):
            window, frozen = alone(int(agent))
            advantage = np.asarray(frozen.advantage)
            advantage = (advantage - advantage.mean()) / advantage.std()
            own = jax.tree.map(lambda leaf: leaf[agent], learner.actor)  # noqa: B023
            own = turn(own, key, window, frozen._replace(advantage=advantage * ratio))
            new = algorithm._log_prob(own.params, window)
            ratio = ratio * jnp.exp(new - frozen.log_prob) if compound else ratio
            trained[int(agent)] = own
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(trained[agent] for agent in range(3))), ratio

    (expected, ratio), (without, _) = after(True), after(False)
    assert float(jnp.abs(ratio - 1).max()) > 0.01  # else it would not matter

    def farthest(other):
        pairs = zip(jax.tree.leaves(fitted["actor"].params), jax.tree.leaves(other.params), strict=True)
        return max(float(jnp.abs(mine - theirs).max()) for mine, theirs in pairs)

    assert farthest(expected) < 1e-5 and farthest(without) > 1e-3


def test_the_order_is_drawn_anew():
    _, learner, found, fit = held()
    kernels = [
        jax.tree.leaves(fit(learner, found._replace(key=jax.random.PRNGKey(seed)))[0]["actor"].params)[-1]
        for seed in range(4)
    ]
    assert len({np.asarray(kernel).tobytes() for kernel in kernels}) > 1


def test_the_learning_rate_falls_by_updates_and_not_by_turns():
    algorithm, learner, found, fit = held()
    fitted, _ = fit(learner, found)
    counts = {int(n) for leaf in jax.tree.leaves(fitted["actor"].optimiser) if leaf.dtype == jnp.int32 for n in leaf}
    assert counts == {algorithm.epochs * algorithm.learner.minibatches}


def test_every_agent_has_a_policy_of_its_own():
    algorithm, learner, found, _ = held()
    window = found.window
    policies, states = algorithm._unrolled(learner.actor.params, window, slice(None))
    assert states.shape[:3] == policies.log_probs.shape[:3] == (9, 3, 8)
    for agent in range(3):
        own = jax.tree.map(lambda leaf: leaf[agent], learner.actor.params)  # noqa: B023
        expected = algorithm._unrolled(own, alone(agent)[0], slice(None), algorithm.one_actor)[0]
        np.testing.assert_allclose(policies.log_probs[:, agent], expected.log_probs[:, 0], atol=1e-5)
    kernels = [leaf for leaf in jax.tree.leaves(learner.actor.params) if leaf.ndim == 3]
    apart = [float(jnp.abs(leaf[0] - leaf[1]).max()) for leaf in kernels if float(jnp.abs(leaf).max()) > 0]  # no biases
    assert apart and min(apart) > 0


def test_an_agents_advantages_are_normalised_over_the_steps_that_count():
    """Of 1, 3, 5 and 100 the last does not count: mean 3, deviation sqrt(8/3)."""
    advantage = jnp.array([1.0, 3.0, 5.0, 100.0])[:, None, None]
    frozen = Frozen(None, None, None, advantage, None, jnp.ones((4, 1, 1)), jnp.array([1.0, 1, 1, 0])[:, None, None])
    found = normalised(frozen).advantage[:3, 0, 0]
    np.testing.assert_allclose(found, np.array([-2, 0, 2]) / (8 / 3) ** 0.5, rtol=1e-4, atol=1e-6)
