"""Numbers, orderings and sentences with their verdicts, as the page shows and filters them."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gpae.results import claims, paper
from gpae.results.claims import SentenceVerdict, Verdict, sentences
from gpae.results.report.context import Context, Link
from gpae.results.report.facets import slug
from gpae.results.rules import Setting

MEANING = {
    "consistent": "the whole 95% interval of the difference lies within the margin around the paper's number",
    "ordering holds": "the paper's better method is significantly better here too",
    "claim holds": "every part of the sentence is significant here",
    "differs": "the whole 95% interval of the difference lies outside that margin",
    "ordering fails": "the paper's better method is significantly worse here",
    "claim fails": "some part of the sentence is significantly otherwise here",
    "not shown": "measured, but the spread over seeds is too wide to tell, or parts of a sentence are missing",
    "analogue": "the task only resembles the paper's: the numbers stand side by side, the orderings alone are tested",
    "budget too small": "measured with less than the paper's budget; decides nothing",
    "budget too large": "measured with more than the paper's budget; decides nothing",
    "not testable": "no rule over the tables can say the sentence",
    "not run": "nothing was measured",
}
LOOK = {name: "good" for name in ("consistent", "ordering holds", "claim holds", "means agree")}
LOOK |= {name: "bad" for name in ("differs", "ordering fails", "claim fails", "means disagree")}
LOOK |= {"not shown": "open", "analogue": "open", "not run": "none", "no numbers": "none"}
LOOK |= {"budget too small": "small", "budget too large": "small", "not testable": "none"}
UNDECIDED = ("analogue", "budget too small", "budget too large", "not testable", "not run")
KINDS = {"value": "Numbers", "ordering": "Orderings"}
SENTENCES = "Sentences"


def number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}".replace("-", "−")


def probability(p: float) -> str:
    return "" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{number(low)} to {number(high)}"


@dataclass(frozen=True)
class Strip:
    """A number line of 0 to 100: the paper's number, what counts as the same, what was measured and its interval."""

    paper: float
    same: tuple[float, float]
    measured: float
    interval: tuple[float, float] | None


def strip(verdict: Verdict) -> Strip | None:
    """Of an ordering the line stands for the difference: 0 in the paper's place. None where nothing was measured."""
    if math.isnan(verdict.measured_value):
        return None
    ordering = verdict.kind == "ordering"
    printed = 0.0 if ordering else verdict.paper_value
    margin = 0.0 if ordering else paper.MARGIN[verdict.metric](verdict.paper_value)
    shift = 0.0 if ordering else verdict.paper_value
    if verdict.metric.endswith("_percent") and not ordering:
        low, high = -3.0, 103.0
    else:
        ends = [printed - margin, printed + margin, verdict.measured_value, 0.0, verdict.paper_value]
        room = 0.06 * (max(ends) - min(ends) or 1.0)
        low, high = min(ends) - room, max(ends) + room

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / (high - low), 1)

    ends = None if math.isnan(verdict.low) else (place(shift + verdict.low), place(shift + verdict.high))
    return Strip(
        place(printed), (place(printed - margin), place(printed + margin)), place(verdict.measured_value), ends
    )


@dataclass(frozen=True)
class Number:
    """A row of a number or an ordering."""

    anchor: str
    marks: Markup
    verdict: Verdict
    strip: Strip | None
    links: list[Link]


def _number(place: int, verdict: Verdict, context: Context) -> Number:
    facets = context.facets
    labels = [label for label in (verdict.method, verdict.other) if label]
    names = [name for label in labels for name in facets.method(label, verdict.experiment)]
    table = verdict.experiment or slug(f"{verdict.paper} table {verdict.table}")
    facets.labels["table"].setdefault(
        table, f"{verdict.paper.upper()}, table {verdict.table}: not rebuilt in this profile"
    )
    marks = facets.mark(
        paper=verdict.paper,
        table=table,
        task=facets.task(verdict.task),
        method=names,
        verdict=slug(verdict.verdict),
    )
    return Number(f"number-{place}", marks, verdict, strip(verdict), context.links(verdict.sources.split()))


@dataclass(frozen=True)
class Sentence:
    """parts: each with its jobs and files; here, printed: how many parts have which verdict"""

    anchor: str
    marks: Markup
    verdict: SentenceVerdict
    parts: list[dict[str, Any]]
    here: list[tuple[str, int]]
    printed: list[tuple[str, int]]


def _sentence(verdict: SentenceVerdict, context: Context) -> Sentence:
    about = sentences.read(context.params, verdict.paper)[verdict.claim]
    setting = Setting(context.params, about.experiments, context.root)
    terms = [term for rule in about.rules for part in rule.parts(setting) for term in part.terms]
    marks = context.facets.mark(
        paper=verdict.paper,
        table=about.experiments,
        task=[term.task for term in terms],
        method=[term.method for term in terms],
        verdict=slug(verdict.verdict),
    )
    parts = [
        {"part": part, "links": context.links(part.sources.split()), "files": context.files(part.sources.split())}
        for part in verdict.parts
    ]
    return Sentence(
        f"sentence-{slug(verdict.paper)}-{slug(verdict.claim)}",
        marks,
        verdict,
        parts,
        Counter(part.verdict for part in verdict.parts).most_common(),
        Counter(part.paper_verdict for part in verdict.parts).most_common(),
    )


@dataclass(frozen=True)
class Verdicts:
    """Everything that a verdict was given on."""

    numbers: list[Number]
    sentences: list[Sentence]

    def of(self, kind: str, run: bool) -> list[Number]:
        return [it for it in self.numbers if it.verdict.kind == kind and (it.verdict.verdict != "not run") == run]

    def said(self, run: bool) -> list[Sentence]:
        return [it for it in self.sentences if (it.verdict.verdict != "not run") == run]

    @property
    def counts(self) -> dict[str, dict[str, Counter[str]]]:
        """{paper: {kind of claim: {verdict: how many}}}, verdicts in the order of their meanings."""
        found: dict[str, dict[str, list[str]]] = {}
        for it in (number for number in self.numbers if not number.verdict.repeats):
            kinds = found.setdefault(it.verdict.paper, {})
            kinds.setdefault(KINDS[it.verdict.kind], []).append(it.verdict.verdict)
        for it in self.sentences:
            found.setdefault(it.verdict.paper, {}).setdefault(SENTENCES, []).append(it.verdict.verdict)
        order = list(MEANING)
        return {
            name: {kind: Counter(sorted(verdicts, key=order.index)) for kind, verdicts in kinds.items()}
            for name, kinds in found.items()
        }

    @property
    def decided(self) -> int:
        once = [it for it in self.numbers if not it.verdict.repeats]
        every = [it.verdict.verdict for it in (*once, *self.sentences)]
        return sum(verdict not in UNDECIDED for verdict in every)

    def cell(self, experiment: str, task: str, metric: str, method: str) -> Number | None:
        """The row of a table's cell, whose labels these are."""
        for it in self.numbers:
            verdict = it.verdict
            place = (verdict.kind, verdict.experiment, verdict.task, verdict.metric, verdict.method)
            if place == ("value", experiment, task, metric, method):
                return it
        return None


def read(context: Context) -> Verdicts:
    place = context.params, context.profile, context.root
    numbers = enumerate(claims.verdicts(*place), 1)
    return Verdicts(
        [_number(number, verdict, context) for number, verdict in numbers],
        [_sentence(verdict, context) for verdict in claims.text_verdicts(*place)],
    )
