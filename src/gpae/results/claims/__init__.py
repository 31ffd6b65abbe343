"""The paper's claims, each held against what was measured: its numbers, the orders they make, and its sentences.

A *value* is a mean (and deviation) that the paper prints for a method on a task. An *ordering* is made from two values
of one table, task and metric: the paper's mean of one of its own methods is above another method's. Their tests are
two-sided at 0.05, each for itself: no correction for their number.

Verdict of a value, by the 95% interval of measured - paper (Welch's, from means, deviations and numbers of seeds; where
the paper prints no deviation, the measured one stands for it) and a margin of 5 points of win rate, 10% of the paper's
return, or 0.001 of truncation gap:
  consistent        the whole interval lies within the margin, and there are at least as many seeds as in the paper
  differs           the whole interval lies outside the margin
  not shown         neither: too few seeds, or too wide a spread, to tell
How often these are wrong: docs/verdicts.md. A win rate within the margin of 0 or 100 is marked, since a policy that
never wins, or always, has it too; a number that a paper prints in several tables counts once.
Verdict of an ordering, by the difference of the two measured means:
  ordering holds    the difference has the paper's sign, p < 0.05
  ordering fails    it has the other sign, p < 0.05
  not shown         p >= 0.05

A *sentence* of the text is a rule over the measured tables (params/claims/): a list of parts, each a number and the
range that it is claimed to lie in. A part's test is two-sided at 0.05: Welch's t-test of a weighted sum of means, or
the F-test of a ratio of deviations. Of a benchmark there is the range of its repeats.
  claim holds       every part lies in its range, p < 0.05 each. All must, so that their number needs no correction
  claim fails       some part lies outside its range, p < 0.05 after Holm's correction for the sentence's parts
  not shown         neither, or parts were not run
The same rule is applied to the numbers that the paper prints, with its deviations and seeds, as far as there are any:
does its table support its sentence? Where it prints no deviations:
  means agree       every printed mean is on the sentence's side
  means disagree    some printed mean is not
  no numbers        the paper prints none

Verdicts of all, before these:
  not run           no evaluation to hold it against; the reason says why
  analogue          a value on a task that only resembles the paper's (params/claims/<paper>.yaml: analogues): the two
                    numbers stand beside each other and are not compared. Its orderings are tested like any. A part of
                    a sentence that is a number of points of score
  budget too small  fewer steps than the paper's, other learner or network settings, or one seed. What was measured is
                    printed all the same, and decides nothing
  budget too large  more steps than the paper's: as little a test of what it says
  not testable      a sentence that no rule over the tables can say; the reason says why
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from gpae.config import Params
from gpae.results import schema
from gpae.results.claims import numbers, sentences
from gpae.results.claims.numbers import Verdict
from gpae.results.claims.sentences import PartVerdict, SentenceVerdict

VERDICTS = (
    "consistent",
    "ordering holds",
    "claim holds",
    "differs",
    "ordering fails",
    "claim fails",
    "not shown",
    "analogue",
    "budget too small",
    "budget too large",
    "not testable",
    "not run",
)
verdicts, text_verdicts = numbers.verdicts, sentences.verdicts


def _counts(found: list[Any]) -> str:
    """How many have which verdict, each printed number once."""
    once = [verdict for verdict in found if not getattr(verdict, "repeats", "")]
    counts = Counter(verdict.verdict for verdict in once)
    said = f"{len(once)}: " + ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])
    bounds = sum(verdict.verdict == "consistent" and bool(verdict.bound) for verdict in once)
    again = len(found) - len(once)
    said += f"; {bounds} of the consistent within the margin of a floor or ceiling" if bounds else ""
    return said + (f"; {again} more counted in another table" if again else "")


def lines(params: Params, profile: str, root: Path = Path(".")) -> Iterator[str]:
    """Every verdict for the terminal, by kind, each kind under a line that counts it."""
    found = verdicts(params, profile, root)
    for kind, title in (("value", "Numbers"), ("ordering", "Orderings")):
        part = [verdict for verdict in found if verdict.kind == kind]
        yield f"{title}, {_counts(part)}"
        yield from map(numbers.line, part)
    said = text_verdicts(params, profile, root)
    yield f"Sentences, {_counts(said)}"
    for verdict in said:
        yield from sentences.lines(verdict)


def verdicts_path(profile: str) -> Path:
    return Path("artifacts", profile, "verdicts.csv")


def text_verdicts_path(profile: str) -> Path:
    return Path("artifacts", profile, "verdicts-text.csv")


def _csv(columns: list[str], rows: list[dict[str, Any]]) -> bytes:
    """A number that there is not is an empty entry."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        real = {key: value for key, value in row.items() if isinstance(value, float)}
        writer.writerow(row | {key: "" if math.isnan(value) else f"{value:.6g}" for key, value in real.items()})
    return text.getvalue().encode()


def _text_rows(found: list[SentenceVerdict]) -> Iterator[dict[str, Any]]:
    """A sentence's own row, whose `part` is empty, and then its parts'."""
    for verdict in found:
        whole = {key: value for key, value in asdict(verdict).items() if key != "parts"}
        yield whole
        for part in verdict.parts:
            yield {key: whole[key] for key in ("paper", "claim", "where")} | asdict(part)


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes the profile's verdicts.csv, a row a number or ordering, and verdicts-text.csv, of sentences and parts."""
    columns = [field.name for field in fields(Verdict)]
    of_text = [field.name for kind in (SentenceVerdict, PartVerdict) for field in fields(kind) if field.name != "parts"]
    rows = [asdict(verdict) for verdict in verdicts(params, profile, root)]
    said = list(_text_rows(text_verdicts(params, profile, root)))
    return [
        schema.write_whole(root / verdicts_path(profile), _csv(columns, rows)),
        schema.write_whole(root / text_verdicts_path(profile), _csv(list(dict.fromkeys(of_text)), said)),
    ]
