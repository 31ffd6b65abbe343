"""DOP: targets by hand and on a game that is solved exactly, the critic's mean, real windows of SMAX-3m."""

from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from matrix_game import GameState, MatrixGame

from gpae import plan
from gpae.advantages import gae
from gpae.advantages.taken import taken
from gpae.algorithms.base import learn
from gpae.algorithms.dop import Dop, advantage, softened
from gpae.algorithms.tree_backup import target
from gpae.algorithms.window_buffer import Batch
from gpae.config import ConfigError, Params
from gpae.environments import base
from gpae.environments.base import View
from gpae.environments.registry import make
from gpae.networks.decomposed import Decomposed, DecomposedCritic, normalised
from gpae.networks.policies import Categorical
from gpae.training import checkpoint
from gpae.training.rollout import collect, start
from gpae.training.update import QUICKLY, Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
SMALL = {"environments": 4, "rollout_steps": 16, "buffer_windows": 12, "batch_size": 8}
SMALL |= {"on_policy_windows": 8, "on_policy_batch_size": 4, "critic_slice": 4}


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
    """Chances 0.5, 0.2 and 0.3 of which the last is not available, epsilon 0.3: 0.7 * 0.5 + 0.1 = 0.45 and
    0.7 * 0.2 + 0.1 = 0.24, divided by their sum 0.69; without epsilon 0.5 / 0.7 and 0.2 / 0.7."""
    available = jnp.array([True, True, False])
    policy = Categorical(jnp.log(jnp.array([0.5, 0.2, 0.3])))
    np.testing.assert_allclose(softened(policy, available, 0.3).features(), [0.45 / 0.69, 0.24 / 0.69, 0.0], rtol=1e-5)
    np.testing.assert_allclose(softened(policy, available, 0.0).features(), [5 / 7, 2 / 7, 0.0], rtol=1e-5)
    alone = softened(policy, jnp.array([True, False, False]), 0.5)
    assert float(alone.entropy()) == pytest.approx(0.0, abs=1e-6)


def test_weights_are_shares_of_the_team():
    """|W_1| |w_2| of two agents 6 and 2: 3/4 and 1/4, as the authors' code divides them; none left stays none."""
    weights = jnp.array([[[6.0, 0.0], [2.0, 0.0]]])
    np.testing.assert_allclose(normalised(weights), [[[0.75, 0.0], [0.25, 0.0]]], rtol=1e-6)
    keys = jax.random.split(jax.random.PRNGKey(0), 3)
    job = plan.job(PARAMS, "smoke", "dop", "3m", (0,))
    spec = base.Spec("game", ("a", "b", "c"), 3, 2, base.Discrete(2), 9, False)
    critic = DecomposedCritic(spec, replace(job.network, width=8), 4)
    observation, state = jax.random.normal(keys[0], (5, 3, 2, 3)), jax.random.normal(keys[1], (5, 2, 2))
    params = jax.jit(critic.init)(keys[2], observation, state)
    judged = jax.jit(critic.apply)(params, observation, state)
    np.testing.assert_allclose(judged.weights.sum(axis=1), 1.0, rtol=1e-5)
    layer = {name: params["params"][name]["Dense_0"]["kernel"] for name in ("first_weights", "second_weights")}
    first = np.abs(np.asarray(state[0, 0] @ layer["first_weights"])).reshape(3, 4)  # biases begin at 0
    product = first @ np.abs(np.asarray(state[0, 0] @ layer["second_weights"]))
    np.testing.assert_allclose(judged.weights[0, :, 0], product / product.sum(), rtol=1e-4)


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
    done = jnp.zeros((time, batch), bool).at[2, 0].set(True).at[4, 1].set(True)
    truncated = done.at[2, 0].set(False)
    action = jax.random.randint(keys[2], (time, 2, batch), 0, 3)
    reward = jax.random.normal(keys[3], (time, batch))
    rows = Batch(view, jnp.concatenate([jnp.ones((1, batch), bool), done]), action, reward, done, truncated)
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
                    if truncated[u, b]:
                        break
                    total += weight * (2 * reward[u, b] + learner.gamma * (not done[u, b]) * following[u + 1] - q[u])
                    if done[u, b]:
                        break
                aims.append(total)
            np.testing.assert_allclose([off[t, b], on[t, b]], aims, rtol=1e-4, atol=1e-5)


# --------------------------------------------------------------------------------------------------------- updates


def test_the_familys_settings_are_those_of_the_authors_code():
    """A step of the critic for every time step of its 32 old and 16 new windows, a copy after 600 of them."""
    for task in ("3m", "spread_3"):
        learner = plan.job(PARAMS, "paper", "dop", task, (0,)).learner
        assert learner.critic_slice == 1 and learner.target_update_interval == 600
        assert (learner.batch_size, learner.on_policy_batch_size, learner.on_policy_windows) == (32, 16, 32)
        assert (learner.lam, learner.tree_lam, learner.tree_steps, learner.off_policy_share) == (0.8, 0.93, 5, 0.5)


class Line(MatrixGame):
    """The matrix game five times in an episode; what is seen is how often it was played."""

    def view(self, state):
        seen, times = super().view(state), state.tally.length[:, None] / 5
        return seen._replace(observation=times * seen.observation, state=times)

    def step(self, key, state, action):
        reward, done = self.payoff[action[0], action[1]], state.tally.length == 4
        tally, episode = base.count(state.tally, reward, done, jnp.zeros_like(done))
        state = GameState(tally)
        return state, base.Step(self.view(state), reward, jnp.stack([done, done]), done, jnp.zeros_like(done), episode)


@cache
def line():
    """A learner of 4 steps of the critic an update that copies its target after 7 or more, and its states and metrics
    after 0 to 6 updates; the second is the first to have the 8 windows of a batch."""
    game, job = Line([[0.0, 1.0], [1.0, 8.0]]), plan.job(PARAMS, "smoke", "dop", "3m", (0,))
    learner = replace(job.learner, **SMALL | {"mixer_embedding": 8, "target_update_interval": 7})
    algorithm = Dop(game, job.method, learner, replace(job.network, width=8, layers=1, recurrent=False), 40)

    def play(key, state):
        return collect(game, algorithm.explore(state), key, start(game, key, 4, 0), 16)[1]

    @partial(jax.jit, compiler_options=QUICKLY)
    def update(key, state):
        state, _, seen = learn(algorithm, key, state, play(jax.random.fold_in(key, 1), state))
        return state, seen

    first = algorithm.init(jax.random.PRNGKey(0))
    states = [algorithm.with_replay(first, jax.eval_shape(play, jax.random.PRNGKey(0), first))]
    seen = [{}]
    for key in jax.random.split(jax.random.PRNGKey(1), 6):
        state, metrics = update(key, states[-1])
        states.append(state)
        seen.append(metrics)
    return algorithm, states, seen


def same(one, other):
    return jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, other))


def test_an_update_moves_actor_and_critic_and_the_target_follows_by_copies():
    _, states, seen = line()
    for update in range(1, 7):
        before, after = states[update - 1], states[update]
        assert same(after.actor.params, before.actor.params) == (update == 1)
        assert same(after.critic.params, before.critic.params) == (update == 1)
        assert same(after.target, before.target) == (update not in (3, 5))
        assert same(after.target, after.critic.params) == (update in (1, 3, 5))
        assert int(after.critic_steps) == int(seen[update]["critic_steps"]) == 4 * (update - 1)
        assert bool(seen[update]["learning"]) == (update > 1)
        assert all(bool(jnp.isfinite(value).all()) for value in seen[update].values())
        assert bool(after.buffer.is_full) == (update >= 3)  # 12 windows of 4 environments
    epsilons = [float(metrics["epsilon"]) for metrics in seen[1:]]
    assert epsilons[0] == 0.5 and epsilons == sorted(epsilons, reverse=True) and epsilons[-1] < 0.5


def test_the_critic_goes_through_the_windows_in_time_order_and_the_actor_follows_it():
    """An update by hand: 4 gradient steps on 4 time steps each, RMSProp as PyTorch has it (the root, then eps), targets
    of the network before; then the actor's one, by the critic afterwards, on the 4 newest windows."""
    algorithm, states, _ = line()
    learner, state, key = algorithm.learner, states[4], jax.random.PRNGKey(7)
    quick = partial(jax.jit, compiler_options=QUICKLY)
    fields, _ = quick(algorithm._fit)(state, key)
    old_key, new_key = jax.random.split(key)
    epsilon = algorithm.epsilon(state.updates - 1)
    newest = algorithm.buffer.newest(state.buffer, 8)

    def rows(which):
        return algorithm.buffer.batch(jax.tree.map(lambda leaf: leaf[which], newest))

    old, new = algorithm.buffer.sample(old_key, state.buffer), rows(jax.random.permutation(new_key, 8)[:4])

    @quick
    def targets(batch):
        return algorithm.targets(state.target, batch, algorithm._policies(state.actor.params, batch, epsilon))

    aims = targets(old)[0], targets(new)[1]

    def clipped(gradients):
        norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(gradients)))
        return jax.tree.map(lambda leaf: leaf * jnp.minimum(1.0, learner.max_gradient_norm / norm), gradients)

    def step(params, optimiser, gradients, rate):
        memory = next(part.nu for part in jax.tree.leaves(optimiser, is_leaf=lambda x: hasattr(x, "nu")))
        memory = jax.tree.map(lambda s, g: 0.99 * s + 0.01 * g**2, memory, gradients)
        moved = jax.tree.map(lambda p, g, s: p - rate * g / (jnp.sqrt(s) + 1e-5), params, gradients, memory)
        return moved, optax.ScaleByRmsState(nu=memory)

    @quick
    @jax.grad
    def slope(params, counts):
        total = 0.0
        for batch, aim in ((old, aims[0]), (new, aims[1])):
            judged = Decomposed(*(leaf[:-1] for leaf in algorithm._judged(params, batch)))
            errors = (judged.team(taken(judged.values, batch.action)) - aim) ** 2
            total += 0.5 * jnp.mean(errors, axis=1) @ counts / 4
        return total

    params, memory = state.critic.params, state.critic.optimiser
    for first in (0, 4, 8, 12):
        gradients = clipped(slope(params, (jnp.arange(16) // 4 == first // 4).astype(jnp.float32)))
        params, memory = step(params, memory, gradients, learner.critic_learning_rate)
    for found, expected in zip(jax.tree.leaves(fields["critic"].params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)

    last = rows(jnp.arange(4))

    @quick
    @jax.grad
    def uphill(actor):
        policies = Categorical(algorithm._policies(actor, last, epsilon).log_probs[:-1])
        judged = Decomposed(*(leaf[:-1] for leaf in algorithm._judged(fields["critic"].params, last)))
        weight = jax.lax.stop_gradient(advantage(judged, policies.features(), last.action))
        return -jnp.mean(weight * policies.log_prob(last.action))

    gradients = clipped(uphill(state.actor.params))
    params, _ = step(state.actor.params, state.actor.optimiser, gradients, learner.learning_rate)
    for found, expected in zip(jax.tree.leaves(fields["actor"].params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_the_newest_windows_are_the_last_added():
    """Rollouts of 4 environments whose rewards say which they are: 10 r + environment, in a ring of three rollouts."""
    algorithm, states, _ = line()
    game = Line(np.zeros((2, 2)))
    runner = start(game, jax.random.PRNGKey(0), 4, 0)
    rollout = collect(game, algorithm.explore(states[0]), jax.random.PRNGKey(0), runner, 16)[1]
    buffer = states[0].buffer
    for r in range(5):
        reward = jnp.broadcast_to(10.0 * r + jnp.arange(4), (16, 4))
        buffer = algorithm.buffer.add(buffer, rollout._replace(window=rollout.window._replace(reward=reward)))
    assert algorithm.buffer.newest(buffer, 6).reward[:, 0].tolist() == [40, 41, 42, 43, 30, 31]


@cache
def training():
    """A trainer and its states after 0 to 4 updates."""
    made = trainer(target_update_interval=7)
    states = [made.init(jnp.zeros(1, jnp.int32))]
    for _ in range(4):
        states.append(made.update(jax.tree.map(jnp.copy, states[-1]))[0])
    return made, states


@pytest.mark.slow
def test_a_saved_state_goes_on_with_the_same_bits(tmp_path):
    """The buffer is part of it."""
    made, states = training()
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
    settings |= {"learning_rate": 1e-2, "critic_learning_rate": 1e-2, "target_update_interval": 10}
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
    judged = algorithm._judged(state.critic.params, Batch(jax.tree.map(lambda x: x[None], view), *[None] * 5))
    best = judged.team(judged.values[..., 1])
    assert float(best[0, 0]) == pytest.approx(8.0, abs=0.8)
