"""A robot of Brax as its capsules and spheres, seen along parallel lines: each is exactly a thick line or a disc.

The planar robots are seen from their side, the others from a corner and a little above. The view follows the torso.
"""

from operator import itemgetter
from typing import NamedTuple

import jax
import mujoco
import numpy as np
from brax import envs
from brax.io import html as brax_html
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Polygon

from gpae.environments.mabrax import partition
from gpae.rendering.credit import COLOURS
from gpae.rendering.episode import Recording

_EXPLAINED = "numbers: the agents that move the links\nlink: green is credit, purple is blame"
_NEUTRAL = "0.75"  # of links that no agent moves
_GROUND = 12  # metres of it on each side
_ARC = np.linspace(-np.pi / 2, np.pi / 2, 17)
_AZIMUTH, _ELEVATION = np.radians(60), np.radians(18)  # of the view of robots that do not live in a plane


class Body(NamedTuple):
    """A robot's G capsules, spheres among them.

    link: int [G], the link that it is part of
    ends: float [G, 2, 3], its two ends in the link's frame, equal for a sphere
    radius: float [G]
    owner: int [L], the agent that moves a link, -1 for none
    names: of the links
    planar: whether it lives in the plane of x and z
    """

    link: np.ndarray
    ends: np.ndarray
    radius: np.ndarray
    owner: np.ndarray
    names: tuple[str, ...]
    planar: bool


def body(task: str) -> Body:
    """The robot of a task of MABrax."""
    parts = partition(task)
    system = envs.get_environment(parts.robot).sys
    model = system.mj_model
    shapes = (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_SPHERE)
    there = np.flatnonzero(np.isin(model.geom_type, shapes))
    half = np.where(model.geom_type[there] == shapes[0], model.geom_size[there, 1], 0.0)
    axis = _rotated(np.array([0.0, 0.0, 1.0]), model.geom_quat[there]) * half[:, None]
    owner = np.full(system.num_links(), -1)
    for agent, joints in enumerate(parts.actions):
        moved = model.jnt_bodyid[model.actuator_trnid[joints, 0]]
        owner[moved - 1] = agent  # body 0 is the world
    return Body(
        link=model.geom_bodyid[there] - 1,
        ends=model.geom_pos[there, None] + np.stack([-axis, axis], axis=1),
        radius=model.geom_size[there, 0],
        owner=owner,
        names=tuple(system.link_names),
        planar=system.link_types[0] != "f",
    )


def _rotated(vector: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    """vector: [..., 3]; quaternion: [..., 4], w first, of length 1."""
    w, axis = quaternion[..., :1], quaternion[..., 1:]
    cross = np.cross(axis, vector)
    return vector + 2 * (w * cross + np.cross(axis, cross))


def placed(robot: Body, position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The ends of the capsules in the world, [G, 2, 3]; position: [L, 3], rotation: [L, 4], of the links."""
    return position[robot.link, None] + _rotated(robot.ends, rotation[robot.link, None])


def camera(planar: bool) -> np.ndarray:
    """Rows: the directions to the right, up and away in the world."""
    azimuth, elevation = (np.pi / 2, 0.0) if planar else (_AZIMUTH, _ELEVATION)
    away = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), -np.sin(elevation)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    return np.stack([right, np.cross(right, away), away])


def stadium(start: np.ndarray, stop: np.ndarray, radius: float) -> np.ndarray:
    """The outline of a capsule's projection, [P, 2]; start, stop: [2], its ends as projected."""
    east, north = stop - start
    heading = np.arctan2(north, east)
    front, back = ((np.cos(heading + turn + _ARC), np.sin(heading + turn + _ARC)) for turn in (0.0, np.pi))
    return np.concatenate([stop + radius * np.stack(front, -1), start + radius * np.stack(back, -1)])


class Scene:
    """Draws the states of a recording as the robot on its ground."""

    def __init__(self, axes: Axes, recording: Recording, task: str, credit: np.ndarray, scale: Normalize):
        """credit: [T, N], what colours the links that an agent moves, in the state after each step"""
        self.axes, self.credit, self.scale = axes, credit, scale
        self.robot = body(task)
        links = recording.states.physics.x
        self.position, self.rotation = links.pos[:, 0], links.rot[:, 0]
        self.camera = camera(self.robot.planar)
        length = np.linalg.norm(np.diff(self.robot.ends, axis=1)[:, 0], axis=-1)
        parts = [np.flatnonzero(self.robot.link == link) for link in self.robot.link]
        self.numbered = {max(own, key=length.__getitem__) for own in parts}  # a link's longest part bears its number
        first = self._seen(0)[..., :2]
        low, high = first.min((0, 1)), first.max((0, 1))
        self.half = 0.55 * np.max(high - low) + 0.25
        self.middle = (low[1] + high[1]) / 2

    def _seen(self, step: int) -> np.ndarray:
        """[G, 2, (right, up, away)]"""
        return placed(self.robot, self.position[step], self.rotation[step]) @ self.camera.T

    def show(self, step: int) -> None:
        """The state after `step` steps."""
        axes, robot = self.axes, self.robot
        axes.clear()
        torso = self.position[step, 0]
        centre = (self.camera @ torso)[0]
        view = {"xlim": (centre - self.half, centre + self.half), "aspect": "equal"}
        axes.set(ylim=(self.middle - self.half, self.middle + self.half), xticks=[], yticks=[], **view)
        self._ground(torso)
        seen = self._seen(step)
        credit = self.credit[step - 1] if step else np.full(self.credit.shape[1], np.nan)
        for nearness, part in enumerate(np.argsort(-seen[..., 2].mean(axis=1), kind="stable")):
            agent = robot.owner[robot.link[part]]
            value = np.nan if agent < 0 else credit[agent]
            colour = _NEUTRAL if np.isnan(value) else COLOURS(self.scale(value))
            depth = 3 + nearness / 100
            look = {"facecolor": colour, "edgecolor": "0.15", "linewidth": 0.9, "zorder": depth}
            axes.add_patch(Polygon(stadium(*seen[part, :, :2], robot.radius[part]), gid=f"part {part}", **look))
            if agent >= 0 and part in self.numbered:
                disc = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "0.3", "linewidth": 0.5}
                x, y = seen[part, :, :2].mean(axis=0)
                axes.text(x, y, agent + 1, ha="center", va="center", fontsize=6.5, bbox=disc, zorder=depth + 0.005)
        axes.set_xlabel(_EXPLAINED)

    def _ground(self, torso: np.ndarray) -> None:
        """Metres along the way on the ground: marks below a line, or a grid, by which its movement is seen."""
        axes, across = self.axes, np.round(torso[:2])
        metres = np.arange(-_GROUND, _GROUND + 1)
        if self.robot.planar:
            low = self.middle - self.half
            axes.axhspan(low, 0, color="0.9", zorder=0)
            axes.axhline(0, color="0.3", linewidth=1.0, zorder=1)
            for x in across[0] + metres / 2:
                axes.plot([x, x], [0, 0.25 * low], color="0.3", linewidth=0.8, zorder=1)
                if abs(x - torso[0]) < 0.85 * self.half:
                    axes.text(x, 0.4 * low, f"{x:.1f} m", ha="center", va="top", fontsize=7, color="0.3")
            return
        ends = np.array([-_GROUND, _GROUND])
        for metre in metres:
            for own in (0, 1):
                line = np.zeros((2, 3))
                line[:, own], line[:, 1 - own] = across[own] + metre, across[1 - own] + ends
                x, y, _ = (line @ self.camera.T).T
                axes.plot(x, y, color="0.85", linewidth=0.8, zorder=0)

    def labels(self, step: int) -> list[tuple[str, str]]:
        """(an agent, the link that it moves where that is one and has a name)"""
        agents = range(self.credit.shape[1])
        links = [[self.robot.names[link] for link in np.flatnonzero(self.robot.owner == agent)] for agent in agents]
        return [(f"agent {i + 1}", f"({own[0]})" if len(own) == 1 and own[0] else "") for i, own in enumerate(links)]


def html(task: str, recording: Recording) -> bytes:
    """Brax's own page of the episode; its viewer comes from the network when the page is opened."""
    robot = envs.get_environment(partition(task).robot)
    physics = recording.states.physics
    states = [jax.tree.map(itemgetter((step, 0)), physics) for step in range(recording.steps + 1)]
    return brax_html.render(robot.sys.replace(dt=robot.dt), states, height="100vh", colab=False).encode()
