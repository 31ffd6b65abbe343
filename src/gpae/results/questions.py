"""What the jobs of a profile are trained for: the claims and comparisons that need each of them."""

from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import NamedTuple

from gpae import plan
from gpae.config import Params
from gpae.results import paper
from gpae.results.claims import sentences
from gpae.results.rules import Setting

Runs = frozenset[tuple[str, str]]  # (method, task), names of params/


class Question(NamedTuple):
    """Something that is answered when all seeds of some methods on some tasks are there."""

    name: str
    runs: Runs


def read(params: Params, profile: str, root: Path = Path(".")) -> list[Question]:
    """Every question that the profile's jobs can answer: its experiments' numbers, orderings and comparisons, and the
    sentences of the papers."""
    planned = {(job.method_name, job.task_name) for job in plan.jobs(params, profile)}
    found = [question for name in params.profile(profile).experiments for question in _table(params, profile, name)]
    found += _sentences(params, root)
    return [question for question in found if question.runs and question.runs <= planned]


def _table(params: Params, profile: str, experiment: str) -> Iterator[Question]:
    """What all of its cells answer: a table shows also what jobs of other experiments have measured."""
    about, selected = params.experiment(experiment), plan.selection(params, profile, experiment)
    tasks, methods = (dict.fromkeys(names) for names in ((*about.tasks, *selected[0]), (*about.methods, *selected[1])))
    values, protocol = paper.of_experiment(params, experiment)
    names = {about.labels.get(name, params.method(name).label): name for name in methods}
    for task in tasks:
        here = [value for value in values if value.task in (task, params.task(task).label) and value.method in names]
        for value in here:
            yield Question(f"table {value.table}: {value.method} on {task}", frozenset({(names[value.method], task)}))
        for better, worse in permutations(here, 2):
            if paper.ordered(better, worse, protocol):
                runs = frozenset((names[value.method], task) for value in (better, worse))
                yield Question(f"table {better.table}: {better.method} > {worse.method} on {task}", runs)
    for comparison, task in product(about.comparisons, selected[0]):
        runs = frozenset((method, task) for method in (comparison.method, comparison.other))
        yield Question(f"{experiment}: {comparison.question} on {task}", runs)


def _sentences(params: Params, root: Path) -> Iterator[Question]:
    for path in sorted((params.folder / "claims").glob("*-text.yaml")):
        for claim, sentence in sentences.read(params, path.stem.removesuffix("-text")).items():
            about = Setting(params, sentence.experiments, root)
            terms = [term for rule in sentence.rules for part in rule.parts(about) for term in part.terms]
            yield Question(f"{sentence.where}: {claim}", frozenset((term.method, term.task) for term in terms))
