"""The tables that need no training: Table 1 (measured on tabular games), Table 5 and Appendix G; ASAE's Figure 1."""

from pathlib import Path

from gpae.config import Params
from gpae.results import hyperparameters, properties, scenarios, synchronous

NAMES = ("table1", "table5", *(name for name, *_ in hyperparameters.TABLES.values()))


def names(params: Params, profile: str) -> tuple[str, ...]:
    """Of a profile's tables; Figure 1 of the ASAE paper where it has an experiment of that paper's."""
    experiments = params.profile(profile).experiments
    ours = any("ASAE paper" in params.experiment(name).where for name in experiments)
    return (*NAMES, "asae_figure1") if ours else NAMES


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes tables/<name> of `names` as .csv, .md and .tex."""
    grids = [scenarios.grid(params), *hyperparameters.grids(params, profile)]
    if "asae_figure1" in names(params, profile):
        grids.append(synchronous.grid())
    folder = root / "artifacts" / profile / "tables"
    return [*properties.build(params, profile, root), *(path for grid in grids for path in grid.write(folder))]
