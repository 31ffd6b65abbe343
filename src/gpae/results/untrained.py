"""The tables that need no training: Table 1 (measured on tabular games), Table 5 and Appendix G."""

from pathlib import Path

from gpae.config import Params
from gpae.results import hyperparameters, properties, scenarios

NAMES = ("table1", "table5", *(name for name, *_ in hyperparameters.TABLES.values()))


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes tables/<name> of NAMES as .csv, .md and .tex."""
    grids = [scenarios.grid(params), *hyperparameters.grids(params, profile)]
    folder = root / "artifacts" / profile / "tables"
    return [*properties.build(params, profile, root), *(path for grid in grids for path in grid.write(folder))]
