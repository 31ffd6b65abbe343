"""Figure 6 of the MACA paper: where the agents are, and how much of each other is in what the critic knows of them."""

from functools import partial

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gpae.environments.smax import find
from gpae.plan import Job
from gpae.rendering.episode import Recording
from gpae.rendering.render import Source, record
from gpae.rendering.smax import units_of
from gpae.training.update import Trainer

_MOMENTS = (1 / 6, 1 / 2, 5 / 6)  # of the episode
_SIZE = (7.05, 4.6)
_MOST_NUMBERED = 6  # agents in a matrix


def places(job: Job, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """([T + 1, N, 2] coordinates of the agents, bool [T + 1, N] who lives)."""
    if job.task.family == "smax":
        units, allies = units_of(recording, find(job.environment["scenario"])), recording.action.shape[1]
        return np.stack([units.x, units.y], axis=-1)[:, :allies], units.health[:, :allies] > 0
    found = np.asarray(recording.states.particles.p_pos)[:, 0, : recording.action.shape[1]]
    return found, np.ones(found.shape[:2], bool)


def matrices(source: Source, recording: Recording) -> np.ndarray:
    """The attention rollout in every state of the recording, [T + 1, N, N]."""
    trainer = Trainer(source.job)
    params = source.networks(trainer)["critic"]

    @jax.jit
    def found(params, states):
        seen = jax.vmap(trainer.environment.view)(states).observation
        return trainer.algorithm.critic.attention(params, seen)

    return np.asarray(found(params, recording.states))[..., 0]


def _map(axes: Axes, here: np.ndarray, lives: np.ndarray) -> None:
    """A square around all agents."""
    for agent, (x, y) in enumerate(here):
        colour = "#0072B2" if lives[agent] else "0.75"
        axes.plot([x], [y], marker="o", markersize=11, color=colour, linestyle="none")
        axes.text(x, y, str(agent + 1), color="white", fontsize=7, ha="center", va="center_baseline")
    (left, low), (right, high) = here.min(0), here.max(0)
    half = 0.7 * max(right - left, high - low, 1e-3)
    centre = (left + right) / 2, (low + high) / 2
    limits = {name: (at - half, at + half) for name, at in zip(("xlim", "ylim"), centre, strict=True)}
    axes.set(aspect="equal", xlabel="x", **limits)


def _matrix(axes: Axes, shares: np.ndarray, most: float):
    """Row i: agent i's shares; the diagonal is left out of the colours, whose range it would fill alone."""
    others = np.where(np.eye(len(shares), dtype=bool), np.nan, shares)
    image = axes.imshow(others, vmin=0.0, vmax=most, cmap="viridis")
    names = [str(agent + 1) for agent in range(len(shares))]
    axes.set_xticks(range(len(shares)), names)
    axes.set_yticks(range(len(shares)), names)
    axes.grid(False)
    if len(shares) <= _MOST_NUMBERED:
        for (row, column), share in np.ndenumerate(shares):
            dark = row != column and share < most / 2
            colour = "white" if dark else "black"
            axes.text(column, row, f"{share:.2f}", ha="center", va="center", fontsize=6, color=colour)
    return image


def draw(source: Source) -> Figure:
    """Three moments of an episode of the greedy policy, each with the agents' places and the attention rollout."""
    recording = record(source, greedy=True)
    here, lives = places(source.job, recording)
    shares = matrices(source, recording)
    figure = Figure(figsize=_SIZE)
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, len(_MOMENTS))
    figure.subplots_adjust(left=0.08, right=0.9, bottom=0.07, top=0.84, hspace=0.4, wspace=0.3)
    off = ~np.eye(shares.shape[1], dtype=bool)
    matrix = partial(_matrix, most=float(shares[:, off].max()))
    for column, moment in enumerate(_MOMENTS):
        step = round(moment * recording.steps)
        _map(grid[0, column], here[step], lives[step])
        grid[0, column].set_title(f"step {step} of {recording.steps}")
        image = matrix(grid[1, column], shares[step])
    grid[0, 0].set_ylabel("y")
    grid[1, 0].set_ylabel("agent i")
    bar = figure.add_axes((0.92, 0.07, 0.015, 0.33))
    figure.colorbar(image, cax=bar)
    figure.text(0.02, 0.97, f"{source.job.task.label}  {source.title(greedy=True)}", fontsize=9, va="top")
    return figure
