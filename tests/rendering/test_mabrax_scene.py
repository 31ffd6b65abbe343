"""A robot's parts stand where MuJoCo has them, and belong to the agents that move them."""

import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from brax import envs, kinematics

from gpae.environments.mabrax import partition
from gpae.rendering.mabrax import body, camera, placed, stadium


def test_a_capsule_seen_along_parallel_lines_is_a_stadium():
    outline = stadium(np.array([0.0, 0.0]), np.array([3.0, 4.0]), 0.5)
    # every point is half a metre from the segment; the farthest are those beyond its ends
    along = np.clip(outline @ [0.6, 0.8], 0.0, 5.0)
    np.testing.assert_allclose(np.linalg.norm(outline - along[:, None] * [0.6, 0.8], axis=1), 0.5)
    reach = outline @ [0.6, 0.8]
    np.testing.assert_allclose([reach.min(), reach.max()], [-0.5, 5.5])


def test_cameras_look_along_y_at_planar_robots_and_from_above_at_others():
    np.testing.assert_allclose(camera(planar=True), [[1, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-12)
    view = camera(planar=False)
    np.testing.assert_allclose(view @ view.T, np.eye(3), atol=1e-12)
    assert view[0, 0] > 0.8 and view[1, 2] > 0.9 and view[2, 2] < 0


@pytest.mark.parametrize(
    ("task", "owner", "planar"),
    [
        ("hopper_3x1", [-1, 0, 1, 2], True),
        ("ant_4x2", [-1, 1, 1, 2, 2, 3, 3, 0, 0], False),  # Brax's first two motors are on the fourth leg
        # one moves what is above the hips, the other the legs
        pytest.param("humanoid_9_8", [-1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0], False, marks=pytest.mark.slow),
    ],
)
def test_parts_stand_where_mujoco_has_them(task, owner, planar):
    robot = body(task)
    assert robot.owner.tolist() == owner and robot.planar == planar
    system = envs.get_environment(partition(task).robot).sys
    rest = mujoco.MjData(system.mj_model)
    mujoco.mj_forward(system.mj_model, rest)
    links, _ = kinematics.forward(system, jnp.asarray(rest.qpos), jnp.zeros(system.qd_size()))
    ends = placed(robot, np.asarray(links.pos), np.asarray(links.rot))
    there = system.mj_model.geom_bodyid > 0  # all but the floor
    np.testing.assert_allclose(ends.mean(axis=1), rest.geom_xpos[there], atol=1e-5)
    axis = rest.geom_xmat[there].reshape(-1, 3, 3)[..., 2]
    capsule = system.mj_model.geom_type[there] == mujoco.mjtGeom.mjGEOM_CAPSULE
    length = np.where(capsule, 2 * system.mj_model.geom_size[there, 1], 0)
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], axis * length[:, None], atol=1e-5)
