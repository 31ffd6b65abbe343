"""The jobs of a profile as the page tells of them: parameters, commit, versions, machine, times, shape and energy."""

import json
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gpae.plan import Job
from gpae.results.report import energy
from gpae.results.report.context import Context, Link, link


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, hours = seconds / 60, seconds / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.1f} min" if minutes >= 1 else f"{seconds:.1f} s"


def watt_hours(value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value / 1000:.3g} kWh" if value >= 1000 else f"{value:.2g} Wh" if value < 100 else f"{value:.0f} Wh"


@dataclass(frozen=True)
class Step:
    """Training or evaluation: what its file's provenance says of it, and the estimate of its energy."""

    name: str
    about: dict[str, Any]
    cost: energy.Estimate

    @property
    def time(self) -> str:
        return duration(self.about.get("wall_seconds"))

    @property
    def commit(self) -> str:
        return str(self.about.get("git_commit", "unknown"))

    @property
    def changed(self) -> bool:
        return bool(self.about.get("git_dirty"))

    @property
    def device(self) -> str:
        return ", ".join(dict.fromkeys(str(self.about.get(key, "unknown")) for key in ("platform", "device")))

    @property
    def processor(self) -> str:
        return f"{self.about.get('processor')} ({self.about.get('processors')} in the machine)"


@dataclass(frozen=True)
class Row:
    """needed: the experiments that the job is for; steps: none where there is no result"""

    job: Job
    link: Link
    marks: Markup
    needed: list[str]
    steps: list[Step]

    @property
    def energy(self) -> str:
        return watt_hours(energy.total([step.cost for step in self.steps]).watt_hours)

    @property
    def shape(self) -> dict[str, str]:
        """What the bits depend on beside parameters, versions and device."""
        job = self.job
        return {
            "seeds trained together": ", ".join(map(str, job.seeds)),
            "threads": str(job.cores),
            "parallel environments": f"{job.environments:,}",
            "steps of a rollout": f"{job.learner.rollout_steps:,}",
            "updates": f"{job.updates:,}",
            "environment steps a seed": f"{job.updates * job.steps_per_update:,}",
            "episodes an evaluation": f"{job.evaluation_episodes:,}",
        }

    @property
    def provenance(self) -> str:
        return json.dumps({step.name: step.about for step in self.steps}, indent=1, sort_keys=True)

    @property
    def parameters(self) -> str:
        return json.dumps(self.job.training_parameters, indent=1, sort_keys=True)


def _steps(about: dict[str, Any] | None) -> list[Step]:
    if about is None:
        return []
    parts = {"training": about.get("training") or {}, "evaluation": about}
    return [
        Step(name, {key: value for key, value in part.items() if key != "training"}, energy.estimate(part))
        for name, part in parts.items()
        if part
    ]


def rows(context: Context) -> list[Row]:
    """A row a job, whether it has a result or not."""
    found, facets = [], context.facets
    for job in context.jobs:
        needed = [name for name, wanted in context.experiments.items() if job in wanted]
        papers = [paper for name in needed for paper in facets.papers_of(name)]
        marks = facets.mark(paper=papers, table=needed, task=job.task_name, method=job.method_name)
        about = context.origins.get(job.evaluation.as_posix())
        found.append(Row(job, link(job), marks, needed, _steps(about)))
    return found
