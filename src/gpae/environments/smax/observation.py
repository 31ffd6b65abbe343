"""What agents and the critic see, as in JaxMARL 0.1.0's SMAX (observations as a list of units)."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from gpae.environments.base import View
from gpae.environments.smax.rules import MAP_SIZE, MOVES, TABLE, Attributes, Units, heading

TYPES = len(TABLE.speed)
OTHER_FEATURES = 7 + TYPES  # health, relative x and y, movement x and y, attack, cooldown, type
OWN_FEATURES = 4 + TYPES  # health, x, y, cooldown, type


def observation_size(allies: int, enemies: int) -> int:
    return OTHER_FEATURES * (allies + enemies - 1) + OWN_FEATURES


def state_size(allies: int, enemies: int) -> int:
    return (OWN_FEATURES + 2) * (allies + enemies)


def view(units: Units, kind: Attributes, *, allies: int, see_enemy_actions: bool) -> View:
    """The view of `units`, with attributes `kind`, of the first `allies` of them.

    Observation: every other unit, allies first, then the agent itself. Others: health as a share, position relative to
    the agent in units of its sight, the last movement (a vector) and attack (the action, 0 for none), cooldown in
    seconds, type; zeros when dead or out of sight. Itself: health, position as a share of the map, cooldown, type.
    The dead see zeros.

    State: health, position (in map units), cooldown and type of every unit (zeros for the dead), then the team of
    every unit (0 or 1), then the number of the type of every unit.

    Available: moves for the living, to stop for everyone, attacks on living opponents in range for the living.
    """
    shape = units.x.shape
    alive = units.health > 0
    share = units.health / kind.health
    types = [(units.unit_type == index).astype(jnp.float32) for index in range(TYPES)]
    types = [jnp.broadcast_to(column, shape) for column in types]
    sight = jnp.broadcast_to(kind.sight, shape)
    attack_range = jnp.broadcast_to(kind.attack_range, shape)

    own = jnp.stack([share, units.x, units.y, units.cooldown, *types], 1)
    own = jnp.where(alive[:, None], own, 0.0)  # [U, 10, B]
    teams = np.broadcast_to((np.arange(shape[0]) >= allies)[:, None], shape).astype(np.float32)
    kinds = jnp.broadcast_to(units.unit_type, shape).astype(jnp.float32)
    state = jnp.concatenate([own.reshape(-1, shape[1]), teams, kinds])

    move_x, move_y = heading(units.action)
    attack = jnp.where(units.action >= MOVES, units.action, 0).astype(jnp.float32)
    if not see_enemy_actions:
        move_x, move_y, attack = (column.at[allies:].set(0.0) for column in (move_x, move_y, attack))
    others = jnp.stack([share, units.x, units.y, move_x, move_y, attack, units.cooldown, *types], 1)  # [U, 13, B]
    is_x, is_y = np.arange(OTHER_FEATURES)[:, None] == 1, np.arange(OTHER_FEATURES)[:, None] == 2
    to_share = np.array([1, MAP_SIZE, MAP_SIZE] + [1] * (OWN_FEATURES - 3), np.float32)[:, None]

    def look(agent):
        x, y = units.x[agent], units.y[agent]
        square = (units.x - x) ** 2 + (units.y - y) ** 2
        both = alive & alive[agent]
        visible, shootable = (square < sight[agent] ** 2) & both, (square < attack_range[agent] ** 2) & both
        origin = jnp.where(is_x, x, jnp.where(is_y, y, 0.0))
        seen = jnp.where(visible[:, None], (others - origin) / jnp.where(is_x | is_y, sight[agent], 1.0), 0.0)
        seen = jnp.where(np.arange(shape[0] - 1)[:, None, None] < agent, seen[:-1], seen[1:])
        moves = jnp.broadcast_to(alive[agent], (MOVES - 1, shape[1]))
        available = jnp.concatenate([moves, jnp.ones((1, shape[1]), bool), shootable[allies:]])
        return jnp.concatenate([seen.reshape(-1, shape[1]), own[agent] / to_share]), available

    # Agent by agent: the loop holds its results in memory, where the exchange of axes is cheap. Fused into one program
    # with it, as under vmap, the features would be computed against the order of memory, several times slower.
    observation, available = lax.map(look, jnp.arange(allies))
    return View(jnp.swapaxes(observation, 1, 2), state.T, jnp.swapaxes(available, 1, 2))
