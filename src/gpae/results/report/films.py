"""Frames and films of trained policies: there where `gpae frames` has drawn them from checkpoints, absent in a clone
that has none."""

from dataclasses import dataclass
from pathlib import Path

from gpae.rendering.choice import attending, candidates
from gpae.results.report.context import Context, Link, link

_CAPTIONS = {
    "figure3": "A frame of a trained policy's episode in each environment, greedy actions.",
    "smax": "The same frame of SMAX, and whose credit the episode was, step by step.",
    "mabrax": "The same of MABrax.",
    "attention": "Where the agents are in an episode of MACA's policy, and under it to whom its critic attends: row i"
    " has the shares of the agents' observations in what it knows of agent i.",
}


@dataclass(frozen=True)
class Film:
    """still: a PNG, film: a GIF of the whole episode or empty, both in the page's folder; links: whose policies"""

    caption: str
    still: str
    film: str
    links: list[Link]


def _drawn(folder: Path, name: str) -> list[Path]:
    return [path for path in (folder / f"{name}.png", folder / f"{name}.gif") if path.exists()]


def read(context: Context) -> tuple[list[Film], dict[str, bytes]]:
    """(the films that there are, {place in the page's folder: the file})"""
    folder = context.root / "artifacts" / context.profile / "frames"
    shown = candidates(context.params, context.profile)
    every = [link(job) for jobs in shown.values() for job in context.finished(jobs)[:1]]
    shown["attention"] = attending(context.params, context.profile)
    chosen = {name: [link(job) for job in context.finished(jobs)[:1]] for name, jobs in shown.items()}
    found, files = [], {}
    for name, caption in _CAPTIONS.items():
        there = {f"frame-{path.name}": path.read_bytes() for path in _drawn(folder, name)}
        still, film = f"frame-{name}.png", f"frame-{name}.gif"
        if still in there:
            files |= there
            found.append(Film(caption, still, film if film in there else "", chosen.get(name, every)))
    return found, files
