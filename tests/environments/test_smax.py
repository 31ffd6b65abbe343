"""SMAX by itself: the protocol, the rules by small cases worked by hand, scenarios, vmap and scan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.environments.smax import SCENARIOS, SMAX, Scenario, register
from gpae.environments.smax.environment import Draws
from gpae.environments.smax.reset import fresh, muster, renew
from gpae.environments.smax.rules import STOP, TABLE
from gpae.environments.smax.scenarios import UNIT_TYPES

STAY = Draws(jnp.zeros((2, 1)), jnp.zeros((1, 1)))


def duel(ally, enemy, apart, x=16.0, **options):
    """An ally at (x, 16) and an enemy `apart` to its east, in one environment."""
    env = SMAX(Scenario("duel", (ally,), (enemy,)), **options)
    return env, env.start(muster(env.scenario, *stand(x, x + apart), None))


def stand(*x):
    """Places of units in a row."""
    return jnp.array(x)[:, None], jnp.full((len(x), 1), 16.0)


def act(env, state, *actions):
    """The state after these actions of the only ally, and the last outcome."""
    for action in actions:
        state, outcome = env.transition(state, jnp.array([[action]]), STAY)
    return state, outcome


def test_attack_costs_health_and_recovers():
    env, state = duel("stalker", "marine", apart=5.9)
    state, outcome = act(env, state, 5)
    # The stalker (range 6, damage 13, cooldown 1.87 s) fires once, in the first of eight substeps of 1/16 s.
    assert state.units.health[1, 0] == 45 - 13
    np.testing.assert_allclose(state.units.cooldown[0, 0], 1.87 - 7 / 16, rtol=1e-6)
    np.testing.assert_allclose(outcome.reward[0], 13 / 45, rtol=1e-6)
    assert not outcome.done[0]


def test_attack_out_of_range_has_no_effect():
    env, state = duel("marine", "stalker", apart=5.5)
    state, _ = act(env, state, 5)
    assert state.units.health[1, 0] == TABLE.health[2]
    assert state.units.health[0, 0] == 45 - 13


def test_victory_pays_and_mutual_death_does_not():
    for weak, won in (((False, True), True), ((True, True), False)):
        env, state = duel("marine", "marine", apart=3.0, won_bonus=2.0)
        health = jnp.where(jnp.array(weak)[:, None], 1.0, state.units.health)
        _, outcome = act(env, state._replace(units=state.units._replace(health=health)), 5)
        assert outcome.done[0] and outcome.won[0] == won
        np.testing.assert_allclose(outcome.reward[0], 1 / 45 + 2.0 * won, rtol=1e-6)


@pytest.mark.parametrize("deadly", [True, False])
def test_wall(deadly):
    env, state = duel("marine", "marine", apart=20.0, x=1.0, walls_cause_death=deadly)
    state, outcome = act(env, state, 3)
    assert state.units.x[0, 0] == 0
    assert (state.units.health[0, 0] == 0) == deadly == outcome.done[0]


def test_units_move_and_are_pushed_apart():
    env, state = duel("marine", "marine", apart=20.0, x=4.0)
    moved, _ = act(env, state, 0)
    np.testing.assert_allclose(moved.units.y[0, 0], 16 + 3.15 / 2, rtol=1e-6)
    assert moved.units.x[0, 0] == 4
    units = muster(env.scenario, *stand(16.0, 16.5), None)
    # Two radii of 0.375 overlap by a half of their distance: each moves by a quarter of it.
    np.testing.assert_allclose(units.x[:, 0], [16 - 0.125, 16.5 + 0.125], atol=1e-5)


def test_enemy_chases_attacks_and_keeps_its_prey():
    env, state = duel("zealot", "stalker", apart=9.5)
    state, _ = act(env, state, STOP)
    assert state.units.action[1, 0] == 3 and state.memory.prey[0, 0] == -1
    state, _ = act(env, state, STOP)  # 9.5 less two steps of 2.065 is within the stalker's range of 6
    assert state.memory.prey[0, 0] == -1
    state, _ = act(env, state, STOP)
    assert state.memory.prey[0, 0] == 0
    x = state.units.x[1, 0]
    state, _ = act(env, state, STOP)
    assert state.units.action[1, 0] == 5 and state.units.x[1, 0] == x and state.units.health[0, 0] == 150 - 13


def test_enemy_that_does_not_shoot():
    env, state = duel("marine", "stalker", apart=3.0, enemy_shoots=False)
    state, _ = act(env, state, *[STOP] * 5)
    assert state.units.health[0, 0] == 45 and state.units.action[1, 0] < STOP


def test_time_limit_counts_the_time_before_the_step():
    env, state = duel("marine", "marine", apart=12.0, enemy_shoots=False, max_steps=2)
    outcomes = []
    for _ in range(3):
        state, outcome = act(env, state, STOP)
        outcomes.append(bool(outcome.done[0]))
    assert outcomes == [False, False, True] and env.spec.horizon == 3


@pytest.mark.parametrize("see", [True, False])
def test_view_by_hand(see):
    env, state = duel("marine", "zealot", apart=4.0, see_enemy_actions=see)
    state = state._replace(units=state.units._replace(action=jnp.array([[STOP], [3]])))
    view = env.view(state)
    other = [1.0, 4 / 9, 0, -1 if see else 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    itself = [1, 0.5, 0.5, 0, 1, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(view.observation[0, 0], other + itself, atol=1e-6)
    units = [1, 16, 16, 0, 1, 0, 0, 0, 0, 0, 1, 20, 16, 0, 0, 0, 0, 1, 0, 0]
    np.testing.assert_allclose(view.state[0], [*units, 0, 1, 0, 3], atol=1e-6)
    assert view.available[0, 0].all()
    far = env.view(state._replace(units=state.units._replace(x=jnp.array([[2.0], [20.0]]))))
    assert not far.available[0, 0, 5] and not far.observation[0, 0, :13].any()


def play(env, key, batch, steps):
    """Steps under random actions, as scanned: the last carry and every step's Step."""

    def body(carry, key):
        state, view = carry
        action_key, step_key = jax.random.split(key)
        action = jax.random.categorical(action_key, jnp.where(view.available, 0.0, -jnp.inf))
        state, step = env.step(step_key, state, action)
        return (state, step.view), step

    reset_key, key = jax.random.split(key)
    return jax.lax.scan(body, env.reset(reset_key, batch), jax.random.split(key, steps))


@pytest.mark.parametrize("name", ["3m", "2m_vs_1z", "smacv2_zerg_5_units"])
def test_protocol(name):
    env = SMAX(name)
    spec, batch, steps = env.spec, 16, 110
    (state, view), step = jax.jit(lambda key: play(env, key, batch, steps))(jax.random.PRNGKey(0))
    agents = len(spec.agents)
    assert view.observation.shape == (agents, batch, spec.observation_size) and view.observation.dtype == jnp.float32
    assert view.state.shape == (batch, spec.state_size) and view.state.dtype == jnp.float32
    assert view.available.shape == (agents, batch, spec.actions.size) and view.available.dtype == bool
    assert step.reward.dtype == jnp.float32 and step.agent_done.shape == (steps, agents, batch)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves((state, view)))

    # The statistics are those of the rewards and steps since the end before.
    assert step.done.sum() > batch / 2
    return_, length = np.zeros(batch), np.zeros(batch, int)
    for t in range(steps):
        return_, length = return_ + step.reward[t], length + 1
        np.testing.assert_allclose(step.episode.return_[t], return_, atol=1e-5)
        np.testing.assert_array_equal(step.episode.length[t], length)
        return_, length = np.where(step.done[t], 0, return_), np.where(step.done[t], 0, length)
    assert length.max() <= spec.horizon and (step.agent_done.all(1) | ~step.done).all()
    # What is seen at an end is the next episode's beginning: everyone alive, whole and somewhere else.
    ended = np.argwhere(np.asarray(step.done))
    health = np.asarray(step.view.state)[..., : spec.state_size // 12 * 10 : 10]
    assert (health[tuple(ended.T)] == 1).all()


def test_the_time_limit_truncates_and_a_defeat_terminates():
    peaceful = SMAX("3m", enemy_shoots=False, max_steps=4)

    def stand(env, steps):
        def body(state, key):
            state, step = env.step(key, state, jnp.full((3, 4), STOP))
            return state, step

        state, _ = env.reset(jax.random.PRNGKey(0), 4)
        return jax.lax.scan(body, state, jax.random.split(jax.random.PRNGKey(1), steps))[1]

    waiting = stand(peaceful, 10)
    np.testing.assert_array_equal(waiting.truncated[:, 0], np.arange(10) % 5 == 4)
    np.testing.assert_array_equal(waiting.done, waiting.truncated)
    shot = stand(SMAX("3m"), 80)
    assert shot.done.any() and not shot.truncated.any()


def test_vmap_over_seeds_is_each_seed():
    env = SMAX("smacv2_5_units")
    keys = jax.random.split(jax.random.PRNGKey(3), 2)
    together = jax.jit(jax.vmap(lambda key: play(env, key, 8, 60)[1]))(keys)
    alone = jax.jit(lambda key: play(env, key, 8, 60)[1])
    for i, key in enumerate(keys):
        one = alone(key)
        np.testing.assert_array_equal(together.done[i], one.done)
        np.testing.assert_allclose(together.reward[i], one.reward, atol=1e-5)
    assert together.done.any()


def test_every_ended_environment_gets_a_start_of_its_own():
    scenario = SCENARIOS["smacv2_10_units"]
    for ended in (jnp.ones(24, bool), jnp.arange(24) % 5 == 0, jnp.arange(24) == 23):
        units = jax.jit(renew, static_argnums=1)(jax.random.PRNGKey(0), scenario, ended)
        starts = np.concatenate([units.x, units.y])[:, np.asarray(ended)]
        assert len(np.unique(starts, axis=1).T) == ended.sum()
        assert (units.health[:, ended] > 0).all()


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_starts_of_every_scenario(name):
    scenario = SCENARIOS[name]
    units = jax.jit(fresh, static_argnums=(1, 2))(jax.random.PRNGKey(0), scenario, 32)
    allies = len(scenario.allies)
    kinds = [np.unique(units.unit_type[team]) for team in (slice(0, allies), slice(allies, None))]
    for kind, listed in zip(kinds, (scenario.allies, scenario.enemies), strict=True):
        assert {UNIT_TYPES[i] for i in kind} <= set(scenario.mix or listed)
    if scenario.mix:
        assert len(kinds[0]) == len(set(scenario.mix))
        np.testing.assert_array_equal(units.unit_type[:allies], units.unit_type[allies:])
    np.testing.assert_array_equal(units.health, TABLE.health[units.unit_type])


def test_scenarios_are_checked():
    with pytest.raises(ValueError, match="unknown unit type 'ghost'"):
        Scenario("bad", ("ghost",), ("marine",))
    with pytest.raises(ValueError, match="known are .*3m"):
        SMAX("4m")
    with pytest.raises(ValueError, match="exists"):
        register(Scenario("3m", ("marine",), ("marine",)))
    with pytest.raises(ValueError, match="attack_mode"):
        SMAX("3m", attack_mode="weakest")
