"""A hand-made state of SMAX: marks stand where units stand, and shots are drawn where the rules let weapons hit."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gpae.environments.smax import find
from gpae.environments.smax.rules import MOVES, Units, attributes, fight
from gpae.rendering.credit import scale
from gpae.rendering.smax import ALLY, ENEMY, Scene, shots, units_of

# allies 0, 1, 2 and enemies 3, 4, 5, all marines with a range of 5; enemies count the allies from the last
BEFORE = Units(
    x=np.array([10.0, 10.0, 10.0, 14.0, 14.0, 30.0], np.float32),
    y=np.array([10.0, 14.0, 18.0, 10.0, 14.0, 18.0], np.float32),
    health=np.array([45.0, 45.0, 0.0, 45.0, 9.0, 45.0], np.float32),
    cooldown=np.array([0.0, 0.3, -1.0, -0.2, 0.6, 0.0], np.float32),
    action=np.full(6, 4, np.int32),
    unit_type=np.zeros(6, np.int32),
)
# ally 0 at enemy 3, in range; ally 1 at enemy 4, ready after five substeps; the dead ally 2 at enemy 3;
# enemy 3 at ally 0; enemy 4 at ally 1, not ready within the step; enemy 5 at ally 0, out of range
ACTION = np.array([MOVES, MOVES + 1, MOVES, MOVES + 2, MOVES + 1, MOVES + 2], np.int32)


@pytest.fixture(scope="module")
def after():
    one = Units(*(jnp.asarray(leaf)[:, None] for leaf in BEFORE))
    delay = jnp.zeros((6, 1))
    fought = fight(one, attributes(one.unit_type), ACTION[:, None], delay, allies=3, walls_cause_death=True)
    return Units(*(np.asarray(leaf)[:, 0] for leaf in fought))


@pytest.fixture(scope="module")
def scene(after):
    figure = Figure()
    FigureCanvasAgg(figure)
    states = SimpleNamespace(units=Units(*(np.stack(pair)[..., None] for pair in zip(BEFORE, after, strict=True))))
    acts, replaced = np.array([[True, True, False]]), np.array([[False, False, False]])
    recording = SimpleNamespace(states=states, acts=acts, replaced=replaced)
    credit = np.array([[1.0, -1.0, np.nan]])
    return Scene(figure.subplots(), recording, find("3m"), credit, scale([credit]))


def named(scene, prefix):
    return {child.get_gid(): child for child in scene.axes.get_children() if (child.get_gid() or "").startswith(prefix)}


def test_units_have_the_scenarios_types():
    nothing = np.zeros((2, 10, 1))  # a state of a scenario with fixed types need not hold them
    recording = SimpleNamespace(states=SimpleNamespace(units=Units(*[nothing] * 6)))
    assert units_of(recording, find("2s3z")).unit_type.tolist() == [[2, 2, 3, 3, 3] * 2] * 2  # stalkers, zealots
    assert (units_of(recording, find("smacv2_5_units")).unit_type == 0).all()


def test_shots_are_what_the_rules_let_hit(after):
    assert shots(BEFORE, after, 3) == [(0, 3), (1, 4), (3, 0)]
    assert (BEFORE.health - after.health).tolist() == [9, 0, 0, 9, 9, 0]


def test_marks_stand_where_the_units_are(scene, after):
    for step, units in enumerate((BEFORE, after)):
        scene.show(step)
        marks = named(scene, "unit")
        for unit in range(6):
            mark = marks[f"unit {unit}"]
            assert mark.get_xydata().tolist() == [[units.x[unit], units.y[unit]]]
            assert mark.get_marker() == "o" and mark.get_markeredgecolor() in ("white", ALLY, ENEMY)
            assert (mark.get_alpha() is None) == (units.health[unit] > 0)
            if units.health[unit] > 0:
                assert mark.get_color() == (ALLY if unit < 3 else ENEMY)
    assert after.health[4] == 0 and scene.axes.get_xlim()[0] < 10 < 30 < scene.axes.get_xlim()[1]


def test_arrows_go_from_shooters_to_targets(scene, after):
    scene.show(0)
    assert not named(scene, "shot")
    scene.show(1)
    arrows = named(scene, "shot")
    assert set(arrows) == {"shot 0 3", "shot 1 4", "shot 3 0"}
    for name, arrow in arrows.items():
        shooter, target = map(int, name.split()[1:])
        assert np.hypot(arrow.xyann[0] - after.x[shooter], arrow.xyann[1] - after.y[shooter]) < 0.5
        assert np.hypot(arrow.xy[0] - after.x[target], arrow.xy[1] - after.y[target]) < 0.5


def test_what_an_ally_did_is_said(scene):
    assert scene.labels(0) == [("ally 1", ""), ("ally 2", ""), ("ally 3", "")]
    assert scene.labels(1) == [("ally 1", "shoots 1"), ("ally 2", "shoots 2"), ("ally 3", "is dead")]


def test_halos_have_the_advantages_colours(scene):
    scene.show(1)
    halos = [line for line in scene.axes.get_lines() if line.get_zorder() == 2 and not line.get_gid()]
    assert len(halos) == 2  # the dead ally has none
    credit, blame = (line.get_color() for line in halos)
    assert credit[1] > max(credit[0], credit[2]) and blame[1] < min(blame[0], blame[2])  # green and purple
