"""SMAX against JaxMARL 0.1.0, step by step from the same state with JaxMARL's own draws, and free-running."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jaxmarl.environments.smax import HeuristicEnemySMAX
from jaxmarl.environments.smax.smax_env import MAP_NAME_TO_SCENARIO
from jaxmarl.environments.smax.smax_env import Scenario as JaxmarlScenario

from gpae.environments.smax import SCENARIOS, SMAX
from gpae.environments.smax.environment import Draws
from gpae.environments.smax.reset import muster, place, recruit
from gpae.environments.smax.rules import MAP_SIZE, MOVES, STOP, SUBSTEP_TIME, SUBSTEPS, Units
from gpae.environments.smax.scenarios import UNIT_TYPES

BATCH = 32


def both(name, **options):
    """Our environment and JaxMARL's; of a map that JaxMARL lacks with its rules on our units."""
    about = SCENARIOS[name]
    listed = jnp.array([UNIT_TYPES.index(unit) for unit in about.allies + about.enemies], jnp.uint8)
    sizes, drawn = (len(about.allies), len(about.enemies)), (about.random_positions, bool(about.mix))
    scenario = MAP_NAME_TO_SCENARIO.get(name, JaxmarlScenario(listed, *sizes, *drawn))
    peer = HeuristicEnemySMAX(scenario=scenario, **{"see_enemy_actions": True, "walls_cause_death": True, **options})
    if sizes[0] > sizes[1]:
        # its reset draws SMACv2's places and types, which it then does not use, and cannot of more allies than enemies
        peer.position_generator.generate = lambda key: jnp.zeros((sum(sizes), 2))
        peer.unit_type_generator.generate = lambda key: jnp.zeros_like(listed)
    return SMAX(name, **options), peer


def unit_first(array):
    return jnp.swapaxes(array, 0, 1)


def translate(env, peer_state):
    """JaxMARL's states, environment axis first, as ours; without the tally, which JaxMARL does not keep."""
    state, policy = peer_state.state, peer_state.enemy_policy_state
    east, north = jnp.round(state.prev_movement_actions[..., 0]), jnp.round(state.prev_movement_actions[..., 1])
    move = jnp.select([north == 1, east == 1, north == -1, east == -1], [0, 1, 2, 3], STOP)
    action = jnp.where(state.prev_attack_actions >= MOVES, state.prev_attack_actions, move)
    x, y = state.unit_positions[..., 0], state.unit_positions[..., 1]
    units = Units(x, y, state.unit_health, state.unit_weapon_cooldowns, action, state.unit_types.astype(jnp.int32))
    ours = env.start(jax.tree.map(unit_first, units))
    # JaxMARL sets an enemy's destination at its first step, we at the reset.
    started = jnp.any(policy.default_target != 0, axis=-1).T
    prey = jnp.where(policy.last_attacked_enemy < 0, -1, env.allies - 1 - policy.last_attacked_enemy)
    memory = ours.memory._replace(
        destination_x=jnp.where(started, policy.default_target[..., 0].T, ours.memory.destination_x),
        destination_y=jnp.where(started, policy.default_target[..., 1].T, ours.memory.destination_y),
        prey=prey.T,
    )
    return ours._replace(memory=memory, time=jnp.asarray(state.time, jnp.int32))


def replay_draws(env, key):
    """What JaxMARL draws from `key`: by substep the delays, by enemy whom it would follow and whom attack."""
    key, action_key = jax.random.split(key)
    enemy_keys = jax.random.split(action_key, env.enemies)
    follow, attack = jax.vmap(lambda k: jax.vmap(jax.random.uniform)(jax.random.split(k)))(enemy_keys).T
    delays = []
    for _ in range(SUBSTEPS):
        key, substep_key = jax.random.split(key)
        draw = jax.vmap(lambda k: jax.random.uniform(k, minval=-SUBSTEP_TIME, maxval=2 * SUBSTEP_TIME))
        delays.append(draw(jax.random.split(substep_key, env.allies + env.enemies)))
    return jnp.stack(delays), follow, attack


def replay_start(env, peer, key):
    """Positions and types that JaxMARL's reset draws from `key`, before it pushes overlapping units apart."""
    _, key = jax.random.split(key)
    key, ally_key, enemy_key = jax.random.split(key, 3)
    key, position_key = jax.random.split(key)
    key, type_key = jax.random.split(key)
    ally = jax.random.uniform(ally_key, (env.allies, 2), minval=-2, maxval=2) + jnp.array([8.0, 16.0])
    foe = jax.random.uniform(enemy_key, (env.enemies, 2), minval=-2, maxval=2) + jnp.array([24.0, 16.0])
    position = jnp.concatenate([ally, foe])
    if env.scenario.random_positions:
        position = peer.position_generator.generate(position_key)
    return position, peer.unit_type_generator.generate(type_key) if env.scenario.mix else peer.scenario


def choose(rng, available):
    """Actions [B, N]: a quarter of the environments acts at random, one attacks, one shares targets, one runs away."""
    weight = available.astype(float)
    quarter = BATCH // 4
    weight[quarter : 2 * quarter, :, MOVES:] *= 6
    first = np.argmax(available[..., MOVES:], axis=-1) + MOVES
    focus = np.take_along_axis(weight, first[..., None], -1)[2 * quarter : 3 * quarter] * 40
    np.put_along_axis(weight[2 * quarter : 3 * quarter], first[2 * quarter : 3 * quarter, :, None], focus, -1)
    weight[3 * quarter :, :, 2:4] *= 8
    weight += 0.01  # now and then what is not available, and so without effect
    chance = (weight / weight.sum(-1, keepdims=True)).cumsum(-1)
    return np.argmax(chance > rng.random((*chance.shape[:2], 1)), axis=-1).astype(np.int32)


def compare(env, peer, steps):
    """Steps both from each of JaxMARL's states. Returns how often what the rules speak of was seen."""

    @jax.jit
    @jax.vmap
    def peer_step(key, state, action):
        action = dict(zip(peer.agents, action, strict=True))
        key, reset_key = jax.random.split(key)
        seen, after, reward, done, _ = peer.step_env(key, state, action)
        sequence = peer.step_env(key, state, action, get_state_sequence=True)
        begun_seen, begun = peer.reset(reset_key)
        kept = jax.tree.map(lambda new, old: jnp.where(done["__all__"], new, old), (begun_seen, begun), (seen, after))
        start = replay_start(env, peer, reset_key)
        return *kept, after, reward, done, sequence.unit_weapon_cooldowns, replay_draws(env, key), begun, start

    peer_available = jax.jit(jax.vmap(peer.get_avail_actions))
    transition, see = jax.jit(env.transition), jax.jit(env.view)
    begin = jax.jit(lambda x, y, unit_type: env.start(muster(env.scenario, x, y, unit_type)))

    rng, key = np.random.default_rng(0), jax.random.PRNGKey(0)
    seen, state = jax.jit(jax.vmap(peer.reset))(jax.random.split(key, BATCH))
    inner = state.state
    # Episodes of all ages, and in every fourth enemies about to die, so that few steps show time-outs and victories.
    frail = (np.arange(BATCH) % 4 == 0)[:, None] & (np.arange(env.allies + env.enemies) >= env.allies)
    inner = inner.replace(
        time=jnp.asarray(rng.integers(0, 101, BATCH), inner.time.dtype),
        unit_health=jnp.where(frail, 1.0, inner.unit_health),
    )
    state = state.replace(state=inner)
    seen = {**jax.jit(jax.vmap(peer.get_obs))(state), "world_state": jax.jit(jax.vmap(peer.get_world_state))(state)}
    count = dict.fromkeys(("ended", "won", "timed out", "died", "died at a wall", "attacks by enemies", "fired"), 0)
    for _ in range(steps):
        ours = translate(env, state)
        view = see(ours)
        available = peer_available(state)
        available = np.stack([available[agent] for agent in peer.agents], 1)
        np.testing.assert_array_equal(view.available, unit_first(available), "available")
        # Float rounding alone: both compute from the same float32 state.
        observation = np.stack([seen[agent] for agent in peer.agents])
        np.testing.assert_allclose(view.observation, observation, rtol=1e-5, atol=1e-6, err_msg="observation")
        np.testing.assert_allclose(view.state, seen["world_state"], rtol=1e-5, atol=1e-6, err_msg="state")

        action = choose(rng, available)
        key, step_key = jax.random.split(key)
        seen, state, after, reward, done, cooldowns, (delays, follow, attack), begun, start = peer_step(
            jax.random.split(step_key, BATCH), state, jnp.asarray(action)
        )
        expected = translate(env, after)
        # JaxMARL draws a delay in every substep and uses that of the substep in which a unit fires, at most one.
        earlier = jnp.concatenate([ours.units.cooldown.T[:, None], cooldowns[:, :-1]], 1)
        fired = cooldowns > earlier
        assert fired.sum(1).max() <= 1
        attacks = expected.units.action[env.allies :] >= MOVES
        draws = Draws(jnp.where(fired, delays, 0.0).sum(1).T, jnp.where(attacks, attack.T, follow.T))
        got, outcome = transition(ours, jnp.asarray(action.T), draws)

        for name in ("health", "action", "unit_type"):
            np.testing.assert_array_equal(getattr(got.units, name), getattr(expected.units, name), name)
        np.testing.assert_array_equal(got.units.health.T > 0, after.state.unit_alive, "life")
        np.testing.assert_array_equal(got.time, expected.time, "time")
        np.testing.assert_array_equal(got.memory.prey, expected.memory.prey, "prey")
        np.testing.assert_array_equal(outcome.done, done["__all__"], "done")
        np.testing.assert_array_equal(outcome.won, np.asarray(reward["ally_0"]) >= 1, "won")
        np.testing.assert_allclose(outcome.reward, reward["ally_0"], rtol=1e-5, atol=1e-7, err_msg="reward")
        # JaxMARL adds the difference to the old cooldown, which may be at -18 and so good to 1e-6.
        np.testing.assert_allclose(got.units.cooldown, expected.units.cooldown, rtol=1e-5, atol=4e-6)
        # A float32 position near 32 is good to 2e-6, and the push divides by the distance of units that may almost
        # coincide (at an edge that does not kill, they pile up): over eight substeps the last bits grow, to 1e-4 in
        # what was tried. A push or a movement that is wrong shows at 1e-2 and more.
        for name in ("x", "y"):
            np.testing.assert_allclose(
                getattr(got.units, name), getattr(expected.units, name), rtol=1e-5, atol=1e-3, err_msg=name
            )
        np.testing.assert_allclose(got.memory.destination_x, expected.memory.destination_x, rtol=1e-5)
        np.testing.assert_allclose(got.memory.destination_y, expected.memory.destination_y, rtol=1e-5)

        place, unit_type = start
        begun, ours_begun = translate(env, begun), begin(*jnp.moveaxis(place, -1, 0).swapaxes(1, 2), unit_type.T)
        for path, value in jax.tree_util.tree_leaves_with_path(ours_begun):
            other = dict(jax.tree_util.tree_leaves_with_path(begun))[path]
            np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-5, err_msg=jax.tree_util.keystr(path))

        died = (ours.units.health > 0) & (got.units.health <= 0)
        x, y = expected.units.x, expected.units.y
        at_wall = (jnp.minimum(x, y) < 0.4) | (jnp.maximum(x, y) > MAP_SIZE - 0.4)
        count["ended"] += int(outcome.done.sum())
        count["won"] += int(outcome.won.sum())
        count["timed out"] += int((ours.time >= 100).sum())
        count["died"] += int(died.sum())
        count["died at a wall"] += int((died & at_wall).sum())
        count["attacks by enemies"] += int(attacks.sum())
        count["fired"] += int(fired.sum())
    return count


OTHER_RULES = {"see_enemy_actions": False, "walls_cause_death": False, "attack_mode": "random"}


@pytest.mark.parametrize(("name", "options"), [("5m_vs_6m", {}), ("smacv2_5_units", OTHER_RULES)])
def test_same_steps(name, options):
    count = compare(*both(name, **options), steps=40)
    assert all(count.values()), count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in ("3m", "5m_vs_6m", "3s5z_vs_3s6z", "6h_vs_8z", "smacv2_5_units", "smacv2_10_units")),
        *((name, {}) for name in ("2m_vs_1z", "3s_vs_3z", "8m_vs_9m", "1s1z")),  # not JaxMARL's own
        ("3s_vs_5z", OTHER_RULES),
        ("2s3z", {"enemy_shoots": False}),
    ],
)
def test_same_steps_at_length(name, options):
    count = compare(*both(name, **options), steps=300)
    print(name, count)
    never = {"attacks by enemies"} if not options.get("enemy_shoots", True) else set()
    assert all(number > 0 for what, number in count.items() if what not in never), count


def test_same_distribution_of_starts():
    """Positions and types by the Kolmogorov-Smirnov test, each coordinate of each unit; and how often teams mirror."""
    env, peer = both("smacv2_5_units")
    number = 4000
    keys = jax.random.split(jax.random.PRNGKey(0), number)
    theirs = jax.jit(jax.vmap(peer.position_generator.generate))(keys)
    their_types = jax.jit(jax.vmap(peer.unit_type_generator.generate))(keys)
    x, y = place(jax.random.PRNGKey(1), env.scenario, number)
    types = recruit(jax.random.PRNGKey(2), env.scenario, number)
    for unit in range(env.allies + env.enemies):
        for ours, other in ((x[unit], theirs[:, unit, 0]), (y[unit], theirs[:, unit, 1])):
            assert scipy.stats.ks_2samp(ours, other).pvalue > 1e-3
        counts = [np.bincount(types[unit], minlength=6), np.bincount(their_types[:, unit], minlength=6)]
        assert scipy.stats.chi2_contingency(counts).pvalue > 1e-3
    spread = np.std(x[5:], axis=0), np.std(theirs[:, 5:, 0], axis=1)  # tells which team stands inside, and groups
    assert scipy.stats.ks_2samp(*spread).pvalue > 1e-3
    mirrored = np.mean(np.isclose(x[:5], MAP_SIZE - x[5:]).all(0))
    their_mirrored = np.mean(np.isclose(theirs[:, :5, 0], MAP_SIZE - theirs[:, 5:, 0]).all(1))
    assert abs(mirrored - their_mirrored) < 4 * np.sqrt(0.5 / number)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3m", "5m_vs_6m", "smacv2_5_units"])
def test_same_statistics(name):
    """Return, length and victories of 10,000 first episodes each, under one policy, within 3 standard errors."""
    env, peer = both(name)
    episodes = 10_000

    def policy(available):
        """The first attack available, else east; available: bool [N, B, A]."""
        attack = jnp.argmax(available[..., MOVES:], axis=-1) + MOVES
        return jnp.where(available[..., MOVES:].any(-1), attack, 1)

    def first_episode(step, state):
        def body(carry, key):
            state, return_, length, won, over = carry
            state, reward, victory, done = step(key, state)
            carry = state, return_ + jnp.where(over, 0, reward), length + ~over, won | (victory & ~over), over | done
            return carry, None

        zero = jnp.zeros(episodes)
        carry = state, zero, zero, zero > 0, zero > 0
        (_, *statistics, over), _ = jax.lax.scan(body, carry, jax.random.split(jax.random.PRNGKey(1), 101))
        return statistics, over

    def our_step(key, state):
        draw = env.draw(key, episodes)
        state, outcome = env.transition(state, policy(env.view(state).available), draw)
        return state, outcome.reward, outcome.won, outcome.done

    def peer_step(key, state):
        available = jax.vmap(peer.get_avail_actions)(state)
        action = policy(jnp.stack([available[agent] for agent in peer.agents]) > 0)
        action = {agent: action[i] for i, agent in enumerate(peer.agents)}
        _, state, reward, done, _ = jax.vmap(peer.step_env)(jax.random.split(key, episodes), state, action)
        return state, reward["ally_0"], reward["ally_0"] >= 1, done["__all__"]

    state, _ = env.reset(jax.random.PRNGKey(0), episodes)
    ours, our_ends = jax.jit(lambda state: first_episode(our_step, state))(state)
    _, state = jax.vmap(peer.reset)(jax.random.split(jax.random.PRNGKey(0), episodes))
    state = jax.tree.map(lambda leaf: leaf + jnp.zeros_like(leaf), state)
    theirs, their_ends = jax.jit(lambda state: first_episode(peer_step, state))(state)
    assert our_ends.all() and their_ends.all()
    for what, our, their in zip(("return", "length", "won"), ours, theirs, strict=True):
        our, their = np.asarray(our, float), np.asarray(their, float)
        error = np.sqrt((our.var() + their.var()) / episodes)
        gap = (our.mean() - their.mean()) / error
        print(f"{name} {what}: ours {our.mean():.4f}, theirs {their.mean():.4f}, {gap:+.2f} standard errors")
        assert abs(gap) <= 3, what
