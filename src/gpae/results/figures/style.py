"""How every figure looks: a method's colour, marker and line, matplotlib's settings, and the file's bytes."""

import io
from collections.abc import Iterable
from typing import Any

import seaborn as sns
from matplotlib import rcParamsDefault
from matplotlib.figure import Figure

_SOLID, _DASHED, _DOTTED, _BROKEN = "-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.2, 1, 1.2))

# Okabe and Ito's colours, which the colour-blind tell apart too, and a marker each for print without colour
STYLES = {
    "gpae_off": ("#D55E00", "o", _SOLID),
    "gpae_on": ("#0072B2", "s", _SOLID),
    "mappo": ("#009E73", "^", _SOLID),
    "dae": ("#CC79A7", "D", _SOLID),
    "coma": ("#E69F00", "v", _SOLID),
    "qmix": ("#56B4E9", "P", _SOLID),
    "vdn": ("#595959", "X", _SOLID),
    "iql": ("#000000", "*", _SOLID),
    # a control has the colour of what it controls
    "gpae_on_epochs": ("#0072B2", "D", _DASHED),
    "gpae_on_divided": ("#0072B2", "P", _DOTTED),
    "mappo_epochs": ("#009E73", "v", _DASHED),
    "mappo_divided": ("#009E73", "X", _DOTTED),
}
_FREE = tuple((colour, marker) for colour, marker, _ in STYLES.values())[:8]
_LINES = (_DASHED, _BROKEN, _DOTTED)

# matplotlib's own first, so that nothing of a user's matplotlibrc is left
SETTINGS = (
    {name: value for name, value in rcParamsDefault.items() if name != "backend"}
    | sns.axes_style("whitegrid")
    | sns.plotting_context("paper")
    | {
        "font.family": "DejaVu Sans",
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 7.5,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 8,
        "lines.linewidth": 1.4,
        "lines.markersize": 3.5,
        "axes.linewidth": 0.6,
        "grid.linewidth": 0.5,
        "pdf.fonttype": 42,
        "svg.hashsalt": "gpae",
    }
)


def looks(methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """{method: colour, marker and line}, no two alike: the fixed ones, then what they leave, broken."""
    names = list(dict.fromkeys(methods))
    fixed = {STYLES[name][0] for name in names if name in STYLES}
    free = sorted(_FREE, key=lambda pair: pair[0] in fixed)
    found, others = {}, 0
    for name in names:
        if name in STYLES:
            colour, marker, line = STYLES[name]
        else:
            (colour, marker), line = free[others % len(free)], _LINES[others % len(_LINES)]
            others += 1
        found[name] = {"color": colour, "marker": marker, "linestyle": line}
    return found


def file(figure: Figure, kind: str) -> bytes:
    """The file without the time of its making, which alone would differ between two builds."""
    sink = io.BytesIO()
    figure.savefig(sink, format=kind, dpi=200, metadata={"CreationDate": None} if kind == "pdf" else {"Software": None})
    return sink.getvalue()
