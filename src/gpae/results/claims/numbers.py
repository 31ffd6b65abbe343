"""The numbers that a paper prints, and the orders that they make, each held against what was measured."""

import math
from dataclasses import dataclass, fields, replace
from itertools import permutations
from pathlib import Path

from gpae.config import Params
from gpae.results import cells, evidence, paper
from gpae.results.cells import Cell
from gpae.results.evidence import Shortage
from gpae.results.paper import Protocol, Value
from gpae.results.parts import SIGNIFICANCE
from gpae.results.statistics import Comparison, alike_spread, welch


@dataclass(frozen=True)
class Verdict:
    """A row of verdicts.csv.

    paper_value, measured_value: of a value the means; of an ordering method minus other
    low, high, p: 95% interval of, and test on, measured minus paper (value) or method minus other (ordering)
    paper_p: whether the paper's own numbers show the ordering, by the same test
    bound: `floor` or `ceiling`: of a value a policy that never wins, or always, would have the paper's number too; of
        an ordering both numbers lie there
    repeats: the table in which the same number, or both of an ordering, counts; empty where it is this one
    reconstructed: the methods whose definition is this project's, the paper's being incomplete
    """

    kind: str
    paper: str
    table: str
    experiment: str
    task: str
    metric: str
    method: str
    other: str
    paper_value: float
    measured_value: float
    difference: float
    low: float
    high: float
    p: float
    paper_p: float
    seeds: str
    env_steps: int
    verdict: str
    reason: str
    bound: str
    repeats: str
    reconstructed: str
    sources: str


_NOTHING = Comparison(math.nan, math.nan, math.nan, math.nan)


def _shortage(compared: list[Cell], protocol: Protocol) -> Shortage | None:
    """Why the measured numbers cannot decide a claim; None where they can, or where some are missing."""
    if any(cell.missing for cell in compared):
        return None
    wanted = protocol.length(compared[0].task_name, compared[0].task)
    found = [evidence.shortage(cell.budget, cell.changed, cell.seeds, wanted) for cell in compared]
    return next((reason for reason in found if reason), None)


def compared(mean: float, std: float, seeds: int, claim: float, claim_std: float, claim_seeds: int) -> Comparison:
    """measured - paper: Welch's test; where the paper prints no deviation, it is taken to be the measured one."""
    if math.isnan(claim_std):
        return alike_spread(mean, std, seeds, claim, claim_seeds)
    return welch(mean, std, seeds, claim, claim_std, claim_seeds)


def judged(test: Comparison, margin: float, seeds: int, wanted: int) -> tuple[str, str]:
    """(verdict, reason) of a number by its interval; wanted: the paper's number of seeds.

    NaN ends are on neither side, so that nothing is shown without an interval.
    """
    within = -margin <= test.low and test.high <= margin
    if math.isnan(test.low):
        return "not shown", "no spread, so no interval"
    if test.low > margin or test.high < -margin:
        return "differs", f"margin {margin:g}"
    if within and seeds >= wanted:
        return "consistent", f"margin {margin:g}"
    few = f", {seeds} of the paper's {wanted} seeds" if within else ""
    return "not shown", f"margin {margin:g}{few}"


def _value(cell: Cell, protocol: Protocol, analogue: bool) -> Verdict:
    """analogue: whether the task only resembles the paper's, so that its number is no claim on ours."""
    claim, short = cell.paper, _shortage([cell], protocol)
    if cell.missing:
        test, verdict, reason = _NOTHING, "not run", cell.missing
    elif analogue:
        test, verdict = _NOTHING, "analogue"
        reason = f"{cell.family}'s task only resembles the paper's; the orderings are tested"
    else:
        runs = protocol.seeds or 1
        test = compared(cell.mean, cell.std, cell.seeds, claim.mean, claim.std, runs)
        verdict, reason = short or judged(test, paper.MARGIN[cell.metric](claim.mean), cell.seeds, runs)
    return Verdict(
        kind="value",
        paper=claim.paper,
        table=claim.table,
        experiment=cell.experiment,
        task=cell.task,
        metric=cell.metric,
        method=cell.method,
        other="",
        paper_value=claim.mean,
        measured_value=cell.mean,
        **test._asdict(),
        paper_p=math.nan,
        seeds=str(cell.seeds),
        env_steps=cell.env_steps,
        verdict=verdict,
        reason=reason,
        bound=paper.bound(claim),
        repeats="",
        reconstructed=_reconstructed([cell]),
        sources=" ".join(cell.sources),
    )


def _reconstructed(of: list[Cell]) -> str:
    return ", ".join(cell.method for cell in of if cell.reconstructed)


def _ordering(cell: Cell, other: Cell, protocol: Protocol) -> Verdict:
    better, worse = cell.paper, other.paper
    short = _shortage([cell, other], protocol)
    runs = protocol.seeds or 1
    by_paper = welch(better.mean, better.std, runs, worse.mean, worse.std, runs)
    if cell.missing or other.missing:
        absent = cell if cell.missing else other
        test, verdict, reason = _NOTHING, "not run", f"{absent.method}: {absent.missing}"
    else:
        test = welch(cell.mean, cell.std, cell.seeds, other.mean, other.std, other.seeds)
        reason = "no spread, so no test" if math.isnan(test.p) else "Welch's t-test"
        if short:
            verdict, reason = short
        elif not test.p < SIGNIFICANCE:
            verdict = "not shown"
        else:
            verdict = "ordering holds" if test.difference > 0 else "ordering fails"
    return Verdict(
        kind="ordering",
        paper=better.paper,
        table=better.table,
        experiment=cell.experiment,
        task=cell.task,
        metric=cell.metric,
        method=cell.method,
        other=other.method,
        paper_value=better.mean - worse.mean,
        measured_value=test.difference,
        **test._asdict(),
        paper_p=by_paper.p,
        seeds=f"{cell.seeds} and {other.seeds}",
        env_steps=min(cell.env_steps, other.env_steps),
        verdict=verdict,
        reason=reason,
        bound=paper.bound(better) if paper.bound(better) == paper.bound(worse) else "",
        repeats="",
        reconstructed=_reconstructed([cell, other]),
        sources=" ".join((*cell.sources, *other.sources)),
    )


def _unmeasured(value: Value, protocol: Protocol) -> Verdict:
    """A number of a table that no experiment of the profile rebuilds, or of a task that cannot be had here."""
    why = protocol.not_portable.get(value.task)
    nothing = {field.name: math.nan for field in fields(Verdict) if field.type is float}
    return Verdict(
        kind="value",
        paper=value.paper,
        table=value.table,
        experiment="",
        task=value.task,
        metric=value.metric,
        method=value.method,
        other="",
        seeds="0",
        env_steps=0,
        verdict="not run",
        reason=f"not portable: {why}" if why else "no experiment of this profile measures it",
        bound=paper.bound(value),
        repeats="",
        reconstructed="",
        sources="",
        **(nothing | {"paper_value": value.mean}),
    )


def _counted_once(found: list[Verdict], printed: list[Value]) -> list[Verdict]:
    """The verdicts, of which those on a number that counts elsewhere say in which table: in the first where it was run,
    or in the first of all. printed: every number of the papers."""
    first = paper.repeats(printed)

    def number(verdict: Verdict, method: str) -> tuple[str, ...]:
        key = verdict.paper, verdict.table, verdict.task, verdict.metric, method
        return first[key].key if key in first else key

    same: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in found:
        numbers = number(verdict, verdict.method), verdict.other and number(verdict, verdict.other)
        same.setdefault((verdict.kind, *numbers), []).append(verdict)
    counted = {}
    for group in same.values():
        chosen = next((verdict for verdict in group if verdict.verdict != "not run"), group[0])
        counted |= {id(verdict): chosen for verdict in group}
    return [
        verdict if counted[id(verdict)] is verdict else replace(verdict, repeats=counted[id(verdict)].table)
        for verdict in found
    ]


def verdicts(params: Params, profile: str, root: Path) -> list[Verdict]:
    """Every number in params/claims/, and every ordering of the tables that the profile's experiments rebuild."""
    found, held, printed = [], set(), []
    for experiment in params.profile(profile).experiments:
        protocol = paper.of_experiment(params, experiment)[1]
        claimed = [cell for cell in cells.read(params, profile, experiment, root) if cell.paper]
        held |= {cell.paper.key for cell in claimed}
        found += [_value(cell, protocol, params.task(cell.task_name).family in protocol.analogues) for cell in claimed]
        found += [
            _ordering(cell, other, protocol)
            for cell, other in permutations(claimed, 2)
            if paper.ordered(cell.paper, other.paper, protocol)
        ]
    for path in sorted((params.folder / "claims").glob("*.csv")):
        protocol = params.load(Protocol, "claims", path.stem)
        values = paper.read(params.folder, path.stem)
        printed += values
        found += [_unmeasured(value, protocol) for value in values if value.key not in held]
    return _counted_once(found, printed)


def line(verdict: Verdict) -> str:
    """A verdict in one line, for the terminal."""
    what = f"{verdict.method} > {verdict.other}" if verdict.other else verdict.method
    numbers = f"paper {verdict.paper_value:.4g}"
    if not math.isnan(verdict.measured_value):
        numbers += f", measured {verdict.measured_value:.4g}"
    if not math.isnan(verdict.low):
        numbers += f", difference {verdict.difference:+.4g} [{verdict.low:.4g}, {verdict.high:.4g}]"
    if not math.isnan(verdict.p):
        numbers += f", p {verdict.p:.2g}"
    marks = (
        f"within the margin of a {verdict.bound}" if verdict.bound else "",
        f"counted in table {verdict.repeats}" if verdict.repeats else "",
        f"reconstructed: {verdict.reconstructed}" if verdict.reconstructed else "",
    )
    reason = "; ".join(mark for mark in (verdict.reason, *marks) if mark)
    where = f"{verdict.paper} table {verdict.table}: {verdict.task}: {what}"
    return f"{verdict.verdict:16} {where}: {numbers} ({reason})"
