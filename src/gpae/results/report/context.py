"""What every part of the page is made from."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gpae import plan
from gpae.config import Params
from gpae.plan import Job
from gpae.results import aggregate
from gpae.results.report.facets import Facets


@dataclass(frozen=True)
class Link:
    """anchor: of the job's row on the page; name: of the job in words"""

    anchor: str
    name: str


def link(job: Job) -> Link:
    seeds = job.block.removeprefix("seeds-")
    name = f"{job.method.label} on {job.task.label}, seed{'s' * (len(job.seeds) > 1)} {seeds.replace('-', ' to ')}"
    return Link(f"job-{job.method_name}-{job.task_name}-{job.block}", name)


@dataclass(frozen=True)
class Context:
    """A profile's results under `root`."""

    params: Params
    profile: str
    root: Path

    @cached_property
    def jobs(self) -> list[Job]:
        return plan.jobs(self.params, self.profile)

    @cached_property
    def experiments(self) -> dict[str, list[Job]]:
        """{experiment: its jobs}"""
        names = self.params.profile(self.profile).experiments
        return {name: plan.jobs(self.params, self.profile, name) for name in names}

    @cached_property
    def facets(self) -> Facets:
        return Facets(self.params, self.profile)

    @cached_property
    def origins(self) -> dict[str, dict[str, Any]]:
        """{evaluation: its provenance} of the jobs that have results."""
        return aggregate.read_scores(self.params, self.profile, self.root)[1]

    @cached_property
    def _links(self) -> dict[str, Link]:
        return {path.as_posix(): link(job) for job in self.jobs for path in (job.evaluation, job.metrics)}

    def finished(self, jobs: Iterable[Job]) -> list[Job]:
        """Those that have results."""
        return [job for job in jobs if job.evaluation.as_posix() in self.origins]

    def links(self, sources: Iterable[str]) -> list[Link]:
        """The jobs of result files, each once; a file that is no job's is left out."""
        return list(dict.fromkeys(self._links[source] for source in sources if source in self._links))

    def files(self, sources: Iterable[str]) -> list[str]:
        """The sources that are no job's: benchmarks."""
        return list(dict.fromkeys(source for source in sources if source not in self._links))
