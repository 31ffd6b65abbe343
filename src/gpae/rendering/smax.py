"""A state of SMAX as marks on a map: who stands where, who shot whom in the last step, who is blamed for it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from gpae.environments.smax.rules import MAP_SIZE, MOVES, SUBSTEP_TIME, SUBSTEPS, TABLE, Attributes, Units
from gpae.environments.smax.scenarios import UNIT_TYPES, Scenario
from gpae.rendering.credit import COLOURS
from gpae.rendering.episode import Recording

MARKS = dict(zip(UNIT_TYPES, ("o", "s", "D", "^", "v", "h"), strict=True))
ALLY, ENEMY = "#0072B2", "#D55E00"
_MARGIN = 1.5  # map units
_SLOWNESS = 2  # steps
_GRID = 2.0  # map units
_EXPLAINED = "arrow: a shot of the last step   bars: health, cooldown\nhalo: green is credit, purple is blame"
_SMALLEST_VIEW = 9.0
_SMALLEST_MARK = 13.0  # points
_MOVES = ("goes north", "goes east", "goes south", "goes west", "stops")


def units_of(recording: Recording, scenario: Scenario) -> Units:
    """The units of a recording, leaves [T + 1, U]; their types as the scenario has them where it fixes them."""
    units = Units(*(np.asarray(leaf)[..., 0] for leaf in recording.states.units))
    if scenario.mix:
        return units
    types = np.array([UNIT_TYPES.index(unit) for unit in scenario.allies + scenario.enemies])
    return units._replace(unit_type=np.broadcast_to(types, units.x.shape))


def shots(before: Units, after: Units, allies: int) -> list[tuple[int, int]]:
    """(shooter, target), as places among the units, of every weapon that fired in a step.

    A cooldown falls by 1/16 a substep and rises by a shot alone, which the rules grant to a living unit, ready and in
    range of a living opponent. A unit shoots once a step at most, at the opponent that its action names.

    before, after: leaves [U], the state that a step started from and the one that it led to
    """
    fired = after.cooldown - before.cooldown > -SUBSTEPS * SUBSTEP_TIME / 2  # without a shot it is the whole of it
    opponent = after.action - MOVES
    target = np.where(np.arange(len(fired)) < allies, allies + opponent, allies - 1 - opponent)
    return [(int(unit), int(target[unit])) for unit in np.flatnonzero(fired)]


class Scene:
    """Draws the states of a recording on a map."""

    def __init__(self, axes: Axes, recording: Recording, scenario: Scenario, credit: np.ndarray, scale: Normalize):
        """credit: [T, N], what colours an ally's halo in the state after each step; NaN where it has none"""
        self.axes, self.recording, self.credit, self.scale = axes, recording, credit, scale
        self.units, self.allies = units_of(recording, scenario), len(scenario.allies)
        side = min(axes.bbox.width, axes.bbox.height) * 72 / axes.figure.dpi
        self.views = self._views()
        self.points = (self.views[:, 1] - self.views[:, 0]) / side  # [T + 1], of the page, in map units

    def _views(self) -> np.ndarray:
        """[T + 1, (left, right, bottom, top)]: squares around the living of a few steps, for a camera that is slow."""
        alive, squares = self.units.health > 0, []
        for step in range(len(alive)):
            near = slice(max(step - _SLOWNESS, 0), step + _SLOWNESS + 1)
            x, y = self.units.x[near][alive[near]], self.units.y[near][alive[near]]
            half = max(np.ptp(x) / 2, np.ptp(y) / 2, _SMALLEST_VIEW / 2 - _MARGIN) + _MARGIN
            east, north = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
            squares.append((east - half, east + half, north - half, north + half))
        return np.array(squares)

    def _at(self, step: int) -> Units:
        return Units(*(leaf[step] for leaf in self.units))

    def _shots(self, step: int) -> list[tuple[int, int]]:
        return shots(self._at(step - 1), self._at(step), self.allies)

    def show(self, step: int) -> None:
        """The state after `step` steps, with the shots of the last of them."""
        axes, units, view = self.axes, self._at(step), self.views[step]
        self.point = self.points[step]
        axes.clear()
        axes.set(xlim=view[:2], ylim=view[2:], aspect="equal", xticks=[], yticks=[], facecolor="0.86")
        for place in np.arange(0, MAP_SIZE, _GRID):
            axes.axhline(place, color="0.95", linewidth=0.6, zorder=0.5)
            axes.axvline(place, color="0.95", linewidth=0.6, zorder=0.5)
        axes.add_patch(
            Rectangle((0, 0), MAP_SIZE, MAP_SIZE, facecolor="white", edgecolor="0.3", linewidth=1.5, zorder=0)
        )
        if step:
            self._halos(units, self.credit[step - 1])
            for shooter, target in self._shots(step):
                self._line(units, shooter, target)
        for unit in range(len(units.x)):
            self._mark(units, unit)
            if units.health[unit] > 0:
                self._bars(units, unit)
        axes.set_xlabel(_EXPLAINED)
        low = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.08)}
        axes.legend(handles=self._legend(), ncols=4, frameon=False, handletextpad=0, columnspacing=1, **low)

    def _colour(self, unit: int) -> str:
        return ALLY if unit < self.allies else ENEMY

    def _size(self, units: Units, unit: int) -> float:
        """The mark's diameter in points: the unit's own where it is large enough to be read."""
        return max(2 * TABLE.radius[units.unit_type[unit]] / self.point, _SMALLEST_MARK)

    def _mark(self, units: Units, unit: int) -> None:
        """Its type's shape, its team's colour, its number; of the dead a faded outline."""
        size, colour = self._size(units, unit), self._colour(unit)
        if units.health[unit] > 0:
            look = {"color": colour, "markeredgecolor": "white", "markeredgewidth": 0.6, "zorder": 4}
            text = {"color": "white", "zorder": 5}
        else:
            look = {"color": "none", "markeredgecolor": colour, "alpha": 0.35, "zorder": 1}
            text = {"color": colour, "alpha": 0.5, "zorder": 1}
        mark = {"marker": MARKS[UNIT_TYPES[units.unit_type[unit]]], "markersize": size, "linestyle": "none"}
        x, y = units.x[unit], units.y[unit]
        number = unit + 1 if unit < self.allies else unit - self.allies + 1
        self.axes.plot([x], [y], gid=f"unit {unit}", **mark, **look)
        self.axes.text(x, y, number, ha="center", va="center_baseline", fontsize=0.55 * size, clip_on=True, **text)

    def _halos(self, units: Units, credit: np.ndarray) -> None:
        """A halo around each living ally, of its advantage's colour."""
        for ally in np.flatnonzero(np.isfinite(credit) & (units.health[: self.allies] > 0)):
            look = {"color": COLOURS(self.scale(credit[ally])), "markeredgecolor": "0.6", "markeredgewidth": 0.5}
            size = 1.9 * self._size(units, ally)
            self.axes.plot([units.x[ally]], [units.y[ally]], marker="o", markersize=size, zorder=2, **look)

    def _line(self, units: Units, shooter: int, target: int) -> None:
        """From shooter to target, a little to the right of the way, where the answer does not hide it."""
        x, y = units.x[[shooter, target]], units.y[[shooter, target]]
        east, north = np.diff(x)[0], np.diff(y)[0]
        aside = 2.2 * self.point / (np.hypot(east, north) + 1e-6)
        x, y = x + aside * north, y - aside * east
        aim = {"arrowstyle": "-|>", "color": self._colour(shooter), "linewidth": 1.6, "shrinkA": 4, "shrinkB": 4}
        line = {"xy": (x[1], y[1]), "xytext": (x[0], y[0]), "annotation_clip": True, "zorder": 6}
        self.axes.annotate("", arrowprops=aim, gid=f"shot {shooter} {target}", **line)

    def _bars(self, units: Units, unit: int) -> None:
        """Above the living, what is left of health, in the team's colour, and under it, dark, of the cooldown."""
        kind = Attributes(*(column[units.unit_type[unit]] for column in TABLE))
        half = 8 * self.point
        above = units.y[unit] + (self._size(units, unit) / 2 + 6) * self.point
        for share, thickness, up, colour in (
            (1.0, 3.0, 0, "0.82"),
            (units.health[unit] / kind.health, 3.0, 0, self._colour(unit)),
            (np.clip(units.cooldown[unit] / kind.cooldown, 0, 1), 1.6, -2.6, "0.2"),
        ):
            left, y = units.x[unit] - half, above + up * self.point
            look = {"color": colour, "linewidth": thickness, "solid_capstyle": "butt", "zorder": 3.5, "marker": ""}
            self.axes.plot([left, left + 2 * half * share], [y, y], **look)

    def _legend(self) -> list[Line2D]:
        """Handles: the teams, and the types of unit that are there."""
        there = sorted(set(self.units.unit_type.ravel()))
        plain = {"linestyle": "none", "markersize": 6}
        teams = [Line2D([], [], marker="s", color=c, label=n, **plain) for c, n in ((ALLY, "ally"), (ENEMY, "enemy"))]
        kinds = [Line2D([], [], marker=MARKS[UNIT_TYPES[i]], color="0.45", label=UNIT_TYPES[i], **plain) for i in there]
        return teams + kinds

    def labels(self, step: int) -> list[tuple[str, str]]:
        """(an ally, what it did in the last of `step` steps)"""
        return [(f"ally {ally + 1}", self._doing(step, ally) if step else "") for ally in range(self.allies)]

    def _doing(self, step: int, ally: int) -> str:
        action = int(self.units.action[step, ally])
        if not self.recording.acts[step - 1, ally]:
            return "is dead"
        if self.recording.replaced[step - 1, ally]:
            return "is stopped"
        if action < MOVES:
            return _MOVES[action]
        hit = any(ally == shooter for shooter, _ in self._shots(step))
        return f"{'shoots' if hit else 'aims at'} {action - MOVES + 1}"
