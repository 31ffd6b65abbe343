"""The page of a small study, made by the project's own steps."""

import io
from pathlib import Path

from PIL import Image
from study import Study

from gpae.results import aggregate, figures, report, tables, untrained
from gpae.results.grid import Grid, Text
from gpae.results.schema import write_whole


def folder(study: Study) -> Path:
    return study.root / "artifacts" / "tiny" / "report"


def _picture() -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (640, 320), "white").save(sink, "PNG")
    return sink.getvalue()


def build(study: Study, draw: bool = False) -> str:
    """The page; to save seconds, what needs no training stands in its tables as words, and what is not to `draw`
    is an empty picture."""
    aggregate.build(study.params, "tiny", study.root)
    tables.build(study.params, "tiny", study.root)
    for name in untrained.names(study.params, "tiny"):
        grid = Grid(name, f"About {name}", ("a", "b"), (("x|y", Text("2", mark="r")),), ("A note.",), {"r": "why"}, 1)
        grid.write(study.root / "artifacts" / "tiny" / "tables")
    if draw:
        figures.build(study.params, "tiny", study.root)
    else:
        for experiment in study.params.profile("tiny").experiments:
            for name in figures.captions(study.params, "tiny", experiment):
                write_whole(study.root / figures.place("tiny", name, "png"), _picture())
    written = report.build(study.params, "tiny", study.root)
    assert all(path.exists() for path in written) and folder(study) / "index.html" in written
    return (folder(study) / "index.html").read_text()
