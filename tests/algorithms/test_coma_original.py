"""COMA as its paper has it: targets by hand, an update step by step, a game whose solution is known."""

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from matrix_game import MatrixGame
from test_dop import Line, same

from gpae import plan
from gpae.advantages.taken import taken
from gpae.algorithms.base import learn
from gpae.algorithms.coma import Coma
from gpae.algorithms.dop import Dop
from gpae.algorithms.window_buffer import Batch
from gpae.config import Params
from gpae.environments.base import View
from gpae.networks.policies import Categorical
from gpae.training.rollout import collect, start
from gpae.training.update import QUICKLY, Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
SMALL = {"environments": 4, "rollout_steps": 16, "buffer_windows": 4, "batch_size": 4}
SMALL |= {"on_policy_windows": 4, "on_policy_batch_size": 4, "critic_slice": 4, "target_update_interval": 7}
quick = partial(jax.jit, compiler_options=QUICKLY)


def learner_of(game, kind=Coma, updates=40, **settings):
    job = plan.job(PARAMS, "asae", "asae_coma_original", "3m", (0,))
    network = replace(job.network, width=8, layers=1, recurrent=False)
    return kind(game, job.method, replace(job.learner, **SMALL | settings), network, updates)


def test_td_lambda_by_hand():
    """gamma 0.5, lambda 0.8; Q of what was done is 1, 2, 4 and, after the last step, 6.

    y_2 = 3 + 0.5 * 6 = 6; y_1 = 1 + 0.5 (0.2 * 4 + 0.8 * 6) = 3.8; y_0 = 2 + 0.5 (0.2 * 2 + 0.8 * 3.8) = 3.72; where
    step 1 ends an episode y_1 = 1 and y_0 = 2 + 0.5 (0.2 * 2 + 0.8 * 1) = 2.6; where the time limit does, y_1 = 2 and
    y_0 = 2 + 0.5 * 2 = 3.
    """

    class Known(Coma):
        def _values(self, params, situation, action):
            return jnp.broadcast_to(situation[:, None], (*action.shape, 2))

    algorithm = learner_of(MatrixGame(np.zeros((2, 2))), Known, gamma=0.5, lam=0.8, reward_scale=1.0)
    states = jnp.broadcast_to(jnp.array([1.0, 2.0, 4.0, 6.0])[:, None, None], (4, 3, 1))
    view = View(jnp.zeros((4, 2, 3, 1)), states, jnp.ones((4, 2, 3, 2), bool))
    done = jnp.zeros((3, 3), bool).at[1, 1:].set(True)
    reward = jnp.broadcast_to(jnp.array([2.0, 1.0, 3.0])[:, None], (3, 3))
    truncated = jnp.zeros((3, 3), bool).at[1, 2].set(True)
    batch = Batch(view, jnp.zeros((4, 3), bool), jnp.zeros((3, 2, 3), jnp.int32), reward, done, truncated)
    policies = Categorical(jnp.log(jnp.full((4, 2, 3, 2), 0.5)))
    found = algorithm.td_lambda(jax.random.PRNGKey(0), None, batch, policies)
    for agent in range(2):
        np.testing.assert_allclose(found[:, agent, 0], [3.72, 3.8, 6.0], rtol=1e-6)
        np.testing.assert_allclose(found[:, agent, 1], [2.6, 1.0, 6.0], rtol=1e-6)
        np.testing.assert_allclose(found[:, agent, 2], [3.0, 2.0, 6.0], rtol=1e-6)


@cache
def line():
    """A learner of 4 steps of the critic an update that copies its target after 7 or more, and its states after 0 to 4
    updates."""
    game = Line([[0.0, 1.0], [1.0, 8.0]])
    algorithm = learner_of(game)

    def play(key, state):
        return collect(game, algorithm.explore(state), key, start(game, key, 4, 0), 16)[1]

    @quick
    def update(key, state):
        return learn(algorithm, key, state, play(jax.random.fold_in(key, 1), state))[::2]

    first = algorithm.init(jax.random.PRNGKey(0))
    states, seen = [algorithm.with_replay(first, jax.eval_shape(play, jax.random.PRNGKey(0), first))], [{}]
    for key in jax.random.split(jax.random.PRNGKey(1), 4):
        state, metrics = update(key, states[-1])
        states.append(state)
        seen.append(metrics)
    return algorithm, states, seen


def test_every_update_learns_and_the_target_follows_by_copies():
    _, states, seen = line()
    for update in range(1, 5):
        before, after = states[update - 1], states[update]
        assert not same(after.actor.params, before.actor.params)
        assert not same(after.critic.params, before.critic.params)
        assert same(after.target, before.target) == (update not in (2, 4))
        assert same(after.target, after.critic.params) == (update in (2, 4))
        assert int(after.critic_steps) == 4 * update
        assert all(bool(jnp.isfinite(value).all()) for value in seen[update].values())


def test_the_critic_goes_backwards_through_the_batch_and_the_actor_follows_it():
    """An update by hand: 4 gradient steps on 4 time steps each, the last first, to targets of the target network; then
    the actor's one, along Q(s, a) - E Q by the critic afterwards."""
    algorithm, states, _ = line()
    learner, state, key = algorithm.learner, states[3], jax.random.PRNGKey(7)
    fields, _ = quick(algorithm._fit)(state, key)
    batch = algorithm.buffer.batch(algorithm.buffer.newest(state.buffer, 4))
    epsilon = algorithm.epsilon(state.updates - 1)
    assert not same(state.target, state.critic.params)

    @quick
    def targets():
        policies = algorithm._policies(state.actor.params, batch, epsilon)
        return algorithm.td_lambda(key, state.target, batch, policies)

    def moved(trained, gradients, rate):
        memory = next(part.nu for part in jax.tree.leaves(trained[1], is_leaf=lambda x: hasattr(x, "nu")))
        norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(gradients)))
        gradients = jax.tree.map(lambda leaf: leaf * jnp.minimum(1.0, learner.max_gradient_norm / norm), gradients)
        memory = jax.tree.map(lambda s, g: 0.99 * s + 0.01 * g**2, memory, gradients)
        params = jax.tree.map(lambda p, g, s: p - rate * g / (jnp.sqrt(s) + 1e-5), trained[0], gradients, memory)
        return params, optax.ScaleByRmsState(nu=memory)

    @quick
    @jax.grad
    def slope(params, counts):
        q = algorithm._values(params, batch.view.state[:-1], batch.action)
        return jnp.mean((taken(q, batch.action) - aim) ** 2, axis=(1, 2)) @ counts / 4

    aim, critic = targets(), (state.critic.params, state.critic.optimiser)
    for part in (3, 2, 1, 0):
        critic = moved(critic, slope(critic[0], (jnp.arange(16) // 4 == part).astype(jnp.float32)), 1e-3)
    for found, expected in zip(jax.tree.leaves(fields["critic"].params), jax.tree.leaves(critic[0]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)

    @quick
    @jax.grad
    def uphill(actor):
        policies = Categorical(algorithm._policies(actor, batch, epsilon).log_probs[:-1])
        q = algorithm._values(fields["critic"].params, batch.view.state[:-1], batch.action)
        weight = taken(q, batch.action) - jnp.sum(policies.features() * q, axis=-1)
        return -jnp.mean(jax.lax.stop_gradient(weight) * policies.log_prob(batch.action))

    actor = moved((state.actor.params, state.actor.optimiser), uphill(state.actor.params), 1e-3)
    for found, expected in zip(jax.tree.leaves(fields["actor"].params), jax.tree.leaves(actor[0]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_a_job_is_learned_by_what_its_method_says():
    jobs = [plan.job(PARAMS, "asae", name, "3m", (0,)) for name in ("asae_coma_original", "dop")]
    assert [type(Trainer(job).algorithm) for job in jobs] == [Coma, Dop]
    job = plan.job(PARAMS, "asae", "asae_coma_original", "3m", (0,))
    assert (job.learner.critic_slice, job.learner.target_update_interval, job.learner.lam) == (1, 200, 0.8)
    assert plan.job(PARAMS, "asae", "dop", "3m", (0,)).training_parameters["method"] == {"algorithm": "dop"}


def test_agents_learn_to_act_together():
    """Payoffs 0, 1, 1 and 8: the joint action of 8, and its value."""
    game, updates = MatrixGame([[0.0, 1.0], [1.0, 8.0]]), 300
    settings = {"environments": 8, "rollout_steps": 8, "buffer_windows": 8, "batch_size": 8, "on_policy_windows": 8}
    settings |= {"on_policy_batch_size": 8, "learning_rate": 1e-2, "critic_learning_rate": 1e-2, "reward_scale": 1.0}
    algorithm = learner_of(game, updates=updates, **settings)
    runner = start(game, jax.random.PRNGKey(0), 8, 0)

    def play(key, state):
        return collect(game, algorithm.explore(state), key, runner, 8)[1]

    @quick
    def run(key):
        state = algorithm.init(key)
        state = algorithm.with_replay(state, jax.eval_shape(play, key, state))

        def update(state, key):
            return learn(algorithm, key, state, play(jax.random.fold_in(key, 1), state))[0], None

        return jax.lax.scan(update, state, jax.random.split(key, updates))[0]

    state = run(jax.random.PRNGKey(1))
    _, view = game.reset(None, 1)
    policies, _ = algorithm.act(state.actor.params)(jnp.zeros((2, 1, 0)), view, jnp.ones(1, bool))
    assert np.exp(policies.log_prob(jnp.ones((2, 1), jnp.int32))).min() > 0.9
    q = algorithm._values(state.critic.params, view.state[None], jnp.ones((1, 2, 1), jnp.int32))
    assert q[0, :, 0, 1] == pytest.approx(8.0, abs=0.8)
