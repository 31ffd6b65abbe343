"""YAML of which a reader sees what it says: version 1.2 without what changes a file's meaning from elsewhere in it.

Refused are keys given twice, merge keys, tags, directives, several documents, and data that aliases blow up. An alias
stands for the whole of what its anchor names, further up in the same file, and nothing can override a part of it.

Plain scalars are read by YAML 1.2's core schema, so that `1e-3` is a number, and `17:04` and `no` are texts. A whole
number with a leading zero, which version 1.1 reads by eight and version 1.2 by ten, is refused.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

MOST_ENTRIES = 100_000  # of a file, aliases written out

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_WORDS = {word: None for word in ("", "~", "null", "Null", "NULL")}
_WORDS |= {word: True for word in ("true", "True", "TRUE")} | {word: False for word in ("false", "False", "FALSE")}
_WORDS |= {word: float("nan") for word in (".nan", ".NaN", ".NAN")}


class Refused(ValueError):
    """What is wrong with a YAML text, and in which of its lines."""


def load(text: str) -> Any:
    """The data of a text: texts, numbers, truth values, None, lists, and mappings whose keys are texts.

    Raises Refused, yaml.YAMLError where it is no YAML, ValueError and RecursionError where it cannot be held.
    """
    events = yaml.parse(text, Loader=yaml.CSafeLoader)
    data, documents = None, 0
    reader = _Reader(events)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if event.version or event.tags:
                raise _refused(event, "a directive is not allowed")
            documents += 1
            if documents > 1:
                raise _refused(event, "a second document is not allowed")
            data = reader.value(next(events))
    return data


def _refused(event: yaml.Event, why: str) -> Refused:
    return Refused(f"line {_line(event)}: {why}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1


class _Reader:
    """Makes data of a parser's events."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self.events = events
        self.anchors: dict[str, tuple[Any, int] | None] = {}  # data and its entries; None while it is being read
        self.entries = 0

    def value(self, event: yaml.Event) -> Any:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise _refused(event, f"*{event.anchor}: there is no &{event.anchor} above")
            if (known := self.anchors[event.anchor]) is None:
                raise _refused(event, f"*{event.anchor} stands within itself")
            data, entries = known
            self._count(event, entries)
            return data
        if event.tag is not None:
            raise _refused(event, f"the tag {event.tag} is not allowed")
        if event.anchor is not None:
            if event.anchor in self.anchors:
                raise _refused(event, f"&{event.anchor} is given twice")
            self.anchors[event.anchor] = None
        before = self.entries
        self._count(event, 1)
        if isinstance(event, yaml.SequenceStartEvent):
            data = [self.value(inner) for inner in self._until(yaml.SequenceEndEvent)]
        elif isinstance(event, yaml.MappingStartEvent):
            data = self._mapping()
        else:
            data = _scalar(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = data, self.entries - before
        return data

    def _count(self, event: yaml.Event, entries: int) -> None:
        self.entries += entries
        if self.entries > MOST_ENTRIES:
            raise _refused(event, f"more than {MOST_ENTRIES:,} entries, aliases written out")

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        while not isinstance(event := next(self.events), end):
            yield event

    def _mapping(self) -> dict[str, Any]:
        data, lines = {}, {}
        for event in self._until(yaml.MappingEndEvent):
            key = self.value(event)
            if key == "<<":
                raise _refused(event, "a merge key is not allowed; write out what it stands for")
            if not isinstance(key, str):
                raise _refused(event, f"the key {key!r} is not a text; put it in quotes")
            if key in data:
                raise _refused(event, f"the key {key!r} is given twice, first in line {lines[key]}")
            lines[key] = _line(event)
            data[key] = self.value(next(self.events))
        return data


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = event.value
    if not event.implicit[0]:  # in quotes, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _LEADING_ZERO.fullmatch(text):
        raise _refused(event, f"{text}: a number with a leading zero is read in two ways; leave it out, or use quotes")
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text
