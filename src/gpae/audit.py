"""Finished jobs run again beside their results, and held against them: bit by bit where code and machine are the same.

By other code or on another shape of machine rounding differs, and a training is another draw of the same distribution.
There the scores of all audited jobs are tested together: under the hypothesis the two runs of a seed can be exchanged,
so the signs of the differences of their curves' means are free (a sign-flip test, seed by seed). The statistic is the
mean difference of a job over the root mean square of its differences, absolute, summed over jobs.
"""

import itertools
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.faults import Fault
from gpae.plan import Job
from gpae.results import aggregate, provenance, schema
from gpae.results.files import write_whole
from gpae.results.provenance import Shape

LEVEL = 0.05  # below it the scores of another shape or other code are refused
_ALL_SIGNS = 12  # seeds up to which every sign is tried
_DRAWS = 4096


@dataclass(frozen=True)
class Audit:
    """What came of one job.

    made, now: the shapes on which it was trained and trained again; commit: of the code that made it
    other_shape: in what the shapes of training or evaluation differ; empty where they are the same
    other_code: whether what computes is not known to be the code that made it
    differs: the first file, column and row that is not the same bit by bit; empty where all is
    apart: [seed] mean of a seed's evaluation curve now minus then
    """

    job: Job
    made: Shape
    now: Shape
    commit: str
    other_shape: str
    other_code: bool
    differs: str
    apart: np.ndarray

    @property
    def verdict(self) -> str:
        if not self.differs:
            return "same bits"
        if self.other_shape:
            return "other shape"
        return "other code" if self.other_code else "other bits"


def finished(params: Params, profile: str, root: Path = Path(".")) -> list[Job]:
    """The planned jobs that can be held against something."""
    jobs = plan.jobs(params, profile)
    return [job for job in jobs if (root / job.metrics).exists() and (root / job.evaluation).exists()]


def audit(params: Params, profile: str, count: int, seed: int, root: Path = Path(".")) -> list[Audit]:
    """Runs a sample of the finished jobs again, in a folder that is removed.

    count: jobs, all where there are fewer; seed: of the draw
    Raises ConfigError where nothing is finished or a file is damaged, Fault where a job does not run.
    """
    jobs = finished(params, profile, root)
    if not jobs:
        raise ConfigError(f"artifacts/{profile}: nothing is finished; make it with: gpae train and gpae evaluate")
    chosen = random.Random(seed).sample(jobs, min(count, len(jobs)))
    with tempfile.TemporaryDirectory(prefix="gpae-audit-") as folder:
        scratch = Path(folder)
        for name in (params.folder, Path(".cache")):
            if (root / name).exists():
                (scratch / name.name).symlink_to((root / name).absolute())
        return [_again(job, root, scratch) for job in chosen]


def _again(job: Job, root: Path, scratch: Path) -> Audit:
    old, about = schema.read(root / job.evaluation, schema.evaluation(job.score))
    schema.read(root / job.metrics, schema.METRICS)
    for step in ("train", "evaluate"):
        print(f"gpae {step} {job.selector}", file=sys.stderr)
        command = [sys.executable, "-m", "gpae", step, *job.selector.split()]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        if done.returncode:
            raise Fault(f"gpae {step} {job.selector}: {' '.join(done.stderr.split())[-300:] or done.returncode}")
    new, now = schema.read(scratch / job.evaluation, schema.evaluation(job.score))
    made = provenance.shape(about.get("training") or {})
    files = ((job.metrics, schema.METRICS), (job.evaluation, schema.evaluation(job.score)))
    differs = [_difference(root / place, scratch / place, kind) for place, kind in files]
    return Audit(
        job=job,
        made=made,
        now=provenance.shape(now["training"]),
        other_shape=made.differs(provenance.shape(now["training"]))
        or provenance.shape(about).differs(provenance.shape(now)),
        other_code=any(then.get("code") != provenance.code() for then in (about, about.get("training") or {})),
        commit=str(about.get("git_commit", "unknown")),
        differs=next(filter(None, differs), ""),
        apart=_curves(job, new) - _curves(job, old),
    )


def _difference(path: Path, other: Path, kind) -> str:
    """The first place where two files' rows differ in a bit; empty where they are the same."""
    old, new = (schema.read(place, kind)[0] for place in (path, other))
    if list(old.columns) != list(new.columns) or len(old) != len(new):
        return f"{path.parts[-4]}: other columns or rows"
    for name in old.columns:
        both = old[name].to_numpy(), new[name].to_numpy()
        if both[0].dtype.kind == "f":
            both = tuple(values.view(np.int64) for values in both)
        different = pd.Series(both[0]).ne(pd.Series(both[1])) & ~(pd.isna(both[0]) & pd.isna(both[1]))
        if different.any():
            row = int(np.argmax(different))
            return f"{path.parts[-4]}: {name}, row {row}: {old[name][row]} then, {new[name][row]} now"
    return ""


def _curves(job: Job, rows: pd.DataFrame) -> np.ndarray:
    """[seed] mean over evaluation points of the score of the reported policy."""
    rows = aggregate.reported(rows)
    points = aggregate.score_of(job, rows).groupby([rows["seed"], rows["evaluation"]]).mean()
    return points.groupby("seed").mean().to_numpy()


def exchangeable(apart: Sequence[np.ndarray]) -> float:
    """p-value that the runs of each seed can be exchanged; apart: a job's differences [seed] each.

    1 for one seed alone: a single difference has no scale but its own.
    """
    sizes, all_apart = [len(values) for values in apart], np.concatenate(apart)
    total, ends = len(all_apart), np.cumsum(sizes)[:-1]
    if total <= _ALL_SIGNS:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=total)))
    else:
        signs = np.random.default_rng(0).choice((1.0, -1.0), (_DRAWS, total))
        signs[0] = 1.0
    scales = [np.sqrt(np.mean(values**2)) for values in apart]
    parts = np.split(signs * all_apart, ends, axis=1)
    terms = [abs(part.mean(axis=1)) / scale for part, scale in zip(parts, scales, strict=True) if scale > 0]
    found = np.sum(terms, axis=0) if terms else np.zeros(len(signs))
    return float(np.mean(found >= found[0] - 1e-9))


def told(audits: Sequence[Audit]) -> tuple[Table, bool, list[str]]:
    """A row a job, whether the results stand, and what is to be said of them."""
    shown = ["method", "task", "seeds", "verdict", "made on", "other shape", "commit", "mean score apart"]
    table = Table(*shown)
    for row in _rows(audits)[shown].itertuples(index=False):
        table.add_row(*row)
    wrong = [one for one in audits if one.verdict == "other bits"]
    other = [one.apart for one in audits if one.verdict in ("other shape", "other code")]
    p = exchangeable(other) if other else 1.0
    lines = [f"{sum(one.verdict == 'same bits' for one in audits)} of {len(audits)} jobs have the same bits"]
    lines += [f"{one.job.selector}: other bits by the same code on the same shape: {one.differs}" for one in wrong]
    if other:
        seeds = sum(len(values) for values in other)
        lines.append(
            f"{len(other)} jobs, {seeds} seeds by other code or on another shape: "
            f"p = {p:.3g} that their scores are exchangeable"
        )
    return table, not wrong and p >= LEVEL, lines


def write(audits: Sequence[Audit], profile: str, root: Path = Path(".")) -> Path:
    """artifacts/<profile>/audit.csv."""
    return write_whole(root / "artifacts" / profile / "audit.csv", _rows(audits).to_csv(index=False).encode())


def _rows(audits: Sequence[Audit]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": one.job.method_name,
            "task": one.job.task_name,
            "seeds": one.job.block.removeprefix("seeds-"),
            "verdict": one.verdict,
            "differs": one.differs,
            "made on": str(one.made),
            "made again on": str(one.now),
            "other shape": one.other_shape,
            "mean score apart": " ".join(f"{value:+.3g}" for value in one.apart),
            "commit": one.commit,
        }
        for one in audits
    )
