import jax
import jax.numpy as jnp
import jaxmarl
import numpy as np
import pytest
from jaxmarl.environments.smax.smax_env import MAP_NAME_TO_SCENARIO, map_name_to_scenario

from gpae.environments.jaxmarl_smax import JaxmarlSMAX, jaxmarl_scenario
from gpae.environments.smax import Scenario, find

BATCH, STEPS = 3, 110  # longer than an episode can be


@pytest.fixture(scope="module")
def battles():
    """The same steps of 3m here and in JaxMARL, with every setting other than its default.

    The marines walk east and shoot what they can; those of environment 2 only walk west, to the wall.
    """
    settings = {"see_enemy_actions": False, "walls_cause_death": False, "attack_mode": "random"}
    environment = JaxmarlSMAX("3m", **settings)
    peer = jaxmarl.make("HeuristicEnemySMAX", scenario=map_name_to_scenario("3m"), **settings)
    flees = jnp.array([False, False, True])

    def act(key, available):
        drawn = jax.random.categorical(key, jnp.where(available[..., 5:], 0.0, -1e9))
        return jnp.where(flees, 3, jnp.where(available[..., 5:].any(-1), 5 + drawn, 1)).astype(jnp.int32)

    @jax.jit
    def roll(key):
        def step(carry, key):
            state, view = carry
            action = act(jax.random.fold_in(key, 1), view.available)
            state, now = environment.step(key, state, action)
            return (state, now.view), (now, action)

        start = environment.reset(key, BATCH)
        (last, _), seen = jax.lax.scan(step, start, jax.random.split(key, STEPS))
        return start[1], seen, environment.view(last)

    @jax.jit
    def peer_roll(key, keys, actions):
        def step(state, now):
            key, action = now
            observation, state, reward, done, _ = peer.step(key, state, dict(zip(peer.agents, action, strict=True)))
            return state, (observation, peer.get_avail_actions(state), reward, done)

        first, state = peer.reset(key)
        state = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.asarray(leaf).dtype), state)
        (observation, available, reward, done) = jax.lax.scan(step, state, (keys, actions))[1]
        return first, peer.get_avail_actions(state), observation, available, reward, done

    key = jax.random.PRNGKey(0)
    first, (steps, actions), again = roll(key)
    views = jax.tree.map(lambda one, rest: np.concatenate([one[None], rest]), first, steps.view)
    # what is seen in the last state is what its step showed
    jax.tree.map(lambda one, rest: np.testing.assert_allclose(one, rest[-1], atol=1e-6), again, steps.view)
    keys = jax.vmap(lambda key: jax.random.split(key, BATCH))(jax.random.split(key, STEPS))
    peers = [
        peer_roll(start, keys[:, number], actions[:, :, number])
        for number, start in enumerate(jax.random.split(key, BATCH))
    ]
    return environment, views, jax.tree.map(np.asarray, steps), jax.tree.map(np.asarray, peers)


def test_every_view_is_jaxmarls(battles):
    environment, views, _, peers = battles
    for number, (first, first_available, later, later_available, _, _) in enumerate(peers):
        observation, available = (
            jax.tree.map(lambda one, rest: np.concatenate([one[None], rest]), *pair)
            for pair in ((first, later), (first_available, later_available))
        )
        np.testing.assert_allclose(views.state[:, number], observation["world_state"], rtol=1e-5, atol=1e-5)
        for agent, name in enumerate(environment.spec.agents):
            np.testing.assert_allclose(views.observation[:, agent, number], observation[name], rtol=1e-5, atol=1e-5)
            np.testing.assert_array_equal(views.available[:, agent, number], available[name])


def test_rewards_and_ends_are_jaxmarls(battles):
    environment, _, steps, peers = battles
    for number, (*_, reward, done) in enumerate(peers):
        np.testing.assert_array_equal(steps.done[:, number], done["__all__"])
        for agent, name in enumerate(environment.spec.agents):
            np.testing.assert_allclose(steps.reward[:, number], reward[name], rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(steps.agent_done[:, agent, number], done[name] | done["__all__"])


def test_episodes_are_tallied(battles):
    environment, _, steps, _ = battles
    won = steps.episode.won
    for number in range(BATCH):
        first = 0
        for end in np.flatnonzero(steps.done[:, number]):
            assert steps.episode.length[end, number] == end + 1 - first
            total = steps.reward[first : end + 1, number].sum()
            np.testing.assert_allclose(steps.episode.return_[end, number], total, rtol=1e-5, atol=1e-6)
            # a victory pays 1, and the enemies' lost health up to 1 in all
            assert won[end, number] == (steps.reward[end, number] > 1.0)
            first = end + 1
    # alone in the time limit's last step both teams live
    np.testing.assert_array_equal(steps.truncated, steps.done & (steps.episode.length == environment.spec.horizon))
    # those that flee do not win; the others both win and lose
    assert steps.done[:, 2].any() and not won[:, 2].any()
    ends = won[:, :2][steps.done[:, :2]]
    assert ends.any() and not ends.all() and not won[~steps.done].any()


def test_where_the_last_of_both_teams_die_at_once_nobody_has_won():
    environment = JaxmarlSMAX(Scenario("duel", ("marine",), ("marine",)))

    @jax.jit
    def roll(key):
        def step(carry, key):
            state, view = carry
            # shoot the enemy where it is in range, else walk towards it
            state, now = environment.step(key, state, jnp.where(view.available[..., 5], 5, 1).astype(jnp.int32))
            return (state, now.view), (now.done, now.episode, now.reward)

        return jax.lax.scan(step, environment.reset(key, 32), jax.random.split(key, 60))[1]

    done, episode, reward = roll(jax.random.PRNGKey(0))
    draws = done & ~episode.won & (episode.return_ > 0.999)  # the enemy's whole health was taken
    assert draws.sum() > 5 and (done & episode.won).sum() > 5
    np.testing.assert_array_equal(done & episode.won, reward > 1.0)


@pytest.mark.parametrize("name", MAP_NAME_TO_SCENARIO)
def test_jaxmarls_scenarios_are_the_same_here(name):
    peer, mine = map_name_to_scenario(name), jaxmarl_scenario(find(name))
    if not mine.smacv2_unit_type_generation:
        np.testing.assert_array_equal(mine.unit_types, peer.unit_types)
    for field in ("num_allies", "num_enemies", "smacv2_position_generation", "smacv2_unit_type_generation"):
        assert getattr(mine, field) == getattr(peer, field)


@pytest.mark.parametrize("name", ["1s1z", "8m_vs_9m", "smacv2_5_units"])
def test_reset_and_step_carry_the_same_types(name):
    environment = JaxmarlSMAX(name, see_enemy_actions=False, walls_cause_death=False, attack_mode="random")
    agents, spec = len(find(name).allies), environment.spec
    before, first = jax.eval_shape(lambda key: environment.reset(key, BATCH), jax.random.PRNGKey(0))
    action = jnp.zeros((agents, BATCH), jnp.int32)
    after, now = jax.eval_shape(environment.step, jax.random.PRNGKey(0), before, action)
    assert jax.tree.structure(before) == jax.tree.structure(after)
    for old, new in zip(jax.tree.leaves((before, first)), jax.tree.leaves((after, now.view)), strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype) and not old.weak_type and not new.weak_type
    assert first.observation.shape == (agents, BATCH, spec.observation_size)
    assert first.state.shape == (BATCH, spec.state_size)
    assert first.available.shape == (agents, BATCH, spec.actions.size) and first.available.dtype == bool


def test_refusals():
    with pytest.raises(ValueError):
        JaxmarlSMAX("3n")
    with pytest.raises(ValueError):
        JaxmarlSMAX("3m", attack_mode="weakest")
    with pytest.raises(ValueError):
        JaxmarlSMAX(Scenario("two", ("zealot",), ("zealot",), mix=("zealot", "stalker")))
