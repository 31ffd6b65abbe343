import jax
import jax.numpy as jnp
import jaxmarl
import numpy as np
import pytest

from gpae.environments.base import Continuous, Discrete
from gpae.environments.mpe import MPE

BATCH, STEPS = 2, 30
# task: JaxMARL's name of it, entries of each agent's observation, discrete actions, continuous entries
TASKS = {
    "simple_spread": ("MPE_simple_spread_v3", [18] * 3, [5] * 3, [5] * 3),
    "simple_reference": ("MPE_simple_reference_v3", [21] * 2, [50] * 2, [15] * 2),
    "simple_speaker_listener": ("MPE_simple_speaker_listener_v4", [3, 11], [3, 5], [3, 5]),
}


CASES = [
    ("simple_spread", "discrete"),
    ("simple_reference", "discrete"),
    ("simple_speaker_listener", "continuous"),
    pytest.param(("simple_spread", "continuous"), marks=pytest.mark.slow),
    pytest.param(("simple_reference", "continuous"), marks=pytest.mark.slow),
    pytest.param(("simple_speaker_listener", "discrete"), marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case))
def rollouts(request):
    """The same 30 steps of random available actions here and in JaxMARL, environment by environment."""
    task, kind = request.param
    name, observed, *sizes = TASKS[task]
    sizes = sizes[kind == "continuous"]
    environment = MPE(task, actions=kind, episode_length=26, velocity_first=False)
    peer = jaxmarl.make(name, action_type=kind.capitalize())
    draw = np.random.default_rng(0)
    if kind == "discrete":
        actions = np.stack([draw.integers(0, size, (STEPS, BATCH)) for size in sizes], axis=1).astype(np.int32)
        sent = actions
    else:
        actions = draw.uniform(-1.5, 1.5, (STEPS, len(sizes), BATCH, max(sizes))).astype(np.float32)
        sent = (np.clip(actions, -1, 1) + 1) / 2

    @jax.jit
    def roll(key):
        state, view = environment.reset(key, BATCH)
        keys = jax.random.split(key, STEPS)
        after, steps = jax.lax.scan(lambda s, x: environment.step(x[0], s, x[1]), state, (keys, actions))
        return view, steps, state, after

    @jax.jit
    def peer_roll(key, keys, actions):
        first, state = peer.reset(key)
        state = jax.tree.map(lambda leaf: jnp.asarray(leaf, leaf.dtype), jax.tree.map(jnp.asarray, state))

        def step(state, now):
            key, action = now
            observation, state, reward, done, _ = peer.step(key, state, dict(zip(peer.agents, action, strict=True)))
            return state, (observation, reward, done)

        _, (observations, rewards, dones) = jax.lax.scan(step, state, (keys, actions))
        joined = jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), first, observations)
        return joined, rewards, dones

    peers = []
    keys = jax.vmap(lambda key: jax.random.split(key, BATCH))(jax.random.split(jax.random.PRNGKey(0), STEPS))
    for number, key in enumerate(jax.random.split(jax.random.PRNGKey(0), BATCH)):
        own = [sent[:, agent, number] for agent in range(len(sizes))]
        own = [one if kind == "discrete" else one[:, :size] for one, size in zip(own, sizes, strict=True)]
        peers.append(jax.tree.map(np.asarray, peer_roll(key, keys[:, number], own)))
    return environment, observed, sizes, jax.tree.map(np.asarray, roll(jax.random.PRNGKey(0))), peers


def test_spec(rollouts):
    environment, observed, sizes, _, _ = rollouts
    spec = environment.spec
    assert len(spec.agents) == len(observed)
    assert spec.observation_size == max(observed) and spec.state_size == max(observed) * len(observed)
    assert spec.actions in (Discrete(max(sizes)), Continuous(max(sizes)))
    assert not spec.has_winner


def test_views_equal_jaxmarls(rollouts):
    environment, observed, sizes, (first, steps, _, _), peers = rollouts
    views = jax.tree.map(lambda one, rest: np.concatenate([one[None], rest]), first, steps.view)
    for number, (observations, _, _) in enumerate(peers):
        for agent, name in enumerate(environment.spec.agents):
            mine = views.observation[:, agent, number]
            np.testing.assert_allclose(mine[:, : observed[agent]], observations[name], rtol=1e-5, atol=1e-5)
            np.testing.assert_array_equal(mine[:, observed[agent] :], 0)
    np.testing.assert_array_equal(views.state, np.concatenate(views.observation.swapaxes(0, 1), axis=-1))
    for agent, size in enumerate(sizes):
        assert views.available[:, agent, :, :size].all() and not views.available[:, agent, :, size:].any()


def test_what_is_seen_in_the_last_state_is_what_its_step_showed(rollouts):
    environment, _, _, (_, steps, _, after), _ = rollouts
    jax.tree.map(
        lambda again, seen: np.testing.assert_allclose(again, seen[-1], atol=1e-6), environment.view(after), steps.view
    )


def test_rewards_are_the_sums_of_jaxmarls_and_ends_agree(rollouts):
    environment, _, _, (_, steps, _, _), peers = rollouts
    for number, (_, rewards, dones) in enumerate(peers):
        total = sum(rewards[name] for name in environment.spec.agents)
        np.testing.assert_allclose(steps.reward[:, number], total, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(steps.done[:, number], dones["__all__"])
        for agent, name in enumerate(environment.spec.agents):
            np.testing.assert_array_equal(steps.agent_done[:, agent, number], dones[name])


def test_an_episode_lasts_its_horizon_and_is_tallied(rollouts):
    environment, _, _, (_, steps, _, _), _ = rollouts
    horizon = environment.spec.horizon
    assert (np.argwhere(steps.done)[:, 0] == horizon - 1).all() and steps.done.sum() == BATCH
    np.testing.assert_array_equal(steps.episode.length[horizon - 1], horizon)
    np.testing.assert_array_equal(steps.truncated, steps.done)
    np.testing.assert_allclose(steps.episode.return_[horizon - 1], steps.reward[:horizon].sum(0), rtol=1e-5)
    np.testing.assert_allclose(steps.episode.return_[-1], steps.reward[horizon:].sum(0), rtol=1e-5)


def test_reset_and_step_carry_the_same_types(rollouts):
    environment = rollouts[0]
    before, first = jax.eval_shape(lambda key: environment.reset(key, BATCH), jax.random.PRNGKey(0))
    shape = (len(environment.spec.agents), BATCH)
    action = jnp.zeros(shape, jnp.int32)
    if isinstance(environment.spec.actions, Continuous):
        action = jnp.zeros((*shape, environment.spec.actions.size), jnp.float32)
    after, now = jax.eval_shape(environment.step, jax.random.PRNGKey(0), before, action)
    assert jax.tree.structure(before) == jax.tree.structure(after)
    for old, new in zip(jax.tree.leaves((before, first)), jax.tree.leaves((after, now.view)), strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype) and not old.weak_type and not new.weak_type


@pytest.mark.parametrize("agents", [4, 5])
def test_spread_grows_with_its_agents(agents):
    environment = MPE("simple_spread", agents=agents)
    _, view = jax.eval_shape(lambda key: environment.reset(key, BATCH), jax.random.PRNGKey(0))
    # own velocity and position, the landmarks, and the others' positions and messages
    assert view.observation.shape == (agents, BATCH, 4 + 2 * agents + 4 * (agents - 1))
    assert environment.spec.observation_size == view.observation.shape[-1]
    assert view.state.shape == (BATCH, environment.spec.state_size)


def test_a_push_moves_a_particle_in_its_own_step():
    """One push to the right: its speeds are 0.5 and then 0.75 of the one before, each over 0.1 s."""
    right = jnp.full((8, 3, 1), 2, jnp.int32).at[1:].set(0)
    speed = 0.5 * 0.75 ** np.arange(8)
    environment = MPE("simple_spread")

    @jax.jit
    def roll(key):
        state, view = environment.reset(key, 1)
        return view, jax.lax.scan(lambda s, action: environment.step(key, s, action), state, right)[1].view

    view, views = roll(jax.random.PRNGKey(3))
    places = np.concatenate([view.observation[None], views.observation])[:, :, 0, 2]
    np.testing.assert_allclose(np.diff(places, axis=0).T, [0.1 * speed] * 3, atol=1e-6)


def test_refusals():
    for task, settings in [
        ("simple_tag", {}),
        ("simple_spread", {"agents": 6}),
        ("simple_reference", {"agents": 3}),
        ("simple_spread", {"actions": "both"}),
    ]:
        with pytest.raises(ValueError):
            MPE(task, **settings)
