"""The rules of battle, those of JaxMARL 0.1.0's SMAX: unit types, and one environment step of eight substeps.

Arrays are [unit, environment], allies first. The environment axis is last, so that every rule is elementwise over it:
a loop over units unrolls into one pass of vector instructions, where indexing by unit would be one scalar at a time.
Distances are in map units, times in seconds of play.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

MAP_SIZE = 32.0
SUBSTEPS = 8
SUBSTEP_TIME = 1.0 / 16
DELAY = (-SUBSTEP_TIME, 2 * SUBSTEP_TIME)  # a weapon that fires recovers later by a uniform draw from here
MOVES = 5  # actions: 0 north, 1 east, 2 south, 3 west, 4 stop, then one attack for every opponent
STOP = 4


class Attributes(NamedTuple):
    """What a unit's type decides; float32 [U, B] of units, or a row of the table of types."""

    speed: jax.Array
    damage: jax.Array
    attack_range: jax.Array
    sight: jax.Array
    radius: jax.Array
    health: jax.Array
    cooldown: jax.Array


# columns in the order of scenarios.UNIT_TYPES: marine, marauder, stalker, zealot, zergling, hydralisk
TABLE = Attributes(
    speed=np.array([3.15, 2.25, 4.13, 3.15, 4.13, 3.15], np.float32),
    damage=np.array([9, 10, 13, 8, 5, 12], np.float32),
    attack_range=np.array([5, 6, 6, 2, 2, 5], np.float32),
    sight=np.array([9, 10, 10, 9, 8, 9], np.float32),
    radius=np.array([0.375, 0.5625, 0.625, 0.5, 0.375, 0.625], np.float32),
    health=np.array([45, 125, 160, 150, 35, 80], np.float32),
    cooldown=np.array([0.61, 1.07, 1.87, 0.86, 0.5, 0.59], np.float32),
)


class Units(NamedTuple):
    """All that can be seen of the units.

    x, y: float32 [U, B]; a push may leave them outside the map until the next substep
    health: float32 [U, B], zero for the dead
    cooldown: float32 [U, B], until the weapon may fire; falls without a floor
    action: int32 [U, B], the last one; an enemy counts its opponents, the allies, from the last to the first
    unit_type: int32 [U, B], index into scenarios.UNIT_TYPES
    """

    x: jax.Array
    y: jax.Array
    health: jax.Array
    cooldown: jax.Array
    action: jax.Array
    unit_type: jax.Array


def attributes(unit_type: jax.Array) -> Attributes:
    """The attributes of units of types int32 [U, B] (or [U, 1], of all environments)."""

    def look_up(column):
        value = jnp.full(unit_type.shape, column[0])
        for index in range(1, len(column)):
            value = jnp.where(unit_type == index, column[index], value)
        return value

    return Attributes(*map(look_up, TABLE))


def heading(action: jax.Array) -> tuple[jax.Array, jax.Array]:
    """East and north components, float32, of the movement that an action asks for: a unit vector or nothing."""
    # JaxMARL makes the vector by rotating a diagonal in float32, and so it is this long.
    length = np.float32(0.99999994)
    east = jnp.where(action == 1, length, jnp.where(action == 3, -length, 0.0))
    north = jnp.where(action == 0, length, jnp.where(action == 2, -length, 0.0))
    return east, north


def push(x: jax.Array, y: jax.Array, radius: jax.Array, allies: int) -> tuple[jax.Array, jax.Array]:
    """Positions after overlapping units, the dead among them, have moved apart by half their overlap each.

    x, y: float32 [U, B]; radius: float32 [U, B] or [U, 1]; allies: how many of the units are allies
    """
    ally, foe = slice(0, allies), slice(allies, None)

    def overlap(one, other):
        east, north = x[one][:, None] - x[other], y[one][:, None] - y[other]
        distance = jnp.sqrt(east * east + north * north) + 1e-6
        return jax.nn.relu((radius[one][:, None] + radius[other]) / distance - 1.0)

    # By teams, as the overlap of two teams, roots and quotients, serves both.
    among_allies, among_foes, across = overlap(ally, ally), overlap(foe, foe), overlap(ally, foe)

    def repel(place):
        allied, hostile = place[ally], place[foe]
        ally_shift, foe_shift = jnp.zeros_like(allied), jnp.zeros_like(hostile)
        for other in range(allies):
            ally_shift += (allied - allied[other]) * among_allies[:, other]
            foe_shift += (hostile - allied[other]) * across[other]
        for other in range(hostile.shape[0]):
            ally_shift += (allied - hostile[other]) * across[:, other]
            foe_shift += (hostile - hostile[other]) * among_foes[:, other]
        return jnp.concatenate([allied + ally_shift / 2, hostile + foe_shift / 2])

    return repel(x), repel(y)


class _Side(NamedTuple):
    """What an exchange of fire asks of the units of one team, [units, B]."""

    x: jax.Array
    y: jax.Array
    health: jax.Array
    target: jax.Array  # int32, index within the other team, negative for none
    ready: jax.Array  # bool, alive and the weapon recovered
    reach: jax.Array  # squared range
    damage: jax.Array


def _volley(by: _Side, at: _Side) -> tuple[jax.Array, jax.Array]:
    """Who of `by` fires, bool, and the health that those of `at` lose, float32."""

    def hits(attacker, victim, index):
        east, north = attacker.x - victim.x, attacker.y - victim.y
        in_range = east * east + north * north < attacker.reach
        return (attacker.target == index) & in_range & attacker.ready & (victim.health > 0)

    # Pair by pair and twice over: to look the victim's place up and then add up the hits, XLA would fuse the first
    # into the second and look up again for every pair.
    index = lax.broadcasted_iota(jnp.int32, at.x.shape, 0)
    fires, loss = jnp.zeros(by.x.shape, bool), jnp.zeros_like(at.health)
    for victim in range(at.x.shape[0]):
        fires |= hits(by, _Side(*(field[victim] for field in at)), victim)
    for attacker in range(by.x.shape[0]):
        one = _Side(*(field[attacker] for field in by))
        loss += jnp.where(hits(one, at, index), one.damage, 0.0)
    return fires, loss


def fight(
    units: Units, kind: Attributes, action: jax.Array, delay: jax.Array, *, allies: int, walls_cause_death: bool
) -> Units:
    """One environment step.

    units: before the step
    kind: their attributes
    action: int32 [U, B], what every unit does; enemies number the allies from the last to the first
    delay: float32 [U, B], seconds added to the cooldown of a weapon that fires; no weapon recovers within one step, so
        one draw serves all substeps
    allies: how many of the units are allies
    walls_cause_death: whether touching the edge of the map kills

    In a substep attacks are judged by what was at its beginning; then units move and are clipped to the map, are judged
    by the walls, and are pushed apart. The dead move and push as well.
    """
    kind = Attributes(*(jnp.broadcast_to(column, action.shape) for column in kind))
    east, north = heading(action)
    move_x, move_y = east * kind.speed * SUBSTEP_TIME, north * kind.speed * SUBSTEP_TIME
    opponent = action - MOVES
    target = jnp.concatenate([opponent[:allies], jnp.where(opponent < 0, -1, allies - 1 - opponent)[allies:]])
    reach, recovery = kind.attack_range * kind.attack_range, kind.cooldown + delay

    def substep(_, now):
        x, y, health, cooldown = now
        everyone = _Side(x, y, health, target, (health > 0) & (cooldown <= 0), reach, kind.damage)
        ally, foe = _Side(*(field[:allies] for field in everyone)), _Side(*(field[allies:] for field in everyone))
        ally_fires, foe_loss = _volley(by=ally, at=foe)
        foe_fires, ally_loss = _volley(by=foe, at=ally)
        fires, loss = jnp.concatenate([ally_fires, foe_fires]), jnp.concatenate([ally_loss, foe_loss])
        cooldown = jnp.where(fires, recovery, cooldown - SUBSTEP_TIME)
        health = jnp.maximum(health - loss, 0.0)

        x, y = jnp.clip(x + move_x, 0.0, MAP_SIZE), jnp.clip(y + move_y, 0.0, MAP_SIZE)
        if walls_cause_death:
            health = jnp.where((x <= 0) | (y <= 0) | (x >= MAP_SIZE) | (y >= MAP_SIZE), 0.0, health)
        return *push(x, y, kind.radius, allies), health, cooldown

    # Not unrolled: eight copies in one program run several times slower than a loop over one.
    now = lax.fori_loop(0, SUBSTEPS, substep, (units.x, units.y, units.health, units.cooldown))
    return Units(*now, action, units.unit_type)
