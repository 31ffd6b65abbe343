"""The enemy's policy: JaxMARL 0.1.0's heuristic. Arrays are [enemy, environment]."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gpae.environments.smax.rules import MAP_SIZE, MOVES, TABLE, Attributes, Units


class Memory(NamedTuple):
    """What an enemy keeps in mind.

    destination_x, destination_y: float32 [E, B], where it goes when it sees nobody
    prey: int32 [E, B], the ally it attacked in the last step, -1 for none
    """

    destination_x: jax.Array
    destination_y: jax.Array
    prey: jax.Array


def remember(units: Units, allies: int) -> Memory:
    """The memory at the start of an episode: every enemy heads for the point opposite its own across the centre."""
    x, y = units.x[allies:], units.y[allies:]
    return Memory(MAP_SIZE - x, MAP_SIZE - y, jnp.full(x.shape, -1, jnp.int32))


def act(
    units: Units, kind: Attributes, memory: Memory, choice: jax.Array, *, allies: int, attack_mode: str, shoots: bool
) -> tuple[jax.Array, Memory]:
    """The enemies' actions, int32 [E, B], and their new memory.

    An enemy with an ally in range stands still and attacks, whether or not its weapon is ready: the ally of the last
    step if it still can, else the closest or a random one. Otherwise it goes towards a random ally in sight, drawn
    anew in each step, or towards its destination.

    units, kind: [U, B], the units before the step and their attributes
    choice: float32 [E, B], uniform in [0, 1): which ally is attacked or followed, where that is random; an enemy does
        one or the other, so one draw is enough
    attack_mode: 'closest' or 'random'
    shoots: if False, it only moves
    """
    alive = units.health[allies:] > 0
    # The dead observe zeros: they take themselves for marines in the corner and see nobody.
    x, y = jnp.where(alive, units.x[allies:], 0.0), jnp.where(alive, units.y[allies:], 0.0)
    sight = jnp.where(alive, kind.sight[allies:], TABLE.sight[0])
    attack_range = jnp.where(alive, kind.attack_range[allies:], TABLE.attack_range[0])

    # Allies in the order in which an enemy counts them; of equals, the first counts.
    order = range(allies - 1, -1, -1)
    visible, shootable, distance = {}, {}, {}
    for ally in order:
        east, north = units.x[ally] - x, units.y[ally] - y
        distance[ally] = east * east + north * north
        visible[ally] = (distance[ally] < sight * sight) & alive & (units.health[ally] > 0)
        shootable[ally] = (distance[ally] < attack_range * attack_range) & visible[ally]

    def closest():
        best, nearest = jnp.full(x.shape, -1, jnp.int32), jnp.full(x.shape, np.inf, jnp.float32)
        for ally in order:
            closer = shootable[ally] & (distance[ally] < nearest)
            best, nearest = jnp.where(closer, ally, best), jnp.where(closer, distance[ally], nearest)
        return best

    def drawn(candidates):
        """A random one of the candidates, -1 if there are none."""
        number = sum(candidate.astype(jnp.float32) for candidate in candidates.values())
        rank = (1.0 - choice) * number
        seen, pick = jnp.zeros_like(x), jnp.full(x.shape, -1, jnp.int32)
        for ally in order:
            pick = jnp.where(candidates[ally] & (seen < rank), ally, pick)
            seen += candidates[ally].astype(jnp.float32)
        return pick

    prey = closest() if attack_mode == "closest" else drawn(shootable)
    for ally in order:
        prey = jnp.where((memory.prey == ally) & shootable[ally], ally, prey)

    followed = drawn(visible)
    goal_x, goal_y = memory.destination_x, memory.destination_y
    for ally in order:
        goal_x = jnp.where(followed == ally, units.x[ally], goal_x)
        goal_y = jnp.where(followed == ally, units.y[ally], goal_y)
    action = _towards(goal_x - x, goal_y - y)
    if shoots:
        action = jnp.where(prey >= 0, MOVES + allies - 1 - prey, action)
    return action, memory._replace(prey=prey)


def _towards(east: jax.Array, north: jax.Array) -> jax.Array:
    """The movement, int32, that goes furthest in a direction; of equals, the first."""
    best, action = north, jnp.zeros(north.shape, jnp.int32)
    for index, progress in ((1, east), (2, -north), (3, -east)):
        action = jnp.where(progress > best, index, action)
        best = jnp.maximum(progress, best)
    return action
