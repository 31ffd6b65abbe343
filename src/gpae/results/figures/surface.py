"""Appendix C's surface: DT-ISR's weight as a function of the own ratio and of the others' joint ratio (Eq. 8)."""

import math
from pathlib import Path

import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from gpae.advantages import traces
from gpae.config import Params
from gpae.results import schema
from gpae.results.figures import style

PATH = Path("docs/dt-isr.png")
MOST = 2.0  # of both ratios
POINTS = 101


def weights(lam: float, eta: float, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """c [others, own] of an agent whose ratio is one of `own`, beside one other whose ratio is one of `others`."""
    both = np.stack(np.meshgrid(own, others)).reshape(1, 2, -1)  # [time, agent, environment]
    with np.errstate(divide="ignore"):
        logs = np.log(both)
    return np.asarray(traces.dt(jnp.asarray(logs), lam, eta))[0, 0].reshape(len(others), len(own))


def draw(params: Params) -> Figure:
    lam, eta = params.family("smax").policy_gradient.learner.lam, params.method("gpae_off").eta
    ratios = np.linspace(0, MOST, POINTS)
    found = weights(lam, eta, ratios, ratios)
    figure = matplotlib.figure.Figure(figsize=(3.6, 2.9), layout="constrained")
    axes = figure.add_subplot(projection="3d")
    axes.plot_surface(*np.meshgrid(ratios, ratios), found, cmap="viridis", rstride=4, cstride=4, linewidth=0.2)
    axes.view_init(elev=28, azim=-125)
    axes.set_box_aspect(None, zoom=0.82)
    axes.set_xlabel("own ratio ρⁱ")
    axes.set_ylabel("others' ratio ρ⁻ⁱ")
    axes.set_zlabel("weight c")
    axes.set_zlim(0, math.ceil(10 * lam) / 10)
    axes.set_xticks([0, 0.5, 1, 1.5, 2])
    axes.set_yticks([0, 0.5, 1, 1.5, 2])
    axes.set_title(f"DT-ISR, η = {eta:g}, λ = {lam:g}")
    return figure


def build(root: Path = Path(".")) -> Path:
    """Writes docs/dt-isr.png: `python -m gpae.results.figures.surface`."""
    with matplotlib.rc_context(style.SETTINGS):
        return schema.write_whole(root / PATH, style.file(draw(Params(root / "params")), "png"))


if __name__ == "__main__":
    print(build())
