"""DOP: targets by hand and on a game that is solved exactly, the critic's mean, real windows of SMAX-3m."""

from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matrix_game import MatrixGame

from gpae import plan
from gpae.advantages import gae
from gpae.algorithms.base import learn
from gpae.algorithms.dop import Dop, advantage, softened
from gpae.algorithms.tree_backup import target
from gpae.algorithms.window_buffer import Batch
from gpae.config import ConfigError, Params
from gpae.environments import base
from gpae.environments.base import View
from gpae.environments.registry import make
from gpae.networks.decomposed import Decomposed
from gpae.networks.policies import Categorical
from gpae.training import checkpoint
from gpae.training.rollout import collect, start
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
SMALL = {"environments": 4, "rollout_steps": 16, "buffer_windows": 12, "batch_size": 8, "epochs": 2}


def trainer(**learner):
    job = plan.job(PARAMS, "smoke", "dop", "3m", (0,))
    changed = replace(job.learner, **SMALL | {"mixer_embedding": 8} | learner)
    return Trainer(replace(job, learner=changed, network=replace(job.network, width=16, layers=1)))


# --------------------------------------------------------------------------------------------------------- targets


def test_tree_backup_by_hand():
    """gamma 0.5, lambda 0.8, two steps; the second of three steps ends an episode.

    delta = 1 + 0.5 * 4 - 2 = 1,  2 - 3 = -1,  3 + 0.5 * 2 - 1 = 3
    y_0 = 2 + 1 + 0.5 * 0.8 * 0.25 * (-1) = 2.9; over the end nothing flows: y_1 = 3 - 1 = 2; y_2 = 1 + 3 = 4
    """
    column = lambda *values: jnp.array(values)[:, None]  # noqa: E731
    reward, done = column(1.0, 2.0, 3.0), column(False, True, False)
    value, expected, chance = column(2.0, 3.0, 1.0), column(4.0, 9.0, 2.0), column(0.9, 0.25, 0.5)
    found = target(reward, done, value, expected, chance, 0.5, 0.8, 2)
    np.testing.assert_allclose(found[:, 0], [2.9, 2.0, 4.0], rtol=1e-6)
    one = target(reward, done, value, expected, chance, 0.5, 0.8, 1)
    np.testing.assert_allclose(one[:, 0], [3.0, 2.0, 4.0], rtol=1e-6)


def test_along_a_policy_without_choice_the_tree_is_the_lambda_return():
    """Every chance is 1 and the mean over actions is the value of the one; as many steps as there are."""
    keys = jax.random.split(jax.random.PRNGKey(0), 3)
    reward, value = (jax.random.normal(key, (9, 4)) for key in keys[:2])
    done = jax.random.uniform(keys[2], (9, 4)) < 0.2
    last = jnp.ones(4)
    following = jnp.concatenate([value[1:], last[None]])
    found = target(reward, done, value, following, jnp.ones((9, 4)), 0.9, 0.7, 9)
    np.testing.assert_allclose(found, value + gae.advantage(reward, done, value, last, 0.9, 0.7), rtol=1e-5, atol=1e-6)


def test_whoever_played_the_tree_backups_fixed_point_is_the_judged_policys_value():
    """A random game of 4 states and 3 joint actions, played uniformly for 3,000 steps: the mean target of each pair,
    made the new value again and again, ends at Q^pi, which is solved exactly."""
    states, actions, steps, gamma = 4, 3, 3000, 0.9
    rng = np.random.default_rng(0)
    follows = rng.integers(states, size=(states, actions))
    follows[:, 0] = (np.arange(states) + 1) % states  # from every state one gets to every other
    reward = rng.normal(size=(states, actions))
    policy = rng.dirichlet(np.ones(actions), size=states)
    system = np.eye(states * actions)
    for s, a in np.ndindex(states, actions):
        there = follows[s, a]
        system[s * actions + a, there * actions : (there + 1) * actions] -= gamma * policy[there]
    exact = np.linalg.solve(system, reward.ravel()).reshape(states, actions)

    where, taken = np.zeros(steps + 1, int), rng.integers(actions, size=steps)
    for t in range(steps):
        where[t + 1] = follows[where[t], taken[t]]
    pair = where[:-1] * actions + taken
    assert len(set(pair)) == states * actions
    q, backup = np.zeros((states, actions)), jax.jit(target, static_argnums=(5, 6, 7))
    column = lambda values: jnp.asarray(values)[:, None]  # noqa: E731
    for _ in range(120):
        expected = (policy * q).sum(1)[where[1:]]
        chance = policy[where[:-1], taken]
        seen = column(reward[where[:-1], taken]), column(np.zeros(steps, bool)), column(q[where[:-1], taken])
        aim = np.asarray(backup(*seen, column(expected), column(chance), gamma, 0.93, 5))[:, 0]
        q = (np.bincount(pair, aim) / np.bincount(pair)).reshape(states, actions)
    np.testing.assert_allclose(q, exact, atol=1e-3)
    assert np.abs(exact).max() > 1


# ------------------------------------------------------------------------------------------------ critic and policy


def test_the_critics_mean_is_that_over_all_joint_actions():
    """Three agents of two actions: eight joint actions, each by its chance."""
    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    sizes = (5, 3, 2, 2), (5, 3, 2), (5, 2)
    judged = Decomposed(*(jax.random.normal(key, size) for key, size in zip(keys, sizes, strict=False)))
    chances = jax.nn.softmax(jax.random.normal(keys[3], judged.values.shape))
    whole = 0.0
    for joint in product(range(2), repeat=3):
        own = jnp.stack([judged.values[:, i, :, a] for i, a in enumerate(joint)], axis=1)
        whole += jnp.prod(jnp.stack([chances[:, i, :, a] for i, a in enumerate(joint)]), axis=0) * judged.team(own)
    np.testing.assert_allclose(judged.team(jnp.sum(chances * judged.values, -1)), whole, rtol=1e-4, atol=1e-5)


def test_advantage_by_hand():
    """One agent: weight 2, values 1 and 5, chances 0.25 and 0.75, mean 4: -6 for the first action, 2 for the second."""
    judged = Decomposed(jnp.array([1.0, 5.0]).reshape(1, 1, 1, 2), jnp.full((1, 1, 1), 2.0), jnp.zeros((1, 1)))
    chances = jnp.array([0.25, 0.75]).reshape(1, 1, 1, 2)
    for action, expected in ((0, -6.0), (1, 2.0)):
        assert float(advantage(judged, chances, jnp.full((1, 1, 1), action))[0, 0, 0]) == pytest.approx(expected)


def test_softened_policies_explore_what_is_available():
    """Chances 0.9, 0.1 and none, epsilon 0.2: 0.8 * 0.9 + 0.1, 0.8 * 0.1 + 0.1, none."""
    available = jnp.array([True, True, False])
    policy = Categorical.masked(jnp.log(jnp.array([0.9, 0.1, 1.0])), available)
    np.testing.assert_allclose(softened(policy, available, 0.2).features(), [0.82, 0.18, 0.0], rtol=1e-6)
    np.testing.assert_allclose(softened(policy, available, 0.0).features(), policy.features(), rtol=1e-6)
    only = jnp.array([True, False, False])
    alone = softened(Categorical.masked(jnp.zeros(3), only), only, 0.5)
    assert float(alone.entropy()) == pytest.approx(0.0, abs=1e-6)


def test_targets_judge_old_windows_by_the_policies_of_now():
    """Against loops over steps: errors with the policies' means, traces with the joint action's chance."""
    spec = base.Spec("game", ("a", "b"), 3, 2, base.Discrete(3), 9, False)
    job = plan.job(PARAMS, "smoke", "dop", "3m", (0,))
    learner = replace(job.learner, **SMALL, mixer_embedding=8, tree_steps=3, reward_scale=2.0)
    game = MatrixGame(np.zeros((3, 3)))
    game.spec = spec
    algorithm = Dop(game, job.method, learner, replace(job.network, width=8), 1)
    keys = jax.random.split(jax.random.PRNGKey(0), 6)
    time, batch = 6, 2
    view = View(
        jax.random.normal(keys[0], (time + 1, 2, batch, 3)),
        jax.random.normal(keys[1], (time + 1, batch, 2)),
        jnp.ones((time + 1, 2, batch, 3), bool),
    )
    done = jnp.zeros((time, batch), bool).at[2, 0].set(True)
    action = jax.random.randint(keys[2], (time, 2, batch), 0, 3)
    reward = jax.random.normal(keys[3], (time, batch))
    rows = Batch(view, jnp.concatenate([jnp.ones((1, batch), bool), done]), action, reward, done)
    policies = Categorical(jax.nn.log_softmax(jax.random.normal(keys[4], (time + 1, 2, batch, 3))))

    @jax.jit
    def found():
        params = algorithm.critic.init(keys[5], view.observation, view.state)
        judged = algorithm.critic.apply(params, view.observation, view.state)
        return algorithm.targets(params, rows, policies), judged

    (off, on), judged = jax.tree.map(np.asarray, found())
    assert (judged.weights >= 0).all() and judged.weights.std() > 0
    chances = np.exp(np.asarray(policies.log_probs))
    for b in range(batch):

        def team(t, own, b=b):
            return (judged.weights[t, :, b] * own).sum() + judged.bias[t, b]

        q = [team(t, [judged.values[t, i, b, action[t, i, b]] for i in range(2)]) for t in range(time)]
        mean = [team(t, (chances[t, :, b] * judged.values[t, :, b]).sum(-1)) for t in range(time + 1)]
        chance = [np.prod([chances[t, i, b, action[t, i, b]] for i in range(2)]) for t in range(time)]
        q.append(mean[time])
        for t in range(time):
            aims = []
            tree = [learner.tree_lam * each for each in chance]
            for following, length, decay in ((mean, 3, tree), (q, time, [learner.lam] * time)):
                total, weight = q[t], 1.0
                for u in range(t, min(t + length, time)):
                    if u > t:
                        weight *= learner.gamma * decay[u]
                    total += weight * (2 * reward[u, b] + learner.gamma * (not done[u, b]) * following[u + 1] - q[u])
                    if done[u, b]:
                        break
                aims.append(total)
            np.testing.assert_allclose([off[t, b], on[t, b]], aims, rtol=1e-4, atol=1e-5)


# --------------------------------------------------------------------------------------------------------- updates


@cache
def training():
    """A trainer that copies its target every third update, and its states and metrics after 0 to 4 updates."""
    made = trainer(target_update_interval=3)
    states, seen = [made.init(jnp.zeros(1, jnp.int32))], [{}]
    for _ in range(4):
        state, metrics = made.update(jax.tree.map(jnp.copy, states[-1]))
        states.append(state)
        seen.append(metrics)
    return made, states, seen


@pytest.mark.slow
def test_an_update_moves_actor_and_critic_and_the_target_follows_by_copies():
    _, states, seen = training()
    same = lambda one, other: jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, other))  # noqa: E731
    for update in range(1, 5):
        before, after = states[update - 1].learner, states[update].learner
        assert not same(after.actor.params, before.actor.params)
        assert not same(after.critic.params, before.critic.params)
        assert same(after.target, before.target) == (update != 3)
        assert same(after.target, after.critic.params) == (update == 3)
        assert all(bool(jnp.isfinite(value).all()) for value in seen[update].values())
        assert bool(after.buffer.is_full[0]) == (update >= 3)  # 12 windows of 4 environments
    epsilons = [float(metrics["epsilon"][0]) for metrics in seen[1:]]
    assert epsilons[0] == 0.5 and epsilons == sorted(epsilons, reverse=True) and epsilons[-1] < 0.5


@pytest.mark.slow
def test_a_saved_state_goes_on_with_the_same_bits(tmp_path):
    """The buffer is part of it."""
    made, states, _ = training()
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(states[2]))  # or else an update compiles anew
    checkpoint.save(tmp_path / "2", made.job, states[2])
    state = jax.tree.map(jnp.array, checkpoint.restore(tmp_path / "2", made.job, states[2]))
    for _ in range(2):
        state, _ = made.update(state)
    for resumed, unbroken in zip(jax.tree.leaves(state), jax.tree.leaves(states[4]), strict=True):
        np.testing.assert_array_equal(resumed, unbroken)


def test_what_cannot_run_is_refused_in_one_line():
    with pytest.raises(ConfigError, match="families: cannot run hopper_3x1, a task of mabrax; allowed: smax, mpe"):
        plan.job(PARAMS, "smoke", "dop", "hopper_3x1", (0,))
    job = plan.job(PARAMS, "smoke", "dop", "3m", (0,))
    environment = make("smax", **job.environment)
    environment.spec = replace(environment.spec, actions=base.Continuous(2))
    with pytest.raises(ValueError, match="DOP needs discrete actions; 3m has continuous ones"):
        Dop(environment, job.method, job.learner, job.network, 1)


# ------------------------------------------------------------------------------------------------------------ games


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_agents_learn_to_act_together(share):
    """Payoffs 0, 1, 1 and 8: the joint action of 8, by targets of either kind and by both."""
    game, job, updates = MatrixGame([[0.0, 1.0], [1.0, 8.0]]), plan.job(PARAMS, "smoke", "dop", "3m", (0,)), 400
    settings = SMALL | {"environments": 8, "rollout_steps": 8, "buffer_windows": 800, "mixer_embedding": 8}
    settings |= {"learning_rate": 1e-2, "critic_learning_rate": 1e-2, "target_update_interval": 5}
    learner = replace(job.learner, **settings, off_policy_share=share, reward_scale=1.0)
    algorithm = Dop(game, job.method, learner, replace(job.network, width=16, recurrent=False), updates)
    runner = start(game, jax.random.PRNGKey(0), 8, 0)

    def play(key, state):
        return collect(game, algorithm.explore(state), key, runner, 8)[1]

    @jax.jit
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
    judged = algorithm._judged(state.critic.params, Batch(jax.tree.map(lambda x: x[None], view), *[None] * 4))
    best = judged.team(judged.values[..., 1])
    assert float(best[0, 0]) == pytest.approx(8.0, abs=0.8)
