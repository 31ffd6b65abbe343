"""IQL, VDN and QMIX: schedules and targets by hand, real windows of SMAX-3m, and games whose solution is known."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matrix_game import MatrixGame

from gpae import plan
from gpae.algorithms.base import learn
from gpae.algorithms.q_learning import annealed, double_q, td_target
from gpae.algorithms.value_decomposition import ValueDecomposition
from gpae.config import ConfigError, Params
from gpae.environments import base
from gpae.environments.registry import make
from gpae.training import checkpoint
from gpae.training.rollout import collect, start
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
SMALL = {
    "environments": 4,
    "rollout_steps": 24,
    "buffer_windows": 12,
    "batch_size": 8,
    "epochs": 2,
    "learning_starts": 192,
    "mixer_embedding": 8,
    "hypernet_width": 16,
}


def trainer(method="qmix", task="3m", **learner):
    job = plan.job(PARAMS, "smoke", method, task, (0,))
    changed = replace(job.learner, **SMALL | learner)
    return Trainer(replace(job, learner=changed, network=replace(job.network, width=16)))


def first_seed(tree):
    return jax.tree.map(lambda leaf: leaf[0], tree)


# ------------------------------------------------------------------------------------------------------- schedules


def test_epsilon_by_hand():
    """1,000 updates, 10% of them from 1.0 to 0.05: 0.95 / 100 less an update."""
    seen = [float(annealed(jnp.int32(update), 100.0, 1.0, 0.05)) for update in (0, 1, 50, 99, 100, 999)]
    np.testing.assert_allclose(seen, [1.0, 0.9905, 0.525, 0.0595, 0.05, 0.05], atol=1e-6)
    assert float(annealed(jnp.int32(0), 0.0, 1.0, 0.05)) == pytest.approx(0.05)


def test_a_job_anneals_over_its_updates():
    job = plan.job(PARAMS, "paper", "qmix", "3m", (0,))
    algorithm = Trainer(job).algorithm
    assert job.updates == 4883  # of 16 x 128 steps
    assert float(algorithm.epsilon(jnp.int32(244))) == pytest.approx(1 - 0.95 * 244 / 488.3)
    assert float(algorithm.epsilon(jnp.int32(489))) == pytest.approx(0.05)


# --------------------------------------------------------------------------------------------------------- targets


def test_double_q_and_target_by_hand():
    """Two agents, three steps, the second of which ends an episode; gamma 0.9.

    Online values choose, the target network's are taken; what is not available is not chosen.
    """
    q = jnp.array([[[1.0, 2.0, 9.0], [0.0, 5.0, 1.0]], [[3.0, 1.0, 2.0], [1.0, 0.0, 2.0]], [[0.0, 0.0, 1.0]] * 2])
    target_q = jnp.array([[[10, 20, 90], [7, 4, 6]], [[5, 8, 8], [1, 1, 3]], [[1, 1, 2]] * 2], jnp.float32)
    available = jnp.ones((3, 2, 3), bool).at[0, 0, 2].set(False)
    following = double_q(q, target_q, available)
    # agent 0 at the first step may not take its best, 9, so takes 2 and is worth 20; agent 1 takes 5, worth 4
    np.testing.assert_array_equal(following, [[20.0, 4.0], [5.0, 3.0], [2.0, 2.0]])

    team = following.sum(1)[:, None, None]  # VDN: [T, 1, B] with one environment
    reward, done = jnp.array([[1.0], [2.0], [3.0]]), jnp.array([[False], [True], [False]])
    # 1 + 0.9 x 24 = 22.6; the episode's end, 2; 3 + 0.9 x 4 = 6.6
    np.testing.assert_allclose(td_target(reward, done, team, 0.9)[:, 0, 0], [22.6, 2.0, 6.6], rtol=1e-6)
    # IQL: each agent with its own value and the team's reward
    own = td_target(reward, done, following[..., None], 0.9)[..., 0]
    np.testing.assert_allclose(own, [[19.0, 4.6], [2.0, 2.0], [4.8, 4.8]], rtol=1e-6)


@cache
def training():
    """A trainer of QMIX that copies its target every third update, and its states and metrics after 0 to 6 updates."""
    made = trainer(target_update_interval=3)
    states, seen = [made.init(jnp.zeros(1, jnp.int32))], [{}]
    for _ in range(6):
        state, metrics = made.update(jax.tree.map(jnp.copy, states[-1]))
        states.append(state)
        seen.append(metrics)
    return made, states, seen


def test_the_buffer_gives_back_what_the_agents_saw_and_did():
    made, states, _ = training()
    state = first_seed(states[-1])
    rollout = made._collect(jax.random.PRNGKey(5), state.learner, state.runner)[1]
    algorithm, window = made.algorithm, rollout.window
    state = algorithm.with_replay(algorithm.init(jax.random.PRNGKey(0)), rollout)
    buffer = algorithm.buffer.add(state.buffer, rollout)
    batch = jax.jit(algorithm.buffer.sample)(jax.random.PRNGKey(1), buffer)
    sources = set()
    for column in range(SMALL["batch_size"]):
        same = (np.asarray(window.action) == np.asarray(batch.action[..., column : column + 1])).all((0, 1))
        (source,) = np.flatnonzero(same)
        sources.add(source)
        at = lambda leaf, place: np.asarray(leaf)[..., place]  # noqa: E731
        for name in ("begins", "reward", "done"):
            np.testing.assert_array_equal(at(getattr(batch, name), column), at(getattr(window, name), source))
        for name in ("observation", "available"):
            mine, theirs = (np.asarray(getattr(view, name)) for view in (batch.view, window.view))
            np.testing.assert_allclose(mine[:, :, column], theirs[:, :, source], atol=1e-6)
        np.testing.assert_allclose(batch.view.state[:, column], window.view.state[:, source], atol=1e-6)
    assert len(sources) > 1 and bool(batch.begins[0].all())
    taken_available = jnp.take_along_axis(window.view.available[:-1], window.action[..., None], axis=-1)
    assert bool(taken_available.all()) and not bool(window.view.available.all())


@pytest.mark.parametrize("method", ["iql", "vdn", "qmix"])
def test_the_loss_is_the_error_of_the_targets_step_by_step(method):
    """Against loops over steps, agents and windows, with online and target networks that differ."""
    made, states, _ = training()
    batch = jax.jit(made.algorithm.buffer.sample)(jax.random.PRNGKey(1), first_seed(states[-1]).learner.buffer)
    learner, chosen_method = made.job.learner, PARAMS.method(method)
    algorithm = ValueDecomposition(made.environment, chosen_method, learner, made.job.network, 1)
    online, target = (algorithm.init(jax.random.PRNGKey(key)).online for key in (1, 2))
    online, target = (jax.tree.map(lambda leaf: leaf + 0.1, networks) for networks in (online, target))
    assert bool(batch.done[:-1].any())  # or else no end is tested

    def q_values(params):
        hidden = jnp.zeros((3, SMALL["batch_size"], 16))
        return algorithm.agent.apply(params, hidden, batch.view.observation, batch.begins)[0]

    q, target_q = (np.asarray(q_values(params.agent)) for params in (online, target))
    time, agents, size = batch.action.shape
    action, available, done, reward = (
        np.asarray(leaf) for leaf in (batch.action, batch.view.available, batch.done, batch.reward)
    )
    chosen, following = np.zeros((time, agents, size)), np.zeros((time, agents, size))
    for t, i, b in np.ndindex(time, agents, size):
        chosen[t, i, b] = q[t, i, b, action[t, i, b]]
        can = np.flatnonzero(available[t + 1, i, b])
        following[t, i, b] = target_q[t + 1, i, b, can[np.argmax(q[t + 1, i, b, can])]]
    value = algorithm.mixer.apply(online.mixer, jnp.float32(chosen), batch.view.state[:-1])
    after = np.asarray(algorithm.mixer.apply(target.mixer, jnp.float32(following), batch.view.state[1:]))
    aims = np.zeros(value.shape)
    for t, m, b in np.ndindex(*value.shape):
        rest = 0.0 if done[t, b] else learner.gamma * after[t, m, b]
        aims[t, m, b] = learner.reward_scale * reward[t, b] + rest
    loss, metrics = jax.jit(algorithm._loss)(online, target, batch)
    assert value.shape[1] == (3 if method == "iql" else 1)
    assert float(loss) == pytest.approx(float(np.mean((np.asarray(value) - aims) ** 2)), rel=1e-4)
    assert float(metrics["target_mean"]) == pytest.approx(aims.mean(), rel=1e-4, abs=1e-5)
    assert float(metrics["q_mean"]) == pytest.approx(chosen.mean(), rel=1e-4, abs=1e-5)


# ---------------------------------------------------------------------------------------------------------- updates


def test_learning_starts_late_and_the_target_follows_by_copies():
    """96 steps an update: nothing is learned at the first; the target is a copy at updates 3 and 6."""
    _, states, seen = training()
    same = lambda one, other: jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, other))  # noqa: E731
    for update in range(1, 7):
        before, after, metrics = states[update - 1].learner, states[update].learner, seen[update]
        learns = update >= 2
        assert same(after.online, before.online) != learns
        assert same(after.target, after.online) == (update in (1, 3, 6))
        assert same(after.target, before.target) == (update not in (3, 6))
        assert float(metrics["learning"][0]) == learns and (float(metrics["gradient_norm"][0]) > 0) == learns
        assert all(bool(jnp.isfinite(value).all()) for value in metrics.values())
        assert bool(after.buffer.is_full[0]) == (update >= 3)  # 12 windows of 4 environments


def test_a_saved_state_goes_on_with_the_same_bits(tmp_path):
    """The buffer is part of it: after 3 updates it is full, and the next ones sample from it."""
    made, states, _ = training()
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(states[3]))  # or else an update compiles anew
    checkpoint.save(tmp_path / "3", made.job, states[3])
    state = jax.tree.map(jnp.array, checkpoint.restore(tmp_path / "3", made.job, states[3]))
    for _ in range(3):
        state, _ = made.update(state)
    for resumed, unbroken in zip(jax.tree.leaves(state), jax.tree.leaves(states[6]), strict=True):
        np.testing.assert_array_equal(resumed, unbroken)


def test_what_cannot_run_is_refused_in_one_line():
    with pytest.raises(ConfigError, match="families: cannot run hopper_3x1, a task of mabrax; allowed: smax, mpe"):
        plan.job(PARAMS, "smoke", "qmix", "hopper_3x1", (0,))
    job = plan.job(PARAMS, "smoke", "vdn", "3m", (0,))
    environment = make("smax", **job.environment)
    environment.spec = replace(environment.spec, actions=base.Continuous(2))
    with pytest.raises(ValueError, match="VDN needs discrete actions; 3m has continuous ones"):
        ValueDecomposition(environment, job.method, job.learner, job.network, 1)


# ------------------------------------------------------------------------------------------------------------ games


def solve(method, payoff, updates=800):
    """Learned from uniform play: the team's value of every joint action, and the greedy joint action."""
    game, job = MatrixGame(payoff), plan.job(PARAMS, "smoke", method, "3m", (0,))
    settings = {
        "environments": 8,
        "rollout_steps": 8,
        "buffer_windows": 800,
        "batch_size": 32,
        "epochs": 4,
        "learning_rate": 1e-2,
        "epsilon_finish": 1.0,
        "learning_starts": 0,
        "reward_scale": 1.0,
        "mixer_embedding": 8,
        "hypernet_width": 16,
        "mixer_init_scale": 1.0,
    }
    network = replace(job.network, width=16, recurrent=False)
    algorithm = ValueDecomposition(game, job.method, replace(job.learner, **settings), network, updates)
    runner = start(game, jax.random.PRNGKey(0), 8, 0)

    def play(key, state):
        return collect(game, algorithm.explore(state), key, runner, 8)[1]

    @jax.jit
    def run(key):
        state = algorithm.init(key)
        state = algorithm.with_replay(state, jax.eval_shape(play, key, state))

        def update(state, key):
            return learn(algorithm, key, state, play(jax.random.fold_in(key, 1), state))[0], None

        return jax.lax.scan(update, state, jax.random.split(key, updates))[0].online

    online = run(jax.random.PRNGKey(1))
    _, view = game.reset(None, 1)
    q, _ = algorithm.agent.apply(online.agent, jnp.zeros((2, 1, 0)), view.observation[None], jnp.ones((1, 1), bool))
    rows, columns = (axis.ravel() for axis in np.indices((len(payoff), len(payoff))))
    joint = jnp.stack([q[0, 0, 0, rows], q[0, 1, 0, columns]], axis=1)[..., None]
    value = algorithm.mixer.apply(online.mixer, joint, jnp.ones((len(joint), 1, 1)))
    policies, _ = algorithm.act(online.agent)(jnp.zeros((2, 1, 0)), view, jnp.ones(1, bool))
    return np.asarray(value).reshape(np.shape(payoff)), tuple(int(action) for action in policies.mode()[:, 0])


def test_qmix_represents_a_game_that_a_sum_cannot():
    """State 2B of the QMIX paper's two-step game (its Table 1): VDN fits the rows' and columns' means, by hand
    0.5 and 4.5 each with 2.5 over all, so -1.5, 2.5 and 6.5; QMIX learns the payoffs."""
    payoff = [[0.0, 1.0], [1.0, 8.0]]
    value, greedy = solve("vdn", payoff)
    np.testing.assert_allclose(value, [[-1.5, 2.5], [2.5, 6.5]], atol=0.5)
    assert greedy == (1, 1)
    value, greedy = solve("qmix", payoff)
    np.testing.assert_allclose(value, payoff, atol=0.25)
    assert greedy == (1, 1)


def test_qmix_misses_an_optimum_that_no_monotonic_mixer_has():
    """8 for (0, 0), but 12 lost when one agent alone plays 0, and 6 when none does.

    Values monotonic in each agent's, fitted to uniform play: with 0 as both agents' worst action the five joint actions
    with a 0 share their mean, -8, and miss by 16^2 + 4 x 4^2 = 320; with 0 as both's best the eight others share -3
    and miss by 8 x 9^2 = 648; with 0 as one's best and the other's worst, 487. A table of the joint values, which is
    the payoff itself, has no such trouble.
    """
    payoff = np.array([[8.0, -12.0, -12.0], [-12.0, 6.0, 6.0], [-12.0, 6.0, 6.0]])
    assert np.unravel_index(payoff.argmax(), payoff.shape) == (0, 0)
    value, greedy = solve("qmix", payoff)
    assert payoff[greedy] == 6
    np.testing.assert_allclose(value, [[-8.0, -8.0, -8.0], [-8.0, 6.0, 6.0], [-8.0, 6.0, 6.0]], atol=1.5)
