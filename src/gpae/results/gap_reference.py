"""Appendix B of the GPAE paper: what the advantage gap of Figure 1 should be, from the environment's constants.

    uv run python -m gpae.results.gap_reference

prints every step; docs/advantage-gap.md derives them. Two numbers are no constants of the environment but the paper's
observations: the length of an episode, and how much the stops lower the win rate.
"""

import math
from pathlib import Path
from typing import NamedTuple

from gpae.config import ConfigError, Params
from gpae.environments.smax import SMAX, rules
from gpae.environments.smax.scenarios import UNIT_TYPES, find

TASK = "3m_stop"
EPISODE_LENGTH = 30  # "a typical 30-step episode"
WIN_RATE_DROP = 0.1  # "one in ten episodes that would have succeeded now fails"


class Reference(NamedTuple):
    """Steps of the derivation, in units of the reward and of environment steps.

    hit: reward of one hit
    rate: hits a step of an agent that attacks
    attack: reward of a step of attacking, hit x rate
    fight: steps until all enemies are dead when all agents attack
    share: of an episode that is spent so
    damage: expected loss of damage reward by a stop, attack x share
    win: expected loss of the bonus, gamma^(L / 2) x drop of the win rate x bonus, as the paper has it: by an episode's
        stops, all together
    stops: their expected number in an episode
    """

    hit: float
    rate: float
    attack: float
    fight: float
    share: float
    damage: float
    win: float
    stops: float

    @property
    def total(self) -> float:
        """The paper's reference."""
        return self.damage + self.win

    @property
    def total_a_stop(self) -> float:
        """The same with the bonus' loss divided among the stops that cause it, as the gap is measured a stop."""
        return self.damage + self.win / self.stops


def firing_period(cooldown: float) -> float:
    """Mean substeps between two shots of a unit that always attacks; cooldown in seconds.

    A shot in one substep leaves cooldown + delay in the next, which every further substep shortens by SUBSTEP_TIME; the
    first at which nothing is left fires. So the period is 1 + ceil(x), x = (cooldown + delay) / SUBSTEP_TIME uniform.
    """
    low, high = ((cooldown + delay) / rules.SUBSTEP_TIME for delay in rules.DELAY)
    weights = {
        n: max(0.0, min(n, high) - max(n - 1, low)) / (high - low) for n in range(math.floor(low), math.ceil(high) + 1)
    }
    return 1 + sum(n * weight for n, weight in weights.items())


def _only(params: Params, task: str, units: tuple[str, ...]) -> str:
    if len(set(units)) > 1:
        source = params.folder / "tasks" / f"{task}.yaml"
        raise ConfigError(f"{source}: environment.scenario: a team of {', '.join(units)}; allowed: one kind of unit")
    return units[0]


def reference(
    params: Params, task: str = TASK, *, episode_length: float = EPISODE_LENGTH, win_rate_drop: float = WIN_RATE_DROP
) -> Reference:
    """Of a SMAX task with stops, whose scenario has one kind of unit a team (ConfigError otherwise)."""
    settings, gamma = params.task(task).environment, params.family("smax").policy_gradient.learner.gamma
    scenario = find(settings["scenario"])
    allies, enemies = len(scenario.allies), len(scenario.enemies)
    ally, enemy = (UNIT_TYPES.index(_only(params, task, units)) for units in (scenario.allies, scenario.enemies))
    damage, cooldown, health = (
        float(column[unit])
        for column, unit in ((rules.TABLE.damage, ally), (rules.TABLE.cooldown, ally), (rules.TABLE.health, enemy))
    )
    hit = damage / health / enemies
    rate = rules.SUBSTEPS / firing_period(cooldown)
    fight = enemies * math.ceil(health / damage) / (allies * rate)
    share = fight / episode_length
    return Reference(
        hit=hit,
        rate=rate,
        attack=hit * rate,
        fight=fight,
        share=share,
        damage=hit * rate * share,
        win=gamma ** (episode_length / 2) * win_rate_drop * SMAX(scenario).won_bonus,
        stops=settings["stop_probability"] * episode_length,
    )


if __name__ == "__main__":
    found = reference(Params(Path("params")))
    for name, value in (*found._asdict().items(), ("total", found.total), ("total_a_stop", found.total_a_stop)):
        print(f"{name:13}{value:.4f}")
