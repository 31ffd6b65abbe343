import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax import envs

from gpae.environments.mabrax import MABrax, partition

# task: (robot, entries of its observation, the joints of each agent)
TASKS = {
    "ant_4x2": ("ant", 27, [[0, 1], [2, 3], [4, 5], [6, 7]]),
    "ant_8x1": ("ant", 27, [[joint] for joint in range(8)]),
    "halfcheetah_6x1": ("halfcheetah", 17, [[joint] for joint in range(6)]),
    "hopper_3x1": ("hopper", 11, [[0], [1], [2]]),
    "humanoid_9_8": ("humanoid", 244, [[0, 1, 2, *range(11, 17)], [*range(3, 11)]]),
    "walker2d_6x1": ("walker2d", 17, [[joint] for joint in range(6)]),
}
LIMIT = 12  # an idle hopper stands for longer, one with its motors at full power backwards falls before
STEPS = 20
BATCH = 3


@pytest.fixture(scope="module")
def hopper():
    """Hopper with a short limit, its jitted step, and a rollout with the actions that made it.

    Environment 0 idles, 1 is at full power backwards, 2 moves at random, in part outside [-1, 1].
    """
    environment = MABrax("hopper_3x1", episode_length=LIMIT)
    step = jax.jit(environment.step)
    random = 2 * jax.random.normal(jax.random.key(3), (STEPS, 3, BATCH, 1))
    actions = random.at[:, :, 0].set(0.0).at[:, :, 1].set(-1.0)
    state, view = jax.jit(environment.reset, static_argnums=1)(jax.random.PRNGKey(0), BATCH)
    states, views, steps = [state], [view], []
    for time, action in enumerate(actions):
        state, now = step(jax.random.PRNGKey(100 + time), state, action)
        states.append(state)
        views.append(now.view)
        steps.append(now)
    stack = lambda trees: jax.tree.map(lambda *leaves: np.stack(leaves), *trees)  # noqa: E731
    return environment, step, actions, states, stack(views), stack(steps)


@pytest.mark.parametrize("task", TASKS)
def test_indices_lie_within_the_robot_and_every_joint_has_one_owner(task):
    robot, size, joints = TASKS[task]
    named, observations, actions = partition(task)
    environment = MABrax(task)
    assert named == robot and environment.spec.name == task
    assert environment.spec.state_size == size
    assert environment.spec.observation_size == len(joints) + max(len(entries) for entries in observations)
    assert environment.spec.actions.size == max(len(own) for own in joints)
    assert len(environment.spec.agents) == len(observations) == len(joints)
    for entries in observations:
        assert (np.diff(entries) > 0).all() and entries[0] >= 0 and entries[-1] < size
    assert [list(own) for own in actions] == joints


def test_names():
    assert MABrax("humanoid_9|8").spec.name == "humanoid_9_8"
    with pytest.raises(ValueError, match="hopper_3x1"):
        partition("hopper_2x2")


def test_an_agent_sees_its_index_its_entries_and_zeros(hopper):
    environment, _, _, _, views, _ = hopper
    entries = [[0, 1, 2, 3, 5, 6, 7, 8], [0, 1, 2, 3, 4, 5, 6, 7, 9], [0, 1, 3, 4, 5, 6, 7, 10]]
    observation, state = views.observation, views.state
    assert observation.shape == (STEPS + 1, 3, BATCH, 12) and state.shape == (STEPS + 1, BATCH, 11)
    for agent, own in enumerate(entries):
        assert (observation[:, agent, :, :3] == np.eye(3)[agent]).all()
        np.testing.assert_array_equal(observation[:, agent, :, 3 : 3 + len(own)], state[:, :, own])
        np.testing.assert_array_equal(observation[:, agent, :, 3 + len(own) :], 0)
    assert views.available.shape == (STEPS + 1, 3, BATCH, 1) and views.available.all()


def test_each_agent_drives_its_joint_as_brax_does(hopper):
    _, _, actions, _, views, steps = hopper
    robot = envs.get_environment("hopper", backend="positional")
    reset, step = jax.jit(jax.vmap(robot.reset)), jax.jit(jax.vmap(robot.step))
    state = reset(jax.random.split(jax.random.PRNGKey(0), BATCH))
    np.testing.assert_allclose(views.state[0], state.obs, atol=1e-6)
    # in each environment, until its first episode ends
    running = np.ones(BATCH, bool)
    for time in range(LIMIT):
        torque = jnp.stack([actions[time, agent, :, 0] for agent in range(3)], axis=1)
        state = step(state, torque)
        np.testing.assert_allclose(steps.reward[time][running], state.reward[running], rtol=1e-5, atol=1e-5)
        running &= ~steps.done[time]
        np.testing.assert_allclose(views.state[time + 1][running], state.obs[running], rtol=1e-5, atol=1e-5)
        assert (state.done[running] == 0).all()
    assert not running.any()


def test_an_episode_ends_with_a_fall_or_at_the_limit(hopper):
    _, _, _, _, _, steps = hopper
    ends = [np.flatnonzero(steps.done[:, environment]) for environment in range(BATCH)]
    assert ends[0][0] == LIMIT - 1
    assert ends[1][0] < LIMIT - 1
    assert steps.truncated[LIMIT - 1, 0] and not steps.truncated[ends[1][0], 1]
    assert not (steps.truncated & ~steps.done).any()
    np.testing.assert_array_equal(steps.agent_done, np.broadcast_to(steps.done[:, None], steps.agent_done.shape))


def test_the_tally_is_of_one_episode(hopper):
    _, _, _, _, _, steps = hopper
    for environment in range(BATCH):
        first = 0
        for end in np.flatnonzero(steps.done[:, environment]):
            assert steps.episode.length[end, environment] == end + 1 - first
            np.testing.assert_allclose(
                steps.episode.return_[end, environment], steps.reward[first : end + 1, environment].sum(), rtol=1e-5
            )
            first = end + 1
    assert not steps.episode.won.any()


def test_a_new_episode_starts_from_a_new_draw(hopper):
    _, _, _, _, views, steps = hopper
    starts = [views.state[0, 0], views.state[0, 1]]
    for time, environment in np.argwhere(steps.done):
        starts.append(views.state[time + 1, environment])
        # Hopper's first height is 1.25 m; each coordinate is drawn from within 5e-3 of rest
        assert abs(starts[-1][0] - 1.25) < 0.02 and np.abs(starts[-1][1:]).max() < 0.02
    assert len(starts) > 3 and len({tuple(start) for start in starts}) == len(starts)


def test_what_lies_outside_the_motors_range_only_costs(hopper):
    """The motors do no more with 5 than with 1; Brax's hopper charges 0.001 a squared unit."""
    _, step, _, states, _, _ = hopper
    key, far = jax.random.PRNGKey(7), jnp.full((3, BATCH, 1), 5.0, jnp.float32)
    wide, full = step(key, states[2], far)[1], step(key, states[2], far / 5)[1]
    np.testing.assert_array_equal(wide.view.state, full.view.state)
    np.testing.assert_allclose(full.reward - wide.reward, 0.001 * 3 * (25 - 1), rtol=1e-4)


def test_reset_and_step_carry_the_same_types(hopper):
    environment, _, actions, states, _, _ = hopper
    before, first = jax.eval_shape(lambda key: environment.reset(key, BATCH), jax.random.PRNGKey(0))
    after, now = jax.eval_shape(environment.step, jax.random.PRNGKey(0), states[0], actions[0])
    assert jax.tree.structure(before) == jax.tree.structure(after)
    for old, new in zip(jax.tree.leaves((before, first)), jax.tree.leaves((after, now.view)), strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype) and not old.weak_type and not new.weak_type


@pytest.mark.slow
@pytest.mark.parametrize("task", [task for task in TASKS if task != "hopper_3x1"])
def test_every_task_steps_as_brax_does(task):
    name, _, joints = TASKS[task]
    environment = MABrax(task)
    action = jax.random.uniform(jax.random.PRNGKey(1), (len(joints), 2, environment.spec.actions.size), minval=-1)
    torque = np.zeros((2, sum(len(own) for own in joints)), np.float32)
    for agent, own in enumerate(joints):
        torque[:, own] = action[agent, :, : len(own)]
    robot = envs.get_environment(name, backend="positional")
    state, _ = jax.jit(environment.reset, static_argnums=1)(jax.random.PRNGKey(0), 2)
    direct = jax.jit(jax.vmap(robot.reset))(jax.random.split(jax.random.PRNGKey(0), 2))
    step = jax.jit(environment.step)
    _, now = step(jax.random.PRNGKey(2), state, action)
    direct = jax.jit(jax.vmap(robot.step))(direct, torque)
    np.testing.assert_allclose(now.view.state, direct.obs, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(now.reward, direct.reward, rtol=1e-3, atol=1e-3)

    for agent, entries in enumerate(partition(task).observations):
        index, own, rest = np.split(now.view.observation[agent], [len(joints), len(joints) + len(entries)], axis=-1)
        np.testing.assert_array_equal(index, np.broadcast_to(np.eye(len(joints))[agent], index.shape))
        np.testing.assert_array_equal(own, now.view.state[:, entries])
        np.testing.assert_array_equal(rest, 0)
        np.testing.assert_array_equal(now.view.available[agent].sum(-1), len(joints[agent]))

    # what is not available has no effect
    _, other = step(jax.random.PRNGKey(2), state, jnp.where(now.view.available, action, -action))
    jax.tree.map(np.testing.assert_array_equal, now, other)
