"""Finished jobs run again beside their results, and held against them: bit by bit where code and machine are the same.

By other code or on another shape of machine rounding differs, and a training is another draw of the same distribution.
There the scores of all audited jobs are tested together: under the hypothesis the two runs of a seed can be exchanged,
so the signs of the differences of their curves' means are free (a sign-flip test, seed by seed). The statistic is the
mean difference of a job over the root mean square of its differences, absolute, summed over jobs. Where so few seeds
are audited that no difference, however large, could be refused, the audit says that it cannot decide.
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
import pyarrow as pa
from rich.table import Table

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.faults import Fault
from gpae.plan import NOISE, Job
from gpae.results import aggregate, provenance, schema, validation
from gpae.results.files import write_whole
from gpae.results.provenance import Shape
from gpae.training import segments

LEVEL = 0.05  # below it the scores of another shape or other code are refused
STANDS, REFUSED, UNDECIDED = 0, 1, 3  # exit codes; 2 is bad input
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
        # no cache of programs: what it holds may be anything, and the results may have been made with that
        (scratch / params.folder.name).symlink_to((root / params.folder).absolute())
        return [_again(job, root, scratch) for job in chosen]


def _again(job: Job, root: Path, scratch: Path) -> Audit:
    old, about = validation.read(job, root)
    validation.read_metrics(job, root)
    for step in ("train", "evaluate"):
        print(f"gpae {step} {job.selector}", file=sys.stderr)
        command = [sys.executable, "-m", "gpae", step, *job.selector.split()]
        done = subprocess.run(command, cwd=scratch, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            raise Fault(f"gpae {step} {job.selector}: {' '.join(done.stderr.split())[-300:] or done.returncode}")
    new, now = validation.read(job, scratch)
    here = provenance.shape(now["training"])
    parts = [shape.differs(here) for shape in segments.shapes(about["training"])]
    parts.append(provenance.shape(about).differs(provenance.shape(now)))
    return Audit(
        job=job,
        made=provenance.shape(about["training"]),
        now=here,
        other_shape=next(filter(None, parts), ""),
        other_code=any(then["code"] != provenance.code() for then in (about, about["training"])),
        commit=about["git_commit"],
        differs=difference(job, root, scratch),
        apart=_curves(job, new) - _curves(job, old),
    )


def difference(job: Job, root: Path, scratch: Path) -> str:
    """The first number of a job that is not the same in both places; empty where all are.

    Of its metrics, its evaluation, what tables print of the evaluation's metadata, and its checkpoints. Raises
    ConfigError for a damaged checkpoint.
    """
    kind = schema.evaluation(job.score)
    rows = (_difference(root / place, scratch / place, of) for place, of in _files(job))
    return next(filter(None, rows), "") or _noise(job, root, scratch, kind) or _checkpoints(job, root, scratch)


def _files(job: Job) -> tuple:
    return (job.metrics, schema.METRICS), (job.evaluation, schema.evaluation(job.score))


def _noise(job: Job, root: Path, scratch: Path, kind: pa.Schema) -> str:
    then, now = (schema.read(place / job.evaluation, kind)[1].get(NOISE) for place in (root, scratch))
    return f"evaluations: {NOISE}: {then} then, {now} now" if now is not None and then != now else ""


def _checkpoints(job: Job, root: Path, scratch: Path) -> str:
    """By the digests that the metrics keep, and those of the arrays where they are there: a clone has none."""
    then, now = (schema.read(place / job.metrics, schema.METRICS)[1].get("checkpoints") for place in (root, scratch))
    from gpae.training import checkpoint

    for update in sorted(set(job.evaluation_updates)):
        path, right = root / job.checkpoints / str(update), (now or {}).get(str(update))
        kept = checkpoint.verified_digest(path, job) if path.exists() else right
        if not (then or {}).get(str(update)) == kept == right:
            return f"checkpoints: {update}: its arrays"
    return ""


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


def least_p(apart: Sequence[np.ndarray]) -> float:
    """The least that `exchangeable` can give: where in every job all seeds differ to the same side."""
    return 2.0 ** (len(apart) - sum(len(values) for values in apart))


def told(audits: Sequence[Audit]) -> tuple[Table, int, list[str]]:
    """A row a job, the exit code (STANDS, REFUSED or UNDECIDED), and what is to be said of the results."""
    shown = ["method", "task", "seeds", "verdict", "made on", "other shape", "commit", "mean score apart"]
    table = Table(*shown)
    for row in _rows(audits)[shown].itertuples(index=False):
        table.add_row(*row)
    wrong = [one for one in audits if one.verdict == "other bits"]
    other = [one.apart for one in audits if one.verdict in ("other shape", "other code")]
    lines = [f"{sum(one.verdict == 'same bits' for one in audits)} of {len(audits)} jobs have the same bits"]
    lines += [f"{one.job.selector}: other bits by the same code on the same shape: {one.differs}" for one in wrong]
    outcome = REFUSED if wrong else STANDS
    if other:
        seeds = sum(len(values) for values in other)
        what, least = f"{len(other)} jobs, {seeds} seeds by other code or on another shape", least_p(other)
        p = exchangeable(other)
        if p < LEVEL:
            outcome = REFUSED
        elif least >= LEVEL:
            outcome = outcome or UNDECIDED
        lines.append(
            f"{what}: cannot decide: so few could not give p below {least:.3g}, whatever their scores; audit more jobs"
            if least >= LEVEL
            else f"{what}: p = {p:.3g} that their scores are exchangeable"
        )
    return table, outcome, lines


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
