"""Where an experiment's cells stand in its table, as its YAML says (gpae.config.Layout)."""

from dataclasses import dataclass
from pathlib import Path

from gpae.config import ConfigError, Params
from gpae.results import cells
from gpae.results.cells import Cell

HEADS = {"task": "Task", "method": "Method", "trace": "Trace weight", "eta": "η"}
# the paper's names, and one for what its release alone has
TRACES = {"dt": "DT-ISR", "st": "ST-ISR", "it": "IT-ISR", "none": "No Correction", "uncut": "own ratio"}
UNITS = {
    "win_rate_percent": "win rate (%)",
    "episode_return": "return",
    "capture_rate_percent": "capture rate (%)",
}
RATES = tuple(unit for metric, unit in UNITS.items() if metric.endswith("_percent"))


@dataclass(frozen=True)
class Row:
    """group: what rows have in common that follow each other, the family or the task; may be empty

    budgets: environment steps, none where the profile does not run it; cells: None where no method stands there
    """

    group: str
    label: str
    budgets: list[int]
    cells: list[Cell | None]


@dataclass(frozen=True)
class Table:
    """group, head: what the rows' groups and labels are; group is empty where there are none"""

    group: str
    head: str
    columns: list[str]
    rows: list[Row]

    @property
    def cells(self) -> list[Cell]:
        return [cell for row in self.rows for cell in row.cells if cell]


def unit(metric: str) -> str:
    """What a metric is called in a head."""
    return UNITS.get(metric, metric.replace("_", " "))


def _label(params: Params, axis: str, cell: Cell) -> str:
    if axis == "task":
        return cell.task
    value = getattr(params.method(cell.method_name), axis, None) if cell.method_name else None
    if axis == "method" or value is None:
        return cell.method
    return TRACES[value] if axis == "trace" else str(value).upper()


def read(params: Params, profile: str, experiment: str, root: Path) -> Table:
    """The experiment's cells, each in its place; ConfigError where two methods would stand in the same."""
    layout = params.experiment(experiment).layout
    axes = {layout.rows, layout.columns}
    found = cells.read(params, profile, experiment, root)
    # the rows of a family share their unit; columns of tasks need not
    several = len(layout.quantities if layout.columns == "method" else {cell.metric for cell in found}) > 1
    placed: dict[tuple[str, str], dict[str, Cell]] = {}
    heads: dict[str, None] = {}
    for cell in found:
        group = cell.family if layout.rows == "task" else "" if "task" in axes else cell.task
        row = placed.setdefault((group, _label(params, layout.rows, cell)), {})
        head = _label(params, layout.columns, cell) + (f": {unit(cell.metric)}" if several else "")
        heads.setdefault(head)
        if head in row:
            source = params.folder / "experiments" / f"{experiment}.yaml"
            raise ConfigError(
                f"{source}: layout: {row[head].method_name} and {cell.method_name} stand in the same place;"
                f" allowed: methods that differ in {layout.rows} or {layout.columns}"
            )
        row[head] = cell
    rows = []
    for (group, label), row in placed.items():
        budgets = sorted({cell.budget for cell in row.values() if cell.budget})
        rows.append(Row(group, label, budgets, [row.get(head) for head in heads]))
    group = "Domain" if layout.rows == "task" else "" if "task" in axes else HEADS["task"]
    return Table(group, HEADS[layout.rows], list(heads), rows)
