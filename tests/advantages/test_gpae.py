"""Per-agent advantages and value targets against numbers worked by hand, and against Eq. 7's double sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpae.advantages import gae, gpae, traces

# Three steps, two agents, two environments with the same numbers; gamma = 1/2. Everything is a binary fraction, so
# that the results are exact.
#                       agent 0          agent 1
#   reward r_0, r_1, r_2 = 1, 2, 4 for both
#   EQ  (t = 0, 1, 2)   2, 4, 8          0, 2, -4
#   bootstrap           16               6
#   trace               -, 1/2, 1/4      -, 1, 1/2
REWARD = jnp.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
VALUE = jnp.repeat(jnp.array([[2.0, 0.0], [4.0, 2.0], [8.0, -4.0]])[:, :, None], 2, axis=2)
BOOTSTRAP = jnp.array([[16.0, 16.0], [6.0, 6.0]])
TRACE = jnp.repeat(jnp.array([[1.0, 1.0], [0.5, 1.0], [0.25, 0.5]])[:, :, None], 2, axis=2)
# Environment 0 goes on, environment 1 ends its episode with step 1.
DONE = jnp.array([[False, False], [False, True], [False, False]])


def test_worked_by_hand():
    advantage = gpae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, TRACE, 0.5)
    # Environment 0, agent 0: delta = 1 + 4/2 - 2, 2 + 8/2 - 4, 4 + 16/2 - 8 = 1, 2, 4
    #   A_2 = 4,  A_1 = 2 + 1/2 * 1/4 * 4 = 2.5,  A_0 = 1 + 1/2 * 1/2 * 2.5 = 1.625
    np.testing.assert_array_equal(advantage[:, 0, 0], [1.625, 2.5, 4.0])
    # Agent 1: delta = 1 + 2/2 - 0, 2 - 4/2 - 2, 4 + 6/2 + 4 = 2, -2, 11
    #   A_2 = 11,  A_1 = -2 + 1/2 * 1/2 * 11 = 0.75,  A_0 = 2 + 1/2 * 1 * 0.75 = 2.375
    np.testing.assert_array_equal(advantage[:, 1, 0], [2.375, 0.75, 11.0])


def test_nothing_flows_back_over_the_end_of_an_episode():
    advantage = gpae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, TRACE, 0.5)
    # Environment 1, agent 0: delta_1 = 2 - 4 = -2, without what follows; the last step is the next episode's first.
    #   A_1 = -2,  A_0 = 1 + 1/2 * 1/2 * -2 = 0.5
    np.testing.assert_array_equal(advantage[:, 0, 1], [0.5, -2.0, 4.0])
    # Agent 1: delta_1 = 2 - 2 = 0,  A_0 = 2 + 1/2 * 1 * 0 = 2
    np.testing.assert_array_equal(advantage[:, 1, 1], [2.0, 0.0, 11.0])


def test_end_at_the_last_step_drops_the_bootstrap():
    advantage = gpae.advantage(REWARD, DONE.at[2].set(True), VALUE, BOOTSTRAP, TRACE, 0.5)
    np.testing.assert_array_equal(advantage[2], [[4.0 - 8.0] * 2, [4.0 + 4.0] * 2])


def test_a_time_limit_leaves_the_last_steps_own_value_for_its_return():
    truncated = gpae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, TRACE, 0.5, truncated=DONE)
    # Environment 1: the last step's delta is 0, and so is its advantage.
    #   Agent 0: A_0 = 1 + 4/2 - 2 = 1.  Agent 1: A_0 = 1 + 2/2 - 0 = 2
    np.testing.assert_array_equal(truncated[:, 0, 1], [1.0, 0.0, 4.0])
    np.testing.assert_array_equal(truncated[:, 1, 1], [2.0, 0.0, 11.0])
    np.testing.assert_array_equal(truncated[..., 0], gpae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, TRACE, 0.5)[..., 0])


def test_first_trace_weight_is_not_used():
    expected = gpae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, TRACE, 0.5)
    other = gpae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, TRACE.at[0].set(-7.0), 0.5)
    np.testing.assert_array_equal(other, expected)


def test_with_traces_from_ratios():
    # lambda = 1/2; ratios at t = 1 and 2: agent 0: 1/2, 4;  agent 1: 4, 1/2. Environment 0.
    ratio = jnp.array([[1.0, 1.0], [0.5, 4.0], [4.0, 0.5]])[:, :, None]
    first = (REWARD[:, :1], DONE[:, :1], VALUE[:, :, :1], BOOTSTRAP[:, :1])
    # DT, eta = 3/2. t = 1: c^0 = 1/2 * 1/2 * 3/2 = 3/8, both truncations apart; c^1 = 1/2 * min(1, 4 * 1/2) = 1/2
    #                t = 2: c^0 = 1/2 * min(1, 4 * 1/2) = 1/2;                    c^1 = 1/2 * 1/2 * 3/2 = 3/8
    #   agent 0: A_1 = 2 + 1/2 * 1/2 * 4 = 3,            A_0 = 1 + 1/2 * 3/8 * 3 = 1.5625
    #   agent 1: A_1 = -2 + 1/2 * 3/8 * 11 = 0.0625,     A_0 = 2 + 1/2 * 1/2 * 0.0625 = 2.015625
    advantage = gpae.advantage(*first, traces.dt(jnp.log(ratio), 0.5, 1.5), 0.5)
    np.testing.assert_allclose(advantage[:, :, 0], [[1.5625, 2.015625], [3.0, 0.0625], [4.0, 11.0]], rtol=1e-6)
    # IT: c^0 = 1/4, 1/2 and c^1 = 1/2, 1/4.
    #   agent 0: A_1 = 3, A_0 = 1 + 1/2 * 1/4 * 3 = 1.375;  agent 1: A_1 = -2 + 1/8 * 11 = -0.625, A_0 = 1.84375
    advantage = gpae.advantage(*first, traces.it(jnp.log(ratio), 0.5), 0.5)
    np.testing.assert_allclose(advantage[:, :, 0], [[1.375, 1.84375], [3.0, -0.625], [4.0, 11.0]], rtol=1e-6)
    # ST: the joint ratio is 2 at both, so c = 1/2 everywhere.
    #   agent 0: A_1 = 3, A_0 = 1.75;  agent 1: A_1 = -2 + 1/4 * 11 = 0.75, A_0 = 2 + 1/4 * 0.75 = 2.1875
    advantage = gpae.advantage(*first, traces.st(jnp.log(ratio), 0.5), 0.5)
    np.testing.assert_allclose(advantage[:, :, 0], [[1.75, 2.1875], [3.0, 0.75], [4.0, 11.0]], rtol=1e-6)


def test_value_target_worked_by_hand():
    # Ratios 1/2, 1 and 4: EQ + 1/2 A, EQ + A, and truncated EQ + A; the other agent the other way round.
    ratio = jnp.array([[0.5, 4.0], [1.0, 1.0], [4.0, 0.5]])[:, :, None]
    advantage = jnp.array([[2.0, -3.0], [6.0, 5.0], [-4.0, 8.0]])[:, :, None]
    target = gpae.value_target(advantage, VALUE[:, :, :1], jnp.log(ratio))
    np.testing.assert_allclose(target[:, :, 0], [[3.0, -3.0], [10.0, 7.0], [4.0, 0.0]], rtol=1e-6)


def test_value_target_is_finite_for_any_ratio():
    log_ratio = jnp.array([-1e30, -200.0, 200.0, 1e30])[:, None, None]
    target = gpae.value_target(jnp.full((4, 1, 1), 2.0), jnp.ones((4, 1, 1)), log_ratio)
    np.testing.assert_array_equal(target.ravel(), [1.0, 1.0, 3.0, 3.0])


def draw(seed, steps, agents, environments):
    rng = np.random.default_rng(seed)
    value = rng.normal(size=(steps + 1, agents, environments)).astype(np.float32)
    reward = rng.normal(size=(steps, environments)).astype(np.float32)
    done = rng.random((steps, environments)) < 0.3
    log_ratio = rng.normal(size=(steps, agents, environments)).astype(np.float32)
    return reward, done, value, log_ratio


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_equals_the_double_sum(seed, gamma, lam):
    """Eq. 7 as it is printed, in float64: sum over l of gamma^(l - t) (prod c_j, j = t + 1 .. l) delta_l."""
    reward, done, value, log_ratio = draw(seed, 6, 3, 5)
    trace = np.asarray(traces.dt(log_ratio, lam, 1.05))
    discount = gamma * (1.0 - done)[:, None]
    delta = reward[:, None] + discount * value[1:].astype(np.float64) - value[:-1]
    expected = np.zeros_like(delta)
    for t in range(6):
        weight = np.ones_like(delta[0])
        for later in range(t, 6):
            expected[t] += weight * delta[later]
            if later < 5:
                weight = weight * discount[later] * trace[later + 1]
    np.testing.assert_allclose(
        gpae.advantage(reward, done, value[:-1], value[-1], trace, gamma), expected, rtol=2e-5, atol=2e-5
    )


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("steps, environments", [(1, 1), (2, 3), (17, 1), (128, 33)])
@pytest.mark.parametrize("gamma, lam", [(0.99, 0.95), (0.9, 1.0), (1.0, 0.3), (0.97, 0.0)])
def test_with_one_agent_equals_gae_to_the_last_bit(steps, environments, gamma, lam, compiled):
    reward, done, value, log_ratio = draw(steps + environments, steps, 1, environments)
    wrap = jax.jit if compiled else lambda function: function
    many = wrap(lambda *a: gpae.advantage(*a, traces.none(log_ratio, lam), gamma))
    one = wrap(lambda *a: gae.advantage(*a, gamma, lam))
    result = many(reward, done, value[:-1], value[-1])[:, 0]
    np.testing.assert_array_equal(result, one(reward, done, value[:-1, 0], value[-1, 0]))
    assert np.any(np.asarray(result) != 0)


@pytest.mark.parametrize("missing", range(5))
def test_wrong_shapes_are_refused(missing):
    arguments = [REWARD, DONE, VALUE, BOOTSTRAP, TRACE]
    arguments[missing] = arguments[missing][:-1]
    with pytest.raises(AssertionError):
        gpae.advantage(*arguments, 0.5)
