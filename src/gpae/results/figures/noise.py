"""How much of the policy's gradient is chance at each evaluation point, and the score."""

from pathlib import Path

from gpae.config import Params
from gpae.plan import NOISE
from gpae.results import aggregate
from gpae.results.figures import curves
from gpae.results.figures.panels import Panel


def shown(params: Params, profile: str, experiment: str, root: Path) -> list[Panel]:
    """Two panels a task: the noise and the score."""
    rows = aggregate.over_seeds(aggregate.read_diagnostics(params, profile, root)[0])
    kinds = [("noise of the policy's gradient", "share of its squared norm", rows[rows["quantity"] == NOISE])]
    return curves.after_diagnostics(params, profile, experiment, root, kinds)


def caption(params: Params, profile: str, experiment: str) -> str:
    return (
        "Variance of the policy's gradient over environments as a share of its squared norm: 0 is a gradient without"
        " chance, 1 in the mean one of chance alone. Measured at the evaluation points on fresh windows of the policy"
        " that the critic has just judged, as many for every method and none of them used again (docs/protocol.md)."
        " Mean over seeds; standard error shaded."
    )
