"""One HTML page that needs nothing beside it: tables, figures, verdicts, and where every number came from."""

import base64
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.ticker import EngFormatter

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.plan import Job
from gpae.results import aggregate, claims, comparisons, figures, grid, layout, schema, tables, untrained
from gpae.results.cells import Cell
from gpae.results.claims import SentenceVerdict, Verdict
from gpae.results.grid import Grid

_MEANING = {
    "consistent": "the measured mean agrees with the paper's",
    "ordering holds": "the paper's better method is significantly better here too",
    "claim holds": "every part of the sentence is significant here",
    "differs": "the measured mean is not the paper's",
    "ordering fails": "the paper's better method is significantly worse here",
    "claim fails": "some part of the sentence is significantly otherwise here",
    "not shown": "measured, but the spread over seeds is too wide to tell, or parts of a sentence are missing",
    "budget too small": "measured with less than the paper's budget; decides nothing",
    "not run": "nothing was measured",
}
_UNDECIDED = ("budget too small", "not run")
_KINDS = {"value": "Numbers", "ordering": "Orderings"}
_GROUPS = (("measured", False), ("absent", True))
_FRAMES = {
    "figure3": "A frame of a trained policy's episode in each environment, greedy actions.",
    "smax": "The same frame of SMAX, and whose credit the episode was, step by step.",
    "mabrax": "The same of MABrax.",
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


def _job(job: Job, about: dict[str, Any] | None, needed: list[str]) -> dict[str, Any]:
    """A row of the provenance table; without provenance how to run the job. needed: the experiments it is for."""
    shown = {"anchor": _anchor(job), "job": job, "about": about, "needed": needed}
    if about is None:
        return shown | {"command": f"gpae train {job.selector}"}
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


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:.4g} to {high:.4g}"


def _jobs(sources: str, anchors: dict[str, str]) -> list[str]:
    return list(dict.fromkeys(anchors[source] for source in sources.split() if source in anchors))


def _verdict(verdict: Verdict, anchors: dict[str, str]) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "paper_value": _number(verdict.paper_value),
        "measured_value": _number(verdict.measured_value),
        "p": _probability(verdict.p),
        "paper_p": _probability(verdict.paper_p),
        "interval": _interval(verdict.low, verdict.high),
        "jobs": _jobs(verdict.sources, anchors),
    }


def _sentence(verdict: SentenceVerdict, anchors: dict[str, str]) -> dict[str, Any]:
    parts = [
        {
            "part": part,
            "value": _number(part.value),
            "interval": _interval(part.low, part.high),
            "p": _probability(part.adjusted_p),
            "paper_value": _number(part.paper_value),
            "paper_p": _probability(part.paper_p),
            "jobs": _jobs(part.sources, anchors),
        }
        for part in verdict.parts
    ]
    return {
        "verdict": verdict,
        "parts": parts,
        "here": Counter(part.verdict for part in verdict.parts).most_common(),
        "printed": Counter(part.paper_verdict for part in verdict.parts).most_common(),
    }


def _made(path: Path, read: Callable[[Path], Any], command: str) -> Any:
    try:
        return read(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; it is made by: {command}") from None


def _picture(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _table(profile: str, name: str, root: Path) -> Grid:
    path = root / "artifacts" / profile / "tables" / f"{name}.md"
    return _made(path, grid.read, f"gpae tables --profile {profile}")


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
    plot = f"gpae plot --profile {profile}"
    about = params.experiment(name)
    return {
        "name": name,
        "about": about,
        "table": table,
        "in_paper": tables.in_paper(table),
        "rows": rows,
        "notes": tables.notes(params, profile, name),
        "reasons": tables.reasons(table),
        "comparisons": _table(profile, comparisons.name(name), root) if about.comparisons else None,
        "figures": [
            {"caption": caption, "png": _made(root / figures.place(profile, stem, "png"), _picture, plot)}
            for stem, caption in figures.captions(params, profile, name).items()
        ],
    }


def _frames(profile: str, root: Path) -> list[dict[str, str]]:
    """The frames that there are: they are drawn from checkpoints, which a clone need not have."""
    places = {root / "artifacts" / profile / "frames" / f"{name}.png": caption for name, caption in _FRAMES.items()}
    return [{"caption": caption, "png": _picture(path)} for path, caption in places.items() if path.exists()]


def _summary(verdicts: list[Verdict], sentences: list[SentenceVerdict]) -> dict[str, Counter[str]]:
    """{kind of claim: {verdict: how many}}, verdicts in the order of their meanings."""
    kinds = {title: [v.verdict for v in verdicts if v.kind == kind] for kind, title in _KINDS.items()}
    kinds["Sentences"] = [sentence.verdict for sentence in sentences]
    return {title: Counter(sorted(found, key=list(_MEANING).index)) for title, found in kinds.items()}


def report_path(profile: str) -> Path:
    return Path("artifacts", profile, "report.html")


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes the profile's report.html from its scores, diagnostics, tables and figures."""
    budget, jobs = params.profile(profile), plan.jobs(params, profile)
    _, origins = aggregate.read_scores(params, profile, root)
    anchors = {path.as_posix(): _anchor(job) for job in jobs for path in (job.evaluation, job.metrics)}
    needing = {name: plan.jobs(params, profile, name) for name in budget.experiments}
    rows = [
        _job(job, origins.get(job.evaluation.as_posix()), [name for name, wanted in needing.items() if job in wanted])
        for job in jobs
    ]
    verdicts = claims.verdicts(params, profile, root)
    sentences = claims.text_verdicts(params, profile, root)
    summary = _summary(verdicts, sentences)
    experiments = [_experiment(params, profile, name, root) for name in budget.experiments]
    said = Counter(note for experiment in experiments for note in experiment["notes"])
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
        meanings=_MEANING,
        summary=summary,
        decided=sum(counts[name] for counts in summary.values() for name in counts if name not in _UNDECIDED),
        sentences={
            group: [_sentence(sentence, anchors) for sentence in sentences if (sentence.verdict == "not run") == absent]
            for group, absent in _GROUPS
        },
        marks=tables.MARKS,
        # what is to be known of every table is said once
        notes=[note for note, count in said.items() if count == len(experiments)],
        experiments=experiments,
        frames=_frames(profile, root),
        untrained=[_table(profile, name, root) for name in untrained.NAMES],
        verdicts={
            kind: {
                group: [_verdict(v, anchors) for v in verdicts if v.kind == kind and (v.verdict == "not run") == absent]
                for group, absent in _GROUPS
            }
            for kind in _KINDS
        },
        kinds=_KINDS,
        method=claims.__doc__,
        done=[row for row in rows if row["about"]],
        open=[row for row in rows if not row["about"]],
    )
    return [schema.write_whole(root / report_path(profile), page.encode())]
