"""Figure 2: how far trace weights are from the individual and the joint ratio, their gap (Eq. 9), and the score."""

from pathlib import Path

from gpae.config import Params
from gpae.results import aggregate
from gpae.results.figures import curves
from gpae.results.figures.panels import Panel

QUANTITIES = {
    "individual_distance": ("distance to the individual ratio", "E|c / λ − ρⁱ|"),
    "joint_distance": ("distance to the joint ratio", "E|c / λ − ρ|"),
    "truncation_gap": ("their gap (Eq. 9)", "joint − individual"),
}


def shown(params: Params, profile: str, experiment: str, root: Path) -> list[Panel]:
    """Four panels a task: the two distances, their gap, and the score."""
    rows = aggregate.over_seeds(aggregate.read_diagnostics(params, profile, root)[0])
    kinds = [(*about, rows[rows["quantity"] == quantity]) for quantity, about in QUANTITIES.items()]
    return curves.after_diagnostics(params, profile, experiment, root, kinds)


def caption(params: Params, profile: str, experiment: str) -> str:
    return (
        "Trace weights c against the importance ratios of the samples in the replay. (a), (b) Mean distance of c / λ to"
        " the agent's own ratio and to the joint ratio. (c) The second minus the first, which Eq. 9 calls the"
        " truncation gap: above 0 a weight is nearer to the individual ratio, below 0 to the joint one. (d) Learning"
        " curve. Distances are means over the updates since the last evaluation, then over seeds; standard error"
        " shaded."
    )
