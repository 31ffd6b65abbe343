"""Figure 1 of the ASAE paper, asynchronous against synchronous estimates, computed on games that are solved exactly."""

from functools import cache

import numpy as np

from gpae.results.grid import Grid
from gpae.tabular.games import random_game
from gpae.tabular.synchronous import Update, landmarks, update

RIGHT = 0.3  # chance that an agent of the game of two landmarks goes right
CLIPS = (0.05, 0.1, 0.2, 0.3, 1.0, 2.0, float("inf"))  # the first four are Figure 11's here
GAMES = 300
LEAST = 1e-9  # of the return, that a fall counts from

COLUMNS = (
    "Clip",
    "Return before",
    "promised to each",
    "of both, asynchronous",
    "of both, one synchronous",
    f"random games that fall (of {GAMES})",
)
NOTES = (
    "Two agents go to the left landmark or to the right one at the same time: apart they get 1, together −1; each goes"
    f" right with chance {RIGHT:g}. Promised: the team's return if the agent alone were updated. Asynchronous: both are"
    " updated, each to the best policy within the clip by its marginal advantage against the other's present policy."
    " One synchronous: the first agent's marginal advantage is against the other's next policy.",
    "Random games: 4 states that both agents see, 2 and 3 actions, policies drawn evenly; the team's return after both"
    " updates is lower than before.",
    "Everything is exact: values by linear algebra, no sampling.",
)


@cache
def fallen(clip: float) -> int:
    """In how many of GAMES random games both agents' asynchronous updates lower the team's return."""
    return sum(_falls(seed, clip) for seed in range(GAMES))


def _falls(seed: int, clip: float) -> bool:
    game, rng = random_game(seed), np.random.default_rng(5000 + seed)
    states = len(game.start)
    game = game._replace(observation=np.stack([np.arange(states)] * 2))
    policies = [rng.dirichlet(np.ones(actions), size=states) for actions in game.reward.shape[1:]]
    found = update(game, policies, clip)
    return found.together < found.before - LEAST


def _line(clip: float, found: Update) -> tuple[str, ...]:
    returns = (found.before, found.promised[0], found.together, found.informed)
    name = f"{clip:g}" if np.isfinite(clip) else "none"
    return (name, *(f"{each:.3f}".replace("-", "−") for each in returns), str(fallen(clip)))


def grid() -> Grid:
    lines = tuple(_line(clip, update(*landmarks(RIGHT), clip)) for clip in CLIPS)
    title = "Updates of two agents at once, each estimated against the other's present policy"
    return Grid("asae_figure1", title, COLUMNS, lines, NOTES, left=1)
