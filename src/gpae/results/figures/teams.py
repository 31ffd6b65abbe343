"""Figures 7 and 8 of the ASAE paper: what two teams earn while they learn against each other, and who is caught."""

from pathlib import Path

from gpae.config import Params
from gpae.results import aggregate
from gpae.results.figures import curves
from gpae.results.figures.panels import Panel

QUANTITIES = {
    "predators_reward": ("the predators", "mean reward a step"),
    "prey_reward": ("the prey", "mean reward a step"),
}


def shown(params: Params, profile: str, experiment: str, root: Path) -> list[Panel]:
    """Three panels a task: each team's reward, and the score."""
    rows = aggregate.over_seeds(aggregate.read_diagnostics(params, profile, root)[0])
    kinds = [(*about, rows[rows["quantity"] == quantity]) for quantity, about in QUANTITIES.items()]
    return curves.after_diagnostics(params, profile, experiment, root, kinds)


def caption(params: Params, profile: str, experiment: str) -> str:
    return (
        "Predators and prey while both learn. Rewards are those of the rollouts, means over the updates since the last"
        " evaluation, then over seeds; the score is the share of the prey that is caught in an episode of an"
        " evaluation. Standard error shaded."
    )
