"""Predators and prey: JaxMARL's simple_tag underneath, ASAE's rewards, who is caught, and what one team has of it."""

from functools import partial

import jax
import jax.numpy as jnp
import jaxmarl
import numpy as np
import pytest

from gpae.environments.base import Continuous, Discrete
from gpae.environments.predator_prey import PredatorPrey
from gpae.environments.registry import make
from gpae.environments.teams import AgainstRandom, members, team_view

BATCH, STEPS, PREDATORS, PREY, OBSTACLES = 3, 30, 3, 2, 2
AGENTS = PREDATORS + PREY


def rolled(environment, actions):
    """(first view, steps, states before each step) under `actions`, [step, agent, environment]."""

    @jax.jit
    def roll(key, actions):
        state, view = environment.reset(key, actions.shape[2])

        def step(state, now):
            after, out = environment.step(now[0], state, now[1])
            return after, (out, state)

        return view, *jax.lax.scan(step, state, (jax.random.split(key, len(actions)), actions))[1]

    return jax.tree.map(np.asarray, roll(jax.random.PRNGKey(0), actions))


@pytest.fixture(scope="module")
def actions():
    """Predators and prey at random, but the first predator always to the right."""
    drawn = np.random.default_rng(0).integers(0, 5, (STEPS, AGENTS, BATCH)).astype(np.int32)
    drawn[:, 0] = 2
    return drawn


@pytest.fixture(scope="module")
def game(actions):
    environment = PredatorPrey(predators=PREDATORS, prey=PREY, episode_length=26, velocity_first=False)
    return environment, *rolled(environment, actions)


@pytest.fixture(scope="module")
def peer(actions):
    """The same steps in JaxMARL's simple_tag_v3, environment by environment: (places before the reset, rewards)."""
    tag = jaxmarl.make(
        "MPE_simple_tag_v3", num_adversaries=PREDATORS, num_good_agents=PREY, num_obs=OBSTACLES, max_steps=25
    )

    @jax.jit
    def roll(key, keys, actions):
        _, state = tag.reset(key)
        state = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.asarray(leaf).dtype), state)

        def step(state, now):
            key, action = now
            chosen = dict(zip(tag.agents, action, strict=True))
            reached = tag.step_env(jax.random.split(key)[0], state, chosen)[1]
            _, after, reward, done, _ = tag.step(key, state, chosen)
            rewards = jnp.stack([reward[name] for name in tag.agents])
            return after, (reached.p_pos, reached.p_vel, rewards, done["__all__"])

        return jax.lax.scan(step, state, (keys, actions))[1]

    keys = jax.vmap(partial(jax.random.split, num=BATCH))(jax.random.split(jax.random.PRNGKey(0), STEPS))
    starts = jax.random.split(jax.random.PRNGKey(0), BATCH)
    each = [roll(starts[i], keys[:, i], actions[:, :, i]) for i in range(BATCH)]
    return [np.stack(parts, axis=-1) for parts in zip(*each, strict=True)]


def test_moves_and_ends_are_jaxmarls(game, peer):
    environment, _, steps, _ = game
    place, velocity, _, done = peer
    np.testing.assert_array_equal(steps.done, done)
    going = ~done  # after an end the view is of the next episode
    for agent in range(AGENTS):
        own = np.where(going[..., None], steps.view.observation[:, agent, :, :4], 0)
        wanted = np.concatenate([velocity[:, agent], place[:, agent]], axis=1).swapaxes(1, 2)
        np.testing.assert_allclose(own, np.where(going[..., None], wanted, 0), rtol=1e-5, atol=1e-5)
    assert done.sum() == BATCH and environment.spec.horizon == 26


def test_rewards_are_simple_tags_and_the_papers_distances(game, peer):
    _, _, steps, _ = game
    place, _, rewards, _ = peer
    hunters, hunted = place[:, :PREDATORS], place[:, PREDATORS:AGENTS]
    distance = np.sqrt(((hunters[:, :, None] - hunted[:, None]) ** 2).sum(3))
    touches = distance < 0.125
    contacts = touches.sum((1, 2))
    np.testing.assert_allclose(rewards[:, 0], 10 * contacts)
    # JaxMARL charges every prey with the last one's contacts
    outside = -(rewards[:, PREDATORS:] + 10 * touches[:, :, -1:].sum(1)).sum(1)
    assert touches.any((0, 1, 3)).all() and (outside > 0.1).any() and (outside > -1e-6).all()
    chase = 10 * contacts - 0.1 * distance.min(2).sum(1)
    home = np.sqrt((hunted**2).sum(2)).sum(1)
    flight = -10 * contacts - outside + 0.1 * (distance.min(1).sum(1) - home)
    np.testing.assert_allclose(steps.reward, np.stack([chase, flight], axis=1), rtol=1e-4, atol=1e-4)


def test_a_prey_once_touched_is_captured_until_the_episode_ends(game, peer):
    _, _, steps, states = game
    place, _, _, done = peer
    distance = np.sqrt(((place[:, :PREDATORS, None] - place[:, None, PREDATORS:AGENTS]) ** 2).sum(3))
    captured = np.zeros((PREY, BATCH), bool)
    for step in range(STEPS):
        np.testing.assert_array_equal(states.captured[step], captured)
        captured = captured | (distance[step] < 0.125).any(0)
        np.testing.assert_allclose(steps.episode.captured[step], captured.mean(0))
        captured = captured & ~done[step]
    last = steps.episode.captured[25]
    assert done[25].all() and 0 < last.max()
    np.testing.assert_allclose(steps.episode.return_[25], steps.reward[:26, 0].sum(0), rtol=1e-4)


def test_everybody_sees_everybodys_places_and_velocities(game):
    environment, first, steps, _ = game
    assert environment.spec.observation_size == first.observation.shape[-1] == 4 + 2 * OBSTACLES + 4 * (AGENTS - 1)
    seen = steps.view.observation
    for agent in range(AGENTS):
        others = [j for j in range(AGENTS) if j != agent]
        rest = seen[:, agent, :, 4 + 2 * OBSTACLES :].reshape(STEPS, BATCH, 2, AGENTS - 1, 2)
        for k, other in enumerate(others):
            np.testing.assert_allclose(rest[:, :, 0, k], seen[:, other, :, 2:4] - seen[:, agent, :, 2:4], atol=1e-6)
            np.testing.assert_array_equal(rest[:, :, 1, k], seen[:, other, :, :2])
    np.testing.assert_array_equal(steps.view.state, np.concatenate(seen.swapaxes(0, 1), axis=-1))


def test_a_prey_that_a_predator_runs_into_is_captured_and_the_other_is_not():
    environment = PredatorPrey(predators=1, prey=2)
    state, _ = environment.reset(jax.random.PRNGKey(0), 1)
    place = jnp.array([[[0.0, 0], [0.18, 0], [0.7, 0], [-0.9, 0.9], [-0.9, -0.9]]])
    velocity = jnp.zeros((1, 5, 2)).at[0, 0, 0].set(1.0)  # 0.1 a step at most, towards the first prey
    state = state._replace(particles=state.particles.replace(p_pos=place, p_vel=velocity))
    state, step = jax.jit(environment.step)(jax.random.PRNGKey(1), state, jnp.array([[2], [0], [0]], jnp.int32))
    assert state.captured[:, 0].tolist() == [True, False] and step.episode.captured.tolist() == [0.5]
    assert step.reward[0, 0] > 9 and step.reward[1, 0] < -9


@pytest.mark.parametrize("kind", ["discrete", pytest.param("continuous", marks=pytest.mark.slow)])
def test_one_teams_game_is_the_game_with_random_opponents(kind):
    environment = make("mpe", task="simple_tag", agents=2, prey=3, actions=kind, episode_length=50, velocity_first=True)
    assert isinstance(environment, AgainstRandom)
    spec, game = environment.spec, environment.game.spec
    assert spec.agents == ("adversary_0", "adversary_1") and not spec.teams and len(game.agents) == 5
    assert spec.actions == (Discrete(5) if kind == "discrete" else Continuous(5)) and spec.state_size == game.state_size
    still = np.zeros((50, 2, 64) if kind == "discrete" else (50, 2, 64, 5), np.int32 if kind == "discrete" else float)
    first, steps, states = rolled(environment, still)
    assert first.observation.shape == (2, 64, spec.observation_size) and steps.reward.shape == (50, 64)
    assert steps.agent_done.shape == (50, 2, 64) and steps.done[-1].all() and not steps.done[:-1].any()
    prey = states.particles.p_vel[1, :, 2:5].reshape(-1, 2)  # after the first push, of 0.4 in all where none collides
    if kind == "discrete":
        ways = np.array([[0, 0], [-0.4, 0], [0.4, 0], [0, -0.4], [0, 0.4]])
        shares = [np.isclose(prey, way, atol=1e-3).all(1).mean() for way in ways]
        assert min(shares) > 0.1 and sum(shares) > 0.8
    else:  # the difference of two numbers uniform in [0, 1]
        assert abs(np.median(prey)) < 0.05 and 0.1 < np.median(abs(prey)) < 0.14 and abs(prey).min() > 0


def test_a_team_sees_its_own_agents_views(game):
    environment, first, _, _ = game
    spec = environment.spec
    assert [members(spec, team) for team in (0, 1)] == [slice(0, 3), slice(3, 5)]
    prey = team_view(spec, first, 1)
    np.testing.assert_array_equal(prey.observation, first.observation[3:])
    assert prey.state is first.state and prey.available.shape[0] == 2


def test_refusals():
    for settings, message in [
        ({"predators": 0, "prey": 1}, "each team needs an agent; there are 0 predators and 1 prey"),
        ({"predators": 1, "prey": 1, "actions": "both"}, "actions is 'discrete' or 'continuous', not 'both'"),
    ]:
        with pytest.raises(ValueError, match=message):
            PredatorPrey(**settings)
    with pytest.raises(ValueError, match="prey: simple_spread has none"):
        make("mpe", task="simple_spread", prey=2)
