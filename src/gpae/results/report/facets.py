"""By what the page can be filtered: paper, table or figure, task, method and verdict.

Every item of the page carries its values as data attributes; one without an attribute is not filtered by it.
"""

import re
from collections import Counter
from collections.abc import Iterable

from markupsafe import Markup

from gpae.config import Params
from gpae.results import paper
from gpae.results.claims import VERDICTS, sentences

FACETS = ("paper", "table", "task", "method", "verdict")
UNKNOWN = "other"


def slug(text: str) -> str:
    """The text as a value that no space divides."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or UNKNOWN


class Facets:
    """The values that stand on the page, with their labels: filled by `mark`, in the order of `options`."""

    def __init__(self, params: Params, profile: str) -> None:
        self.params, self.experiments = params, tuple(params.profile(profile).experiments)
        self.found: dict[str, dict[str, str]] = {facet: {} for facet in FACETS}
        self.labels: dict[str, dict[str, str]] = {facet: {} for facet in FACETS}
        folder = params.folder
        texts = [path.stem.removesuffix("-text") for path in sorted((folder / "claims").glob("*-text.yaml"))]
        for name in dict.fromkeys([*(path.stem for path in sorted((folder / "claims").glob("*.csv"))), *texts]):
            title = params.load(paper.Protocol, "claims", name).title
            self.labels["paper"][name] = f"{name.upper()}: {title}" if title else name.upper()
        for name in self.experiments:
            about = params.experiment(name)
            self.labels["table"][name] = f"{about.where}: {about.title}" if about.where else about.title
        self.labels["task"] = {name: params.task(name).label for name in _names(params, "tasks")}
        self.labels["method"] = {name: params.method(name).label for name in _names(params, "methods")}
        self.labels["verdict"] = {slug(verdict): verdict for verdict in VERDICTS}
        self._papers: dict[str, list[str]] = {name: [] for name in self.experiments}
        for name in self.experiments:
            if claims := params.experiment(name).claims:
                self._papers[name].append(claims.paper)
        for name in texts:
            for sentence in sentences.read(params, name).values():
                for experiment in sentence.experiments:
                    if experiment in self._papers and name not in self._papers[experiment]:
                        self._papers[experiment].append(name)

    def papers_of(self, experiment: str) -> list[str]:
        """The papers that an experiment is for: whose numbers it holds its own against, or whose sentences name it."""
        return self._papers.get(experiment, [])

    def task(self, label: str) -> list[str]:
        """The names in params/ of what a paper or a table calls so; else a value of its own."""
        return self._names("task", label)

    def method(self, label: str, experiment: str = "") -> list[str]:
        """The same of a method; an experiment's own come first, which it may give another label."""
        if experiment:
            about = self.params.experiment(experiment)
            for name in about.methods:
                if about.labels.get(name, self.labels["method"].get(name)) == label:
                    return [name]
        return self._names("method", label)

    def _names(self, facet: str, label: str) -> list[str]:
        found = [name for name, text in self.labels[facet].items() if label in (name, text)]
        if not found:
            self.labels[facet][slug(label)] = label
        return found or [slug(label)]

    def mark(self, **values: str | Iterable[str]) -> Markup:
        """`data-item` and an attribute a facet; what is marked here can be chosen."""
        parts = ["data-item"]
        for facet, given in values.items():
            names = dict.fromkeys([given] if isinstance(given, str) else given)
            for name in names:
                self.found[facet][name] = self.labels[facet].get(name, name)
            parts.append(f'data-{facet}="{" ".join(names)}"')
        return Markup(" ".join(parts))

    def options(self) -> dict[str, dict[str, str]]:
        """{facet: {value: label}} of what was marked, in the order of params/; a name beside a label that two share."""
        found = {}
        for facet, values in self.found.items():
            labels = {name: label for name, label in {**self.labels[facet], **values}.items() if name in values}
            often = Counter(labels.values())
            found[facet] = {name: f"{label} ({name})" if often[label] > 1 else label for name, label in labels.items()}
        return found


def _names(params: Params, group: str) -> list[str]:
    return sorted(path.stem for path in (params.folder / group).glob("*.yaml"))
