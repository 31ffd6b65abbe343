"""The sentences of a paper, each a rule over the measured tables (params/claims/<paper>-text.yaml)."""

import math
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from gpae.config import ConfigError, Name, OptionalText, Params, Text
from gpae.results.evidence import Measured, Printed
from gpae.results.paper import Protocol
from gpae.results.parts import Contrast, Evidence, Outcome, Part, Tally
from gpae.results.rules import Rule, Setting
from gpae.results.statistics import holm


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sentence:
    """where: section of the paper
    reading: how this project takes what the words leave open
    experiments: whose tables print the numbers that it is about
    rules: all must hold; none where it is not testable
    not_testable: why no rule can say it
    """

    quotation: Text
    where: Text
    experiments: Annotated[tuple[Name, ...], Field(min_length=1)]
    rules: tuple[Rule, ...] = ()
    reading: OptionalText = ""
    not_testable: OptionalText = ""


@dataclass(frozen=True)
class PartVerdict:
    """A part's number here and in the paper; adjusted_p: Holm's, over the parts of the sentence that were tested."""

    part: str
    claimed: str
    value: float
    low: float
    high: float
    p: float
    adjusted_p: float
    verdict: str
    reason: str
    paper_value: float
    paper_p: float
    paper_verdict: str
    sources: str


@dataclass(frozen=True)
class SentenceVerdict:
    """claim: the key in params/claims/<paper>-text.yaml; paper_verdict: of the same rule on the paper's own numbers."""

    paper: str
    claim: str
    where: str
    quotation: str
    reading: str
    verdict: str
    reason: str
    paper_verdict: str
    paper_reason: str
    parts: tuple[PartVerdict, ...]


def read(params: Params, paper: str) -> dict[str, Sentence]:
    """The sentences of params/claims/<paper>-text.yaml by their keys."""
    return params.load(dict[Name, Sentence], "claims", f"{paper}-text")


def _judged(parts: list[Part], evidence: Evidence) -> list[tuple[Outcome, float, str]]:
    """(number, Holm's adjusted p, verdict) of each part."""
    found = [part.measure(evidence) for part in parts]
    analogue = [isinstance(evidence, Measured) and part.absolute and evidence.resembles(part.terms) for part in parts]
    undecided = zip(found, analogue, strict=True)
    decisive = [math.nan if it.missing or it.shortage or alike else it.p for it, alike in undecided]
    judged = []
    for part, outcome, adjusted, alike in zip(parts, found, holm(decisive), analogue, strict=True):
        if outcome.missing:
            verdict = "no numbers" if isinstance(evidence, Printed) else "not run"
        elif alike:
            verdict = "analogue"
        elif outcome.shortage:
            verdict = outcome.shortage.verdict
        elif isinstance(evidence, Printed) and isinstance(part, Contrast | Tally) and math.isnan(outcome.p):
            verdict = "means agree" if part.inside(outcome) else "means disagree"
        elif part.holds(outcome):
            verdict = "claim holds"
        else:
            verdict = "claim fails" if part.fails(outcome, adjusted) else "not shown"
        judged.append((outcome, adjusted, verdict))
    return judged


def _together(verdicts: set[str]) -> str:
    """A sentence fails with any of its parts, and holds with all of them. The paper is not held to what it prints no
    numbers of; here a part that was not run stands against the whole."""
    if "no numbers" in verdicts and len(verdicts) > 1:
        verdicts = verdicts - {"no numbers"}
    for wrong in ("claim fails", "means disagree"):
        if wrong in verdicts:
            return wrong
    if len(verdicts) == 1:
        return verdicts.pop()
    if verdicts == {"claim holds", "means agree"}:
        return "means agree"
    for undecided in ("analogue", "budget too small", "budget too large"):
        if verdicts == {undecided, "not run"}:
            return undecided
    return "analogue" if "analogue" in verdicts else "not shown"


def _counted(parts: list[Part], verdicts: list[str]) -> str:
    """How many parts have which verdict, and which of them fail."""
    counts = ", ".join(f"{number} {verdict}" for verdict, number in Counter(verdicts).most_common())
    wrong = [p.what for p, verdict in zip(parts, verdicts, strict=True) if verdict in ("claim fails", "means disagree")]
    return f"{len(parts)} part{'s' * (len(parts) != 1)}: {counts}" + (f" ({'; '.join(wrong)})" if wrong else "")


def _verdict(paper: str, claim: str, sentence: Sentence, about: Setting, measured: Measured) -> SentenceVerdict:
    if sentence.not_testable:
        said = asdict(sentence) | {"paper": paper, "claim": claim, "reason": sentence.not_testable, "parts": ()}
        names = {field.name for field in fields(SentenceVerdict)} & set(said)
        verdict = {"verdict": "not testable", "paper_verdict": "not testable", "paper_reason": ""}
        return SentenceVerdict(**{name: said[name] for name in names}, **verdict)
    try:
        parts = [part for rule in sentence.rules for part in rule.parts(about)]
        if not parts:
            raise ConfigError("rules: none of their methods can run on their tasks, or there are none; allowed: some")
    except ConfigError as error:
        raise ConfigError(f"{about.params.folder / 'claims' / paper}-text.yaml: {claim}: {error}") from None
    here, printed = (_judged(parts, it) for it in (measured, Printed(about.params, sentence.experiments)))
    rows = [
        PartVerdict(
            part=part.what,
            claimed=part.claimed,
            value=outcome.value,
            low=outcome.low,
            high=outcome.high,
            p=outcome.p,
            adjusted_p=adjusted,
            verdict=verdict,
            reason=outcome.missing or (outcome.shortage.reason if outcome.shortage else ""),
            paper_value=by_paper.value,
            paper_p=by_paper.p,
            paper_verdict=paper_verdict,
            sources=" ".join(outcome.sources),
        )
        for part, (outcome, adjusted, verdict), (by_paper, _, paper_verdict) in zip(parts, here, printed, strict=True)
    ]
    rebuilt = sorted({term.method for part in parts for term in part.terms} & set(measured.protocol.reconstructed))
    rebuilt = f"; reconstructed: {', '.join(map(about.method, rebuilt))}" if rebuilt else ""
    verdicts, by_paper = [row.verdict for row in rows], [row.paper_verdict for row in rows]
    return SentenceVerdict(
        paper=paper,
        claim=claim,
        where=sentence.where,
        quotation=sentence.quotation,
        reading=sentence.reading,
        verdict=_together(set(verdicts)),
        reason=_counted(parts, verdicts) + rebuilt,
        paper_verdict=_together(set(by_paper)),
        paper_reason=_counted(parts, by_paper),
        parts=tuple(rows),
    )


def verdicts(params: Params, profile: str, root: Path) -> list[SentenceVerdict]:
    """A verdict a sentence of every params/claims/<paper>-text.yaml, in the order of the files."""
    found = []
    for path in sorted((params.folder / "claims").glob("*-text.yaml")):
        paper = path.stem.removesuffix("-text")
        measured = Measured(params, profile, root, params.load(Protocol, "claims", paper))
        for claim, sentence in read(params, paper).items():
            found.append(_verdict(paper, claim, sentence, Setting(params, sentence.experiments, root), measured))
    return found


def lines(verdict: SentenceVerdict) -> list[str]:
    """A sentence for the terminal: what it says, and a line a part that was measured."""
    said = f"{verdict.verdict:16} {verdict.paper} {verdict.where}: “{verdict.quotation}”: {verdict.reason}"
    shown = [f"{said}; by the paper's own numbers: {verdict.paper_verdict}"]
    for part in verdict.parts:
        if not math.isnan(part.value):
            interval = "" if math.isnan(part.low) else f" [{part.low:.4g}, {part.high:.4g}]"
            shown.append(f"{'':16}   {part.verdict}: {part.part}: {part.value:.4g}{interval}, claimed {part.claimed}")
    return shown
