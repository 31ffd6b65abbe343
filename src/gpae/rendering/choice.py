"""Whom Figure 3 shows; free of jax, because the workflow asks before any work."""

from gpae import plan
from gpae.config import Params
from gpae.plan import Job

_FAMILIES = ("mabrax", "smax")  # in the figure's order
_PREFERRED = "gpae_off"


def candidates(params: Params, profile: str) -> dict[str, list[Job]]:
    """{family: the profile's jobs of it, those of GPAE (off) first, else in planned order}."""
    planned = sorted(plan.jobs(params, profile), key=lambda job: job.method_name != _PREFERRED)
    found = {family: [job for job in planned if job.task.family == family] for family in _FAMILIES}
    return {family: jobs for family, jobs in found.items() if jobs}
