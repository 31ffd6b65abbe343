"""Curves as data for the page: what matplotlib draws from the same panels, to be looked at point by point."""

import json
import math
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import colors

from gpae.results.figures import style
from gpae.results.figures.panels import Curve, Panel


def _numbers(values: np.ndarray) -> list[float | None]:
    """Six digits are more than can be read off; JSON has no NaN."""
    return [None if math.isnan(value) else float(f"{value:.6g}") for value in values.tolist()]


def _bright(colour: str) -> str:
    """The colour for a dark page: mixed with white until it is light enough to be seen there."""
    rgb, white = np.array(colors.to_rgb(colour)), 0.0
    while (rgb + (1 - rgb) * white) @ (0.2126, 0.7152, 0.0722) < 0.45:
        white += 0.05
    return colors.to_hex(rgb + (1 - rgb) * white)


def _dash(line: Any) -> list[float]:
    """matplotlib's dashes in pixels of a line two pixels wide; empty: a line without gaps."""
    return [] if isinstance(line, str) else [2 * length for length in line[1]]


def methods(names: dict[str, str]) -> list[dict[str, Any]]:
    """The methods of a figure as `style.looks` draws them. names: {method: label}"""
    return [
        {
            "name": method,
            "label": names[method],
            "light": look["color"],
            "dark": _bright(look["color"]),
            "dash": _dash(look["linestyle"]),
        }
        for method, look in style.looks(names).items()
    ]


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "method": curve.method,
        "steps": [int(step) for step in curve.env_steps],
        "mean": _numbers(curve.mean),
        "error": _numbers(curve.sem),
    }


def panel(shown: Panel, names: dict[str, str]) -> dict[str, Any]:
    return {
        "title": shown.title,
        "unit": shown.unit,
        "percent": shown.unit.endswith("rate (%)"),
        "tasks": list(shown.tasks),
        "curves": [_curve(curve) for curve in shown.curves],
        "marks": [[method, float(f"{value:.6g}")] for method, value in shown.marks],
        "references": [[text, float(f"{value:.6g}")] for text, value in shown.references],
        "absent": [names[method] for method in shown.absent],
        "nothing": shown.nothing,
    }


def script(figures: dict[str, Any]) -> Markup:
    """The data as JSON that may stand in a page."""
    text = json.dumps(figures, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Markup(text.replace("<", r"\u003c").replace("&", r"\u0026"))
