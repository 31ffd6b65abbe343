"""Every agent's advantage as coloured bars over time: green is credit, purple is blame.

A judgement, one estimator's view of the episode, has two strips with a line an agent and a column a step, which fill as
the episode goes on: the advantage, and what is left of it without the team's mean, which is the agent's own part. The
own part is mostly small, so it has colours of a finer scale, the same for every estimator; the title says how small.
Beside a strip stand the bars of the last step.
"""

from collections.abc import Iterable

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import SubFigure

COLOURS = colormaps["PRGn"]
_NOTHING = "0.93"  # no step yet, or no choice
_MOST_LABELLED = 12  # agents in a strip
_CLIPPED = 0.95  # of the advantages lie within the colours' range: an episode's end would fill it alone


def own_part(advantage: np.ndarray, acts: np.ndarray) -> np.ndarray:
    """A^i - mean_j A^j over the agents that had a choice; arrays [T, N], NaN where an agent had none."""
    masked = np.where(acts, advantage, np.nan)
    number = np.maximum(acts.sum(axis=1, keepdims=True), 1)
    return masked - np.nansum(masked, axis=1, keepdims=True) / number


def scale(values: Iterable[np.ndarray]) -> Normalize:
    """The colours' range of several [T, N], symmetric around 0; NaN counts for nothing."""
    size = np.abs(np.concatenate([each.ravel() for each in values]))
    most = float(np.nanquantile(size, _CLIPPED))
    return Normalize(-most or -1.0, most or 1.0, clip=True)


class _Strip:
    """A strip of one quantity, [T, N] with NaN where nothing is to be shown, and the bars of its last step."""

    def __init__(self, now: Axes, strip: Axes, values: np.ndarray, scale: Normalize):
        self.values, self.scale, self.now = values, scale, now
        steps, agents = values.shape
        self.image = strip.imshow(
            np.full((agents, steps), np.nan),
            cmap=COLOURS.with_extremes(bad=_NOTHING),
            norm=scale,
            aspect="auto",
            interpolation="nearest",
            extent=(0, steps, agents + 0.5, 0.5),
        )
        self.cursor = strip.axvline(0, color="0.2", linewidth=0.8)
        places = np.arange(1, agents + 1)
        self.bars = now.barh(places, np.zeros(agents), height=0.72, edgecolor="0.3", linewidth=0.5)
        now.axvline(0, color="0.3", linewidth=0.6)
        now.set(xlim=(1.05 * scale.vmin, 1.05 * scale.vmax), ylim=(agents + 0.5, 0.5))
        for axes in (now, strip):
            axes.grid(False)
            axes.tick_params(length=2, pad=1.5)
            axes.set_yticks(places, [])
        strip.tick_params(left=False)
        now.set_xticks([scale.vmin, scale.vmax], [f"{scale.vmin:.2g}", f"+{scale.vmax:.2g}"])
        for label, side in zip(now.get_xticklabels(), ("left", "right"), strict=True):
            label.set_horizontalalignment(side)

    def show(self, step: int, labels: list[tuple[str, str]]) -> None:
        shown = np.where(np.arange(len(self.values))[:, None] < step, self.values, np.nan)
        self.image.set_data(shown.T)
        self.cursor.set_xdata([step, step])
        last = self.values[step - 1] if step else np.full(self.values.shape[1], np.nan)
        for bar, value in zip(self.bars, np.nan_to_num(last), strict=True):
            bar.set_width(np.clip(value, self.scale.vmin, self.scale.vmax))
            bar.set_facecolor(COLOURS(self.scale(value)))
        if len(labels) <= _MOST_LABELLED:
            self.now.set_yticklabels([" ".join(label) for label in labels])
        else:
            self.now.set_yticklabels([name if place % 4 == 0 else "" for place, (name, _) in enumerate(labels)])


class Credit:
    """The strips of every estimator, one above the other, in a figure of their own."""

    def __init__(self, figure: SubFigure, advantages: dict[str, np.ndarray], acts: np.ndarray):
        """advantages: {what it is: [T, N]}; acts: bool [T, N], where an agent has one"""
        whole = {name: np.where(acts, each, np.nan) for name, each in advantages.items()}
        own = {name: own_part(each, acts) for name, each in advantages.items()}
        coarse, fine = scale(whole.values()), scale(own.values())
        grid = figure.subplots(2 * len(advantages), 2, width_ratios=(1, 2.6), squeeze=False)
        figure.subplots_adjust(left=0.21, right=0.97, bottom=0.1, top=0.9, hspace=0.5, wspace=0.06)
        self.strips = []
        for line, name in enumerate(advantages):
            share = np.nanmean(np.abs(own[name])) / np.nanmean(np.abs(whole[name]))
            upper, lower = grid[2 * line], grid[2 * line + 1]
            upper[1].set_title(name, loc="left")
            lower[1].set_title(f"its difference from the team's mean ({share:.1%} of it)", loc="left")
            self.strips.append(_Strip(*upper, whole[name], coarse))
            self.strips.append(_Strip(*lower, own[name], fine))
        for axes in grid[:-1, 1]:
            axes.tick_params(labelbottom=False)
        grid[0, 0].set_title("last step", loc="left")
        grid[-1, 1].set_xlabel("step")
        figure.text(0.02, 0.02, "green: credit   purple: blame", fontsize=7, color="0.3")

    def show(self, step: int, labels: list[tuple[str, str]]) -> None:
        """labels: (an agent, what it did in the last step)"""
        for strip in self.strips:
            strip.show(step, labels)
