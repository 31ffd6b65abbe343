"""What one "stop" costs in the environment itself, as a check of `gpae.results.gap_reference`.

    uv run python -m gpae.results.gap_simulation

plays pairs of episodes with the same random draws, which differ in one action: at a random step at which it lives, one
of the allies stops. The allies follow a script: attack the weakest enemy in range, else go to the nearest.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gpae.config import Params
from gpae.environments.smax import SMAX, rules
from gpae.environments.smax.environment import State
from gpae.environments.smax.rules import MOVES, STOP
from gpae.environments.smax.scenarios import UNIT_TYPES
from gpae.results.gap_reference import TASK

STEPS = 40  # a stop may come in the first of them; an episode of the script is over after 20 or so


class Mean(NamedTuple):
    value: float
    error: float  # standard error

    def __str__(self) -> str:
        return f"{self.value:.4f} ± {self.error:.4f}"


def _mean(samples: np.ndarray) -> Mean:
    return Mean(float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(len(samples))))


class Cost(NamedTuple):
    """What a stop costs, over all stops, and over those that replaced an attack.

    damage, win: loss of the discounted damage reward and of the discounted bonus
    present: loss of reward in the step itself, all that DAE tells agents apart by
    attack: loss of damage reward in the step itself, where the stop replaced an attack
    length, win_rate: mean length of the episodes and share of those won, without stops
    """

    damage: Mean
    win: Mean
    total: Mean
    present: Mean
    attack: Mean
    length: Mean
    win_rate: Mean


def script(environment: SMAX, state: State) -> jax.Array:
    """int32 [N, B]: attack the weakest enemy in range, of equals the nearest; else go towards the nearest."""
    units, allies = state.units, environment.allies
    ranges = np.array([rules.TABLE.attack_range[UNIT_TYPES.index(unit)] for unit in environment.scenario.allies])
    health = units.health[None, allies:]
    east, north = (place[None, allies:] - place[:allies, None] for place in (units.x, units.y))
    distance = jnp.where(health > 0, east**2 + north**2, jnp.inf)
    in_range = distance < ranges[:, None, None] ** 2
    weakest = jnp.argmin(jnp.where(in_range, 1e4 * health + distance, jnp.inf), axis=1)
    nearest = jnp.argmin(distance, axis=1)[:, None]
    east, north = (jnp.take_along_axis(each, nearest, axis=1)[:, 0] for each in (east, north))
    sideways = jnp.where(east > 0, 1, 3)
    move = jnp.where(jnp.abs(east) >= jnp.abs(north), sideways, jnp.where(north > 0, 0, 2))
    return jnp.where(in_range.any(axis=1), MOVES + weakest, move).astype(jnp.int32)


class Episodes(NamedTuple):
    """[time, B]: the two parts of the reward, what the drawn ally does, and whether the first episode goes on."""

    damage: np.ndarray
    bonus: np.ndarray
    alive: np.ndarray
    attacks: np.ndarray
    running: np.ndarray


@partial(jax.jit, static_argnames="environment")
def play(environment: SMAX, key: jax.Array, agent: jax.Array, stop: jax.Array) -> Episodes:
    """One episode in each environment; agent, stop: int32 [B], who stops instead of acting, and at which step."""
    batch = agent.shape[0]
    drawn = jnp.arange(environment.allies)[:, None] == agent
    state, _ = environment.reset(key, batch)

    def step(carry, time):
        state, over = carry
        chosen = script(environment, state)
        action = jnp.where(drawn & (stop == time), STOP, chosen)
        after, outcome = environment.transition(state, action, environment.draw(jax.random.fold_in(key, time), batch))
        alive = jnp.any(drawn & (state.units.health[: environment.allies] > 0), axis=0)
        attacks = jnp.any(drawn & (chosen >= MOVES), axis=0)
        bonus = jnp.where(outcome.won, environment.won_bonus, 0.0)
        damage, bonus = (jnp.where(over, 0.0, each) for each in (outcome.reward - bonus, bonus))
        record = Episodes(damage, bonus, alive & ~over, attacks, ~over)
        return (after, over | outcome.done), record

    start = (state, jnp.zeros(batch, bool))
    return jax.lax.scan(step, start, jnp.arange(environment.max_steps + 1, dtype=jnp.int32))[1]


def cost_of_a_stop(scenario: str, gamma: float, batch: int, seed: int) -> Cost:
    """Over `batch` pairs of episodes, of which those count whose drawn ally lives at the drawn step."""
    environment, rng = SMAX(scenario), np.random.default_rng(seed)
    agent = rng.integers(environment.allies, size=batch, dtype=np.int32)
    stop = rng.integers(STEPS, size=batch, dtype=np.int32)
    key = jax.random.PRNGKey(seed)
    kept, stopped = (
        Episodes(*map(np.asarray, play(environment, key, agent, when))) for when in (np.full_like(stop, -1), stop)
    )
    at = (stop, np.arange(batch))
    counts, attacks = kept.alive[at], kept.attacks[at]
    time = np.arange(len(kept.damage))[:, None]
    discount = np.where(time >= stop, gamma ** np.maximum(time - stop, 0), 0.0)
    damage_loss, bonus_loss = kept.damage - stopped.damage, kept.bonus - stopped.bonus
    damage, win = ((discount * loss).sum(0)[counts] for loss in (damage_loss, bonus_loss))
    return Cost(
        damage=_mean(damage),
        win=_mean(win),
        total=_mean(damage + win),
        present=_mean((damage_loss + bonus_loss)[at][counts]),
        attack=_mean(damage_loss[at][counts & attacks]),
        length=_mean(kept.running.sum(0)),
        win_rate=_mean((kept.bonus > 0).any(0).astype(float)),
    )


if __name__ == "__main__":
    params = Params(Path("params"))
    discount = params.family("smax").policy_gradient.learner.gamma
    cost = cost_of_a_stop(params.task(TASK).environment["scenario"], discount, batch=65_536, seed=0)
    for name, mean in cost._asdict().items():
        print(f"{name:10}{mean}")
