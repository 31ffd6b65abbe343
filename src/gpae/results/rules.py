"""The vocabulary in which params/claims/<paper>.yaml says what a sentence of the paper means for the measured tables.

A rule is a list of parts, each a number and what is claimed of it (`parts`); the sentence holds where all of them do.
Every rule names methods and tasks of params/. Where `others` cannot run on a task it is left out there.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass as plain
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from gpae.config import ConfigError, Count, Name, NotNegative, Params, Positive
from gpae.results import paper
from gpae.results.evidence import Quantity, Term, benchmarks
from gpae.results.parts import Contrast, Overhead, Part, Rank, Spread, Tally

_frozen = dataclass(frozen=True, config=ConfigDict(extra="forbid"))
Methods = Annotated[tuple[Name, ...], Field(min_length=1)]
Tasks = Annotated[tuple[Name, ...], Field(min_length=1)]


@plain(frozen=True)
class Setting:
    """What names stand for: params/, and the experiments whose tables print the sentence's numbers."""

    params: Params
    experiments: tuple[str, ...]
    root: Path

    def method(self, name: str) -> str:
        labels = [self.params.experiment(part).labels for part in self.experiments]
        return next((names[name] for names in labels if name in names), self.params.method(name).label)

    def of(self, quantity: str, method: str) -> str:
        """A score goes by the method's name alone."""
        label = self.method(method)
        return label if quantity == "score" else f"{quantity.replace('_', ' ')} of {label}"

    def task(self, name: str) -> str:
        return self.params.task(name).label

    def fits(self, method: str, task: str) -> bool:
        return self.params.task(task).family in self.params.method(method).families

    def families(self, tasks: tuple[str, ...]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in tasks:
            found.setdefault(self.params.task(name).family, []).append(name)
        return found

    def share(self, task: str, tasks: list[str]) -> float:
        """A task's weight in a mean over tasks, as Figure 4's: returns in percent of the best mean that is printed."""
        aim = self.params.task(task)
        if self.params.family(aim.family).score.endswith("_percent"):
            return 1 / len(tasks)
        values = [value for name in self.experiments for value in paper.of_experiment(self.params, name)[0]]
        printed = [value.mean for value in values if value.task in (task, aim.label)]
        if not printed:
            raise ConfigError(f"{self.params.folder / 'claims'}: no number of {task} to scale its returns by in a mean")
        return 100 / max(printed) / len(tasks)


def _gap_reference(params: Params, task: str) -> float:
    from gpae.results.gap_reference import reference  # imports jax, which nothing else here needs

    return reference(params, task).total


@_frozen
class Above:
    """Each of `methods` above each of `others`, on each task or (over: family) in the mean over a family's tasks.

    slack: how far below it may be, in the quantity's unit: "no worse than" for more than 0
    """

    kind: Literal["above"]
    methods: Methods
    others: Methods
    tasks: Tasks
    quantity: Quantity = "score"
    over: Literal["each", "family"] = "each"
    slack: NotNegative = 0.0

    def parts(self, about: Setting) -> Iterator[Part]:
        if self.over == "each":
            groups = [(about.task(task), [task]) for task in self.tasks]
        else:
            families = about.families(self.tasks)
            groups = [(f"{about.params.family(f).label}, mean of {len(g)} tasks", g) for f, g in families.items()]
        for (name, tasks), method, other in product(groups, self.methods, self.others):
            if not all(about.fits(each, task) for each in (method, other) for task in tasks):
                continue
            shares = {task: 1.0 if self.over == "each" else about.share(task, tasks) for task in tasks}
            terms = [
                Term(sign * share, self.quantity, each, task)
                for task, share in shares.items()
                for sign, each in ((1, method), (-1, other))
            ]
            what = f"{name}: {about.of(self.quantity, method)} − {about.of(self.quantity, other)}"
            yield Contrast(what, least=0.0 - self.slack, terms=tuple(terms))


@_frozen
class Between:
    """A quantity of each method on each task, or how far it is above that on `minus`, lies between two numbers.

    most: a number, or the advantage gap that Appendix B derives for the task
    """

    kind: Literal["between"]
    methods: Methods
    tasks: Tasks
    quantity: Quantity = "score"
    minus: Name | None = None
    least: float = -float("inf")
    most: float | Literal["gap_reference"] = float("inf")

    def parts(self, about: Setting) -> Iterator[Part]:
        for task, method in product(self.tasks, self.methods):
            most = _gap_reference(about.params, task) if self.most == "gap_reference" else self.most
            terms, name = [Term(1, self.quantity, method, task)], about.task(task)
            if self.minus is not None:
                terms.append(Term(-1, self.quantity, method, self.minus))
                name = f"{name} − {about.task(self.minus)}"
            what = f"{name}: {about.of(self.quantity, method)}"
            # 0 is on every scale the same
            absolute = self.quantity.endswith("score") and {self.least, most} - {0.0, math.inf, -math.inf} != set()
            yield Contrast(what, self.least, most, tuple(terms), absolute)


@_frozen
class NearZero:
    """A quantity's absolute value is below a share of another's (of method `than`, or of the same method)."""

    kind: Literal["near_zero"]
    methods: Methods
    tasks: Tasks
    quantity: Quantity
    share: Positive
    of: Quantity
    than: Name | None = None

    def parts(self, about: Setting) -> Iterator[Part]:
        for task, method in product(self.tasks, self.methods):
            scale = Term(self.share, self.of, self.than or method, task)
            share = f"{self.share:g} × {about.of(scale.quantity, scale.method)}"
            for sign, word in ((1, "+"), (-1, "−")):
                what = f"{about.task(task)}: {share} {word} {about.of(self.quantity, method)}"
                yield Contrast(what, least=0.0, terms=(scale, Term(sign, self.quantity, method, task)))


@_frozen
class Within:
    """Any two of the methods differ by less than the margin on each task."""

    kind: Literal["within"]
    methods: Annotated[tuple[Name, ...], Field(min_length=2)]
    tasks: Tasks
    margin: Positive
    quantity: Quantity = "score"

    def parts(self, about: Setting) -> Iterator[Part]:
        for task, (first, second) in product(self.tasks, combinations(self.methods, 2)):
            terms = (Term(1, self.quantity, first, task), Term(-1, self.quantity, second, task))
            what = f"{about.task(task)}: {about.of(self.quantity, first)} − {about.of(self.quantity, second)}"
            yield Contrast(what, -self.margin, self.margin, terms, absolute=self.quantity.endswith("score"))


@_frozen
class LargerGain:
    """How far `method` is above each of `others` is more on the tasks than on the rest.

    over: each of the tasks against each of the rest, or the mean of the tasks against the mean of the rest
    """

    kind: Literal["larger_gain"]
    method: Name
    others: Methods
    tasks: Tasks
    rest: Tasks
    quantity: Quantity = "score"
    over: Literal["each", "mean"] = "mean"

    def parts(self, about: Setting) -> Iterator[Part]:
        pairs = [(self.tasks, self.rest)] if self.over == "mean" else product(zip(self.tasks), zip(self.rest))
        for (tasks, rest), other in product(pairs, self.others):
            terms = [
                Term(sign * side / len(group), self.quantity, each, task)
                for side, group in ((1, tasks), (-1, rest))
                for task in group
                for sign, each in ((1, self.method), (-1, other))
            ]
            gain = f"{about.of(self.quantity, self.method)} − {about.of(self.quantity, other)}"
            what = f"{gain}: {', '.join(map(about.task, tasks))} against {', '.join(map(about.task, rest))}"
            yield Contrast(what, least=0.0, terms=tuple(terms))


@_frozen
class WiderSpread:
    """Each of `methods` spreads more over seeds than each of `others`, on each task."""

    kind: Literal["wider_spread"]
    methods: Methods
    others: Methods
    tasks: Tasks
    quantity: Quantity = "score"

    def parts(self, about: Setting) -> Iterator[Part]:
        for task, method, other in product(self.tasks, self.methods, self.others):
            if about.fits(method, task) and about.fits(other, task):
                terms = (Term(1, self.quantity, method, task), Term(1, self.quantity, other, task))
                sides = [about.of(self.quantity, each) for each in (method, other)]
                what = f"{about.task(task)}: deviation of {' / '.join(sides)}"
                yield Spread(what, least=1.0, terms=terms)


@_frozen
class RisesWith:
    """The higher a method's quantity `by`, the higher its `quantity`: rank correlation over the methods of a task."""

    kind: Literal["rises_with"]
    methods: Annotated[tuple[Name, ...], Field(min_length=3)]
    tasks: Tasks
    by: Quantity
    quantity: Quantity = "score"

    def parts(self, about: Setting) -> Iterator[Part]:
        for task in self.tasks:
            terms = tuple(Term(1, what, method, task) for what in (self.by, self.quantity) for method in self.methods)
            names = ", ".join(map(about.method, self.methods))
            what = f"{self.by} and {self.quantity}".replace("_", " ")
            yield Rank(f"{about.task(task)}: rank correlation of {what} over {names}", least=0.0, terms=terms)


@_frozen
class OverheadAtMost:
    """The first side of a benchmark takes at most so many percent more time, on each task and measured machine."""

    kind: Literal["overhead_at_most"]
    percent: Positive
    part: Name
    benchmark: str
    tasks: Tasks

    def parts(self, about: Setting) -> Iterator[Part]:
        files = benchmarks(about.root, self.part)
        for task in self.tasks:
            machines = {
                file: row["device"]
                for file, rows in files.items()
                for row in rows
                if (row["benchmark"], row["task"]) == (self.benchmark, task)
            }
            for file, device in machines.items() or [(f"{self.part}.csv", "any machine")]:
                what = f"{about.task(task)}: more time on {device}, percent"
                yield Overhead(what, most=self.percent, benchmark=self.benchmark, task=task, file=file)


@_frozen
class AboveOn:
    """On at least so many of the tasks the method is above each (beats: all) or at least one (any) of the others.

    slack: how far below it may be, in the quantity's unit: no worse than the others, for more than 0
    """

    kind: Literal["above_on"]
    method: Name
    others: Methods
    tasks: Tasks
    at_least: Count
    beats: Literal["all", "any"] = "all"
    quantity: Quantity = "score"
    slack: NotNegative = 0.0

    def parts(self, about: Setting) -> Iterator[Part]:
        tasks = []
        for task in self.tasks:
            others = [other for other in self.others if about.fits(other, task)]
            own = Term(1, self.quantity, self.method, task)
            pairs = [(own, Term(-1, self.quantity, other, task)) for other in others]
            tasks.append(tuple(Contrast("", least=0.0 - self.slack, terms=pair) for pair in pairs))
        which = "all" if self.beats == "all" else "at least one"
        names = ", ".join(map(about.method, self.others))
        worse = f", or no more than {self.slack:g} below," if self.slack else ""
        yield Tally(
            f"tasks of {len(tasks)} on which {about.of(self.quantity, self.method)} is above{worse} {which} of {names}",
            least=self.at_least - 0.5,
            terms=tuple(term for parts in tasks for part in parts for term in part.terms),
            tasks=tuple(tasks),
            every=self.beats == "all",
        )


Rule = Annotated[
    AboveOn | Above | Between | NearZero | Within | LargerGain | WiderSpread | RisesWith | OverheadAtMost,
    Field(discriminator="kind"),
]
