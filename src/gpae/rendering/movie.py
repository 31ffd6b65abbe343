"""A recording as a moving picture: the scene on the left, whose credit it is on the right."""

import io
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gpae.rendering.credit import Credit
from gpae.rendering.episode import Recording

_SIZE, _DPI = (9.6, 5.0), 100
_LAST_MILLISECONDS = 2000  # on the end, before the film begins again
_COLOURS = 255


class Scene(Protocol):
    """Draws on axes of its own."""

    def show(self, step: int) -> None:
        """The state after `step` steps, and what the marks mean."""

    def labels(self, step: int) -> list[tuple[str, str]]:
        """(an agent, what it did in the last of `step` steps)"""


class Stage:
    """The figure of which every frame of a recording is made."""

    def __init__(self, recording: Recording, title: str, scene: Callable[[Axes], Scene]):
        """scene: makes the scene on the axes that it is given"""
        self.recording, self.title = recording, title
        self.figure = Figure(figsize=_SIZE, dpi=_DPI)
        FigureCanvasAgg(self.figure)
        left, right = self.figure.subfigures(1, 2, width_ratios=(1, 1.12))
        axes = left.subplots()
        left.subplots_adjust(left=0.03, right=0.99, bottom=0.16, top=0.88)
        self.scene = scene(axes)
        self.credit = Credit(right, recording.advantages, recording.acts)
        self.heading = left.text(0.03, 0.965, "", fontsize=9, va="top", linespacing=1.4)

    def show(self, step: int) -> None:
        """The state after `step` steps."""
        recording = self.recording
        self.scene.show(step)
        self.credit.show(step, self.scene.labels(step))
        end = {None: "over", True: "won", False: "lost"}[recording.won] if step == recording.steps else ""
        score = f"step {step} of {recording.steps}   return {recording.reward[:step].sum():.2f}   {end}"
        self.heading.set_text(f"{self.title}\n{score}")

    def image(self, step: int) -> Image.Image:
        self.show(step)
        self.figure.canvas.draw()
        return Image.fromarray(np.asarray(self.figure.canvas.buffer_rgba())[..., :3])


def gif(stage: Stage, steps: Sequence[int], milliseconds: int) -> bytes:
    """An animated GIF, a frame for each of `steps`; the same bytes for the same frames.

    All frames share the colours of the last, which has all there are.
    """
    frames = [stage.image(step) for step in steps]
    palette = frames[-1].quantize(_COLOURS, dither=Image.Dither.NONE)
    first, *rest = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    sink = io.BytesIO()
    durations = [milliseconds] * len(rest) + [_LAST_MILLISECONDS]
    first.save(sink, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False)
    return sink.getvalue()
