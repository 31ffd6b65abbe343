"""A table of text as CSV, Markdown and LaTeX."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gpae.results import schema

_TEX = {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "^": r"\^{}", "|": r"$|$", "<": "$<$", ">": "$>$"}
_TEX |= {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "~": r"\textasciitilde{}"}
_TEX |= {"—": "---", "±": r"$\pm$", "−": "$-$", "×": r"$\times$", "π": r"$\pi$"}
_TEX |= {"β": r"$\beta$", "γ": r"$\gamma$", "ε": r"$\epsilon$", "η": r"$\eta$", "λ": r"$\lambda$"}

_MARKED = re.compile(r"(.*?)(?: ?<sup>(.*)</sup>)?")
_REMARK = re.compile(r"<sup>(.*)</sup> (.*)")


def tex(text: str) -> str:
    """The text with what LaTeX would take for a command, and the signs it lacks, written out."""
    return "".join(_TEX.get(character, character) for character in text)


class Text(NamedTuple):
    """What stands in a place: words, in bold or not, more of them in small print, and the mark of a remark on it."""

    text: str
    small: str = ""
    mark: str = ""
    bold: bool = False

    def markdown(self) -> str:
        small, mark = f" ({self.small})" if self.small else "", f" <sup>{self.mark}</sup>" if self.mark else ""
        text = f"**{self.text}**" if self.bold else self.text
        return f"{text}{small}{mark}".replace("|", r"\|")

    def latex(self) -> str:
        small = rf" {{\tiny({tex(self.small)})}}" if self.small else ""
        mark = rf"\textsuperscript{{{tex(self.mark)}}}" if self.mark else ""
        text = rf"\textbf{{{tex(self.text)}}}" if self.bold else tex(self.text)
        return f"{text}{small}{mark}"


def _text(place: str | Text) -> Text:
    return place if isinstance(place, Text) else Text(place)


@dataclass(frozen=True)
class Grid:
    """name: of the files; columns: their heads; rows: a place a column; notes: sentences below the table

    marks: {mark: its remark}; left: how many columns are words, on the left; None: all; breaks: rows under a rule
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Text, ...], ...]
    notes: tuple[str, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    left: int | None = None
    breaks: frozenset[int] = frozenset()

    def _alignment(self, left: str, right: str) -> list[str]:
        words = len(self.columns) if self.left is None else self.left
        return [left] * words + [right] * (len(self.columns) - words)

    def csv(self) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [self.columns, *([_text(place).text for place in row] for row in self.rows)]
        )
        return text.getvalue()

    def markdown(self) -> str:
        def line(parts: list[str]) -> str:
            return "| " + " | ".join(parts) + " |"

        lines = [f"# {self.title}", "", line([Text(head).markdown() for head in self.columns])]
        lines += [line(self._alignment(":--", "--:"))]
        lines += [line([_text(place).markdown() for place in row]) for row in self.rows]
        said = [f"- {note}" for note in self.notes]
        said += [f"- <sup>{mark}</sup> {remark}" for mark, remark in self.marks.items()]
        return "\n".join(lines + ["", *said] * bool(said)) + "\n"

    def latex(self) -> str:
        marks = "".join(rf" \textsuperscript{{{tex(mark)}}}{tex(remark)}." for mark, remark in self.marks.items())
        lines = [
            "% needs \\usepackage{booktabs,graphicx}",
            r"\begin{table*}",
            rf"\caption{{{tex(' '.join([f'{self.title}.', *self.notes]))}{marks}}}",
            rf"\label{{tab:{self.name}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{''.join(self._alignment('l', 'r'))}}}",
            r"\toprule",
            " & ".join(map(tex, self.columns)) + r" \\",
            r"\midrule",
        ]
        for number, row in enumerate(self.rows):
            lines += [r"\midrule"] * (number in self.breaks)
            lines.append(" & ".join(_text(place).latex() for place in row) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table*}"]) + "\n"

    def write(self, folder: Path, data: str | None = None) -> list[Path]:
        """Writes <name>.csv, .md and .tex; data: the CSV where it is more than what is printed."""
        contents = {".csv": self.csv() if data is None else data, ".md": self.markdown(), ".tex": self.latex()}
        return [schema.write_whole(folder / f"{self.name}{end}", text.encode()) for end, text in contents.items()]


def read(path: Path) -> Grid:
    """The grid of a Markdown file that `write` made; small print is part of the words. FileNotFoundError as usual."""

    def places(line: str) -> tuple[Text, ...]:
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        return tuple(Text(text, mark=mark or "") for text, mark in (_MARKED.fullmatch(cell).groups() for cell in cells))

    title, _, *lines = path.read_text(encoding="utf-8").splitlines()
    head, alignment, *rows = [line for line in lines if line.startswith("|")]
    said = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    remarks = [_REMARK.fullmatch(line) for line in said]
    return Grid(
        path.stem,
        title.removeprefix("# "),
        tuple(place.text for place in places(head)),
        tuple(places(row) for row in rows),
        tuple(line for line, remark in zip(said, remarks, strict=True) if not remark),
        dict(remark.groups() for remark in remarks if remark),
        alignment.count(":--"),
    )
