"""One HTML page that needs nothing beside it: tables, figures, verdicts, and where every number came from."""

import base64
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.ticker import EngFormatter

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.plan import Job
from gpae.results import aggregate, claims, figures, layout, schema, tables
from gpae.results.cells import Cell
from gpae.results.claims import Verdict

_MEANING = {
    "consistent": "the measured mean agrees with the paper's",
    "ordering holds": "the paper's better method is significantly better here too",
    "differs": "the measured mean is not the paper's",
    "ordering fails": "the paper's better method is significantly worse here",
    "not shown": "measured, but the spread over seeds is too wide to tell",
    "budget too small": "measured with less than the paper's budget; decides nothing",
    "not run": "nothing was measured",
}


def _anchor(job: Job) -> str:
    return f"job-{job.method_name}-{job.task_name}-{job.block}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, hours = seconds / 60, seconds / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.1f} min" if minutes >= 1 else f"{seconds:.1f} s"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"


def _probability(p: float) -> str:
    return "" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _job(job: Job, about: dict[str, Any] | None) -> dict[str, Any]:
    """A row of the provenance table; without provenance the row says how to run the job."""
    shown = {"anchor": _anchor(job), "job": job, "about": about}
    if about is None:
        return shown | {"commands": [f"gpae {step} {job.selector}" for step in ("train", "evaluate")]}
    training = about.get("training") or {}
    both = [part for part in (about, training) if part]
    return shown | {
        "commits": list(dict.fromkeys(str(part.get("git_commit", "unknown"))[:10] for part in both)),
        "dirty": any(part.get("git_dirty") for part in both),
        "device": ", ".join(dict.fromkeys(str(about.get(key)) for key in ("platform", "device"))),
        "processor": f"{about.get('processor')} ({about.get('processors')} in the machine)",
        "cores": about.get("cores"),
        "training_time": _duration(training.get("wall_seconds")),
        "evaluation_time": _duration(about.get("wall_seconds")),
        "json": json.dumps(about, indent=1, sort_keys=True),
    }


def _verdict(verdict: Verdict, anchors: dict[str, str]) -> dict[str, Any]:
    interval = "" if math.isnan(verdict.low) else f"{verdict.low:.4g} to {verdict.high:.4g}"
    return {
        "verdict": verdict,
        "paper_value": _number(verdict.paper_value),
        "measured_value": _number(verdict.measured_value),
        "p": _probability(verdict.p),
        "paper_p": _probability(verdict.paper_p),
        "interval": interval,
        "jobs": [anchors[source] for source in verdict.sources.split() if source in anchors],
    }


def _picture(path: Path, profile: str) -> str:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; it is made by: gpae plot --profile {profile}") from None


def _experiment(params: Params, profile: str, name: str, root: Path) -> dict[str, Any]:
    table, jobs = layout.read(params, profile, name, root), plan.jobs(params, profile, name)

    def place(cell: Cell | None) -> dict[str, Any] | None:
        if cell is None:
            return None
        made = [job for job in jobs if (job.task_name, job.method_name) == (cell.task_name, cell.method_name)]
        return {
            "measured": tables.measured(cell),
            "iqm": tables.interquartile(cell),
            "paper": tables.printed(cell),
            "jobs": [_anchor(job) for job in made],
        }

    rows = [
        {
            "row": row,
            "steps": ", ".join(EngFormatter(sep="")(budget) for budget in row.budgets) or "—",
            "cells": [place(cell) for cell in row.cells],
        }
        for row in table.rows
    ]
    pictures = [
        {"caption": caption, "png": _picture(root / figures.place(profile, stem, "png"), profile)}
        for stem, caption in figures.captions(params, profile, name).items()
    ]
    return {
        "name": name,
        "title": params.experiment(name).title,
        "table": table,
        "in_paper": tables.in_paper(table),
        "rows": rows,
        "notes": tables.notes(params, profile, name),
        "reasons": tables.reasons(table),
        "figures": pictures,
    }


def report_path(profile: str) -> Path:
    return Path("artifacts", profile, "report.html")


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes the profile's report.html from its scores, summary and figures."""
    budget = params.profile(profile)
    _, origins = aggregate.read_scores(params, profile, root)
    jobs = plan.jobs(params, profile)
    anchors = {job.evaluation.as_posix(): _anchor(job) for job in jobs}
    verdicts = claims.verdicts(params, profile, root)
    counts = Counter(verdict.verdict for verdict in verdicts)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("report.html.j2").render(
        profile=profile,
        budget=budget,
        steps=sorted({job.total_steps for job in jobs}),
        done=len(origins),
        planned=len(jobs),
        counts=[(name, meaning, counts[name]) for name, meaning in _MEANING.items()],
        decided=sum(counts[name] for name in _MEANING if name not in ("budget too small", "not run")),
        marks=tables.MARKS,
        experiments=[_experiment(params, profile, name, root) for name in budget.experiments],
        verdicts={
            kind: {
                group: [_verdict(v, anchors) for v in verdicts if v.kind == kind and (v.verdict == "not run") == absent]
                for group, absent in (("measured", False), ("absent", True))
            }
            for kind in ("value", "ordering")
        },
        method=claims.__doc__,
        jobs=[_job(job, origins.get(job.evaluation.as_posix())) for job in jobs],
    )
    return [schema.write_whole(root / report_path(profile), page.encode())]
