"""The reviewer's page: a folder that needs nothing beside it. Verdicts, tables, curves and films, to be filtered by
paper, table, task, method and verdict, and for every number the jobs that it came from."""

from collections import Counter
from pathlib import Path

import jinja2

from gpae.config import Params
from gpae.results import claims, tables, untrained
from gpae.results.files import whole_folder, write_whole
from gpae.results.report import charts, crate, energy, experiments, films, jobs, verdicts
from gpae.results.report.context import Context

_PAGE = Path(__file__).parent / "page"
ASSETS = {
    "report.css": "report.css",
    "curves.js": "curves.js",
    "report.js": "report.js",
    "uPlot.min.css": "uplot/uPlot.min.css",
    "uPlot.iife.min.js": "uplot/uPlot.iife.min.js",
    "uPlot-LICENSE.txt": "uplot/LICENSE.txt",
}
"""{place in the page's folder: file here}. uPlot 1.6.32 is the package of that name on npm as it is, under MIT."""


def report_path(profile: str) -> Path:
    return Path("artifacts", profile, "report")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals |= {
        "number": verdicts.number,
        "interval": verdicts.interval,
        "probability": verdicts.probability,
        "watt_hours": jobs.watt_hours,
        "duration": jobs.duration,
        "look": verdicts.LOOK,
        "marks": tables.MARKS,
    }
    return environment


def _page(context: Context) -> dict[str, bytes]:
    """{place in the folder: content}"""
    params, profile = context.params, context.profile
    found = verdicts.read(context)
    sections = [experiments.section(context, name, found) for name in context.experiments]
    rows = jobs.rows(context)
    shown, files = films.read(context)
    curves: dict[str, object] = {}
    for section in sections:
        files |= experiments.pictures(context, section)
        curves |= experiments.curves(context, section.name)
    said = Counter(note for section in sections for note in section.notes)
    steps = [step for row in rows for step in row.steps]
    text = (
        _environment()
        .get_template("index.html.j2")
        .render(
            profile=profile,
            budget=params.profile(profile),
            papers={name: context.facets.labels["paper"][name] for name in found.counts},
            steps=sorted({job.total_steps for job in context.jobs}),
            meanings=verdicts.MEANING,
            found=found,
            kinds=verdicts.KINDS,
            method=claims.__doc__,
            # what is to be known of every table is said once
            notes=[note for note, count in said.items() if count == len(sections)],
            sections=sections,
            films=shown,
            untrained=[experiments.table_file(context, name) for name in untrained.names(params, profile)],
            done=[row for row in rows if row.steps],
            open=[row for row in rows if not row.steps],
            cost=energy.total([step.cost for step in steps]),
            energy_notes=energy.__doc__.split("\n\n", 1)[1],
            options=context.facets.options(),
            curves=charts.script(curves),
        )
    )
    assets = {place: (_PAGE / name).read_bytes() for place, name in ASSETS.items()}
    return {"index.html": text.encode()} | assets | files


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes the profile's page, artifacts/<profile>/report/, and the manifest of all its files."""
    context, folder = Context(params, profile, root), root / report_path(profile)
    files = _page(context)
    with whole_folder(folder):
        written = [write_whole(folder / name, content) for name, content in sorted(files.items())]
    return [*written, crate.build(context)]
