"""Whom Figure 3 and MACA's Figure 6 show; free of jax, because the workflow asks before any work."""

from gpae import plan
from gpae.config import Params, PolicyGradientMethod
from gpae.plan import Job

_FAMILIES = ("mabrax", "smax")  # in the figure's order
_PREFERRED = "gpae_off"


def candidates(params: Params, profile: str) -> dict[str, list[Job]]:
    """{family: the profile's jobs of it, those of GPAE (off) first, else in planned order}."""
    planned = sorted(plan.jobs(params, profile), key=lambda job: job.method_name != _PREFERRED)
    found = {family: [job for job in planned if job.task.family == family] for family in _FAMILIES}
    return {family: jobs for family, jobs in found.items() if jobs}


def attending(params: Params, profile: str) -> list[Job]:
    """The profile's jobs whose critic attends, where agents have places: MACA itself first, else in planned order."""

    def attends(job: Job) -> bool:
        return isinstance(job.method, PolicyGradientMethod) and job.method.estimator == "multilevel"

    found = [job for job in plan.jobs(params, profile) if attends(job) and job.task.family in ("smax", "mpe")]
    return sorted(found, key=lambda job: job.method_name != "maca")
