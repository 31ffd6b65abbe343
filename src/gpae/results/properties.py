"""Table 1 of the GPAE paper, properties of the estimators, computed: a mark, the number behind it and the paper's mark.

`gpae.tabular.properties` says what is measured and how. The thresholds that make marks of numbers:

    Credit            No, if the reward is credited over no distance; 1-step over k = 0 only; n-step over all
    Off-policy        Yes, if the correction leaves at most OFF_POLICY of the error
    Additional bias   Yes, if it is larger than BIAS
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax

from gpae.config import Params
from gpae.results.grid import Grid
from gpae.tabular import properties
from gpae.tabular.estimators import Estimator

OFF_POLICY = 0.9
BIAS = 0.01


class Marks(NamedTuple):
    credit: str
    off_policy: str
    bias: str


# The paper's Table 1, by method; its bias column is DAE's beta.
PAPER = {
    "mappo": ("GAE", Marks("No", "No", "No")),
    "coma": ("COMA", Marks("1-step", "No", "No")),
    "dae": ("DAE", Marks("n-step", "No", "Yes")),
    "gpae_off": ("GPAE", Marks("n-step", "Yes", "No")),
}


class Measured(NamedTuple):
    """credited, reached, foreseen: distances out of properties.DISTANCES, the last with the exact critic."""

    credited: int
    reached: int
    foreseen: int
    off_policy: properties.OffPolicy
    bias: float

    @property
    def marks(self) -> Marks:
        credit = {0: "No", properties.DISTANCES: "n-step"}.get(self.credited, f"{self.credited}-step")
        return Marks(credit, _yes(self.off_policy.left <= OFF_POLICY), _yes(self.bias > BIAS))


def _yes(holds: bool) -> str:
    return "Yes" if holds else "No"


@contextmanager
def _float64() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def measure(estimators: dict[str, Estimator], gamma: float) -> dict[str, Measured]:
    """Every property of every estimator, by label."""
    with _float64():
        on, off = properties.on_policy_studies(gamma), properties.off_policy_studies(gamma)
        found = {}
        for label, estimator in estimators.items():
            myopic = properties.credit(estimator, gamma)
            found[label] = Measured(
                myopic.credited,
                myopic.reached,
                properties.credit(estimator, gamma, exact_critic=True).credited,
                properties.off_policy(estimator, off),
                properties.bias(estimator, on),
            )
        return found


def estimators(params: Params, lam: float) -> dict[str, Estimator]:
    """The paper's rows, then DAE at both ends of beta, and GAE with the correction that Table 6 gives it."""
    rows = {label: params.method(name) for name, (label, _) in PAPER.items()}
    dae, gae = rows["DAE"], params.method("gae_off_dt")
    rows |= {f"DAE, β = {beta:g}": replace(dae, beta=beta) for beta in (0.0, 1.0)} | {gae.label: gae}
    return {label: Estimator(method, lam) for label, method in rows.items()}


TITLE = "Properties of the advantage estimators, measured on tabular games"
NOTES = (
    f"Credit: over how many of the distances k = 0 .. {properties.DISTANCES - 1} a reward that an agent's action causes"
    " k steps later raises its own advantage (reached), and raises it more than that of the agent who had no part in it"
    f" (credited), by at least {properties.CREDIT:g} of the true effect; the critic knows the value of the first state"
    " alone. Credited over 0 distances is No, over 1 is 1-step, over all is n-step.",
    "Off-policy: relative error of the critic's fixed point on data of a behaviour policy, without and with the"
    f" method's correction, over 40 games. Yes, if at most {OFF_POLICY:g} of the error is left.",
    "Bias: largest error of the expected advantage with an exact critic that no baseline carries, as a share of the"
    f" largest true advantage. Yes above {BIAS:g}.",
    "DAE: in the mean its agents differ by what they expect of the present reward, whatever β is; later rewards reach"
    " all of them alike. The paper calls that n-step.",
    "GAE (off), DT-ISR: the correction of the paper's Table 6; its Table 1 says that GAE has none.",
)
COLUMNS = (
    "Advantage",
    "Credit, paper",
    "Credit, here",
    f"credited (of {properties.DISTANCES})",
    f"reached (of {properties.DISTANCES})",
    "credited, exact critic",
    "Off-policy, paper",
    "Off-policy, here",
    "error",
    "error, corrected",
    "games improved (of 40)",
    "Bias, paper",
    "Bias, here",
    "bias",
)


def grid(params: Params) -> Grid:
    learner = params.family("smax").policy_gradient.learner
    rows = estimators(params, learner.lam)
    paper, lines = dict(PAPER.values()), []
    for label, found in measure(rows, learner.gamma).items():
        here, printed = found.marks, paper.get(label, Marks("—", "—", "—"))
        beta = f", β = {rows[label].method.beta:g}" if label == "DAE" else ""
        counts = (str(found.credited), str(found.reached), str(found.foreseen))
        errors = (*(f"{error:.3f}" for error in found.off_policy.errors), str(found.off_policy.improved))
        line = (label + beta, printed.credit, here.credit, *counts, printed.off_policy, here.off_policy, *errors)
        lines.append((*line, printed.bias, here.bias, f"{found.bias:.3f}"))
    return Grid("table1", TITLE, COLUMNS, tuple(lines), (*NOTES, f"γ = {learner.gamma:g}, λ = {learner.lam:g}."))


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes tables/table1.csv, .md and .tex of a profile; the numbers are the same in every profile."""
    return grid(params).write(root / "artifacts" / profile / "tables")
