"""How an episode begins."""

import jax
import jax.numpy as jnp
from jax import lax

from gpae.environments.smax.rules import MAP_SIZE, STOP, Attributes, Units, attributes, push
from gpae.environments.smax.scenarios import UNIT_TYPES, Scenario

NOISE = 2.0  # half the side of the square in which a team stands


def place(key: jax.Array, scenario: Scenario, batch: int) -> tuple[jax.Array, jax.Array]:
    """x and y, float32 [U, B], of the units before those that overlap are pushed apart."""
    allies, enemies = len(scenario.allies), len(scenario.enemies)
    spot_key, surround_key, coin_key = jax.random.split(key, 3)
    spot_x, spot_y = jax.random.uniform(spot_key, (2, allies + enemies, batch))  # in a square of side one
    noise_x, noise_y = (2 * spot_x - 1) * NOISE, (2 * spot_y - 1) * NOISE
    is_ally = lax.broadcasted_iota(jnp.int32, spot_x.shape, 0) < allies
    if not scenario.random_positions:
        return jnp.where(is_ally, MAP_SIZE / 4, MAP_SIZE * 3 / 4) + noise_x, MAP_SIZE / 2 + noise_y

    surround_x, surround_y = _surround(surround_key, is_ally)
    mirror_x, mirror_y = _mirror(spot_x, spot_y, allies)
    surrounds = jax.random.bernoulli(coin_key, shape=(batch,))
    x = jnp.where(surrounds, surround_x + noise_x, mirror_x)
    y = jnp.where(surrounds, surround_y + noise_y, mirror_y)
    return x, y


def _surround(key, is_ally):
    """One team stands at the centre, the units of the other in groups on the ways from the corners to the centre."""
    inside_key, group_key, way_key = jax.random.split(key, 3)
    batch = is_ally.shape[1]
    inside = is_ally == jax.random.bernoulli(inside_key, shape=(batch,))
    group = jnp.floor(4 * jax.random.uniform(group_key, is_ally.shape))
    way = jax.random.uniform(way_key, (4, batch))
    x, y = jnp.full(group.shape, MAP_SIZE / 2), jnp.full(group.shape, MAP_SIZE / 2)
    corners = ((0.0, 0.0), (0.0, MAP_SIZE), (MAP_SIZE, 0.0), (MAP_SIZE, MAP_SIZE))
    for index, (corner_x, corner_y) in enumerate(corners):
        member = ~inside & (group == index)
        x = jnp.where(member, way[index] * (MAP_SIZE / 2) + (1 - way[index]) * corner_x, x)
        y = jnp.where(member, way[index] * (MAP_SIZE / 2) + (1 - way[index]) * corner_y, y)
    return x, y


def _mirror(spot_x, spot_y, allies):
    """Allies anywhere in the left half, enemies mirrored in the right; those without a counterpart anywhere in it."""
    x, y = spot_x * (MAP_SIZE / 2), spot_y * MAP_SIZE
    enemies = x.shape[0] - allies
    foe_x = jnp.concatenate([x[: min(allies, enemies)], x[2 * allies :]])
    foe_y = jnp.concatenate([y[: min(allies, enemies)], y[2 * allies :]])
    return jnp.concatenate([x[:allies], MAP_SIZE - foe_x]), jnp.concatenate([y[:allies], foe_y])


def listed_types(scenario: Scenario) -> jax.Array:
    """The types of the units as the scenario lists them, int32 [U, 1]."""
    return jnp.array([[UNIT_TYPES.index(unit)] for unit in scenario.allies + scenario.enemies], jnp.int32)


def recruit(key: jax.Array, scenario: Scenario, batch: int) -> jax.Array:
    """The units' types, int32 [U, B]; where they are drawn, enemy i is of the type of ally i."""
    allies, enemies = len(scenario.allies), len(scenario.enemies)
    if not scenario.mix:
        return jnp.broadcast_to(listed_types(scenario), (allies + enemies, batch))
    number = jnp.floor(len(scenario.mix) * jax.random.uniform(key, (max(allies, enemies), batch)))
    unit_type = jnp.zeros(number.shape, jnp.int32)
    for index, unit in enumerate(scenario.mix):
        unit_type = jnp.where(number == index, UNIT_TYPES.index(unit), unit_type)
    return jnp.concatenate([unit_type[:allies], unit_type[:enemies]])


def known(scenario: Scenario, unit_type: jax.Array | None) -> tuple[jax.Array, Attributes]:
    """Types, int32 [U, B] or [U, 1], and attributes; what the scenario fixes becomes a constant of the program."""
    if not scenario.mix:
        unit_type = listed_types(scenario)
    return unit_type, attributes(unit_type)


def muster(scenario: Scenario, x: jax.Array, y: jax.Array, unit_type: jax.Array | None) -> Units:
    """Fresh units at the given places, float32 [U, B]; of the given types, int32 [U, B], where a mix is drawn from."""
    unit_type, kind = known(scenario, unit_type)
    x, y = push(x, y, kind.radius, len(scenario.allies))
    health, unit_type = jnp.broadcast_to(kind.health, x.shape), jnp.broadcast_to(unit_type, x.shape)
    return Units(x, y, health, jnp.zeros_like(x), jnp.full(x.shape, STOP, jnp.int32), unit_type)


def _lots(key, scenario, batch):
    """What is random in a start: places and types."""
    place_key, recruit_key = jax.random.split(key)
    return *place(place_key, scenario, batch), recruit(recruit_key, scenario, batch)


def fresh(key: jax.Array, scenario: Scenario, batch: int) -> Units:
    """The units of `batch` new episodes."""
    return muster(scenario, *_lots(key, scenario, batch))


def renew(key: jax.Array, scenario: Scenario, ended: jax.Array) -> Units:
    """The units of new episodes where bool [B] `ended`, anything elsewhere.

    Few episodes end in one step, so lots are drawn for a few at a time, until every ended environment has its own.
    """
    batch = ended.shape[0]
    few = -(-batch // 8)
    rank = jnp.cumsum(ended, dtype=jnp.int32) - 1

    def deal(carry):
        dealt, *held = carry
        drawn = _lots(jax.random.fold_in(key, dealt), scenario, few)
        index = rank - dealt
        takes = (index >= 0) & (index < few)
        index = jnp.clip(index, 0, few - 1)
        return dealt + few, *(jnp.where(takes, new[:, index], old) for new, old in zip(drawn, held, strict=True))

    nowhere = jnp.zeros((len(scenario.allies + scenario.enemies), batch), jnp.float32)
    first = (jnp.int32(0), nowhere, nowhere, nowhere.astype(jnp.int32))
    _, *lots = lax.while_loop(lambda carry: carry[0] <= rank[-1], deal, first)
    return muster(scenario, *lots)
