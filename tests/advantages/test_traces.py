"""Trace weights against numbers worked by hand, their bounds, order and limits, and their safety for huge ratios."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpae.advantages import traces

LAM = 0.5
# One step, three agents, four samples: columns are environments.
RATIO = jnp.array([[[0.5, 4.0, 0.25, 1.0], [2.0, 0.25, 0.5, 1.0], [2.0, 0.5, 0.5, 1.0]]])
ALL = [
    lambda x, lam: traces.dt(x, lam, 0.0),
    lambda x, lam: traces.dt(x, lam, 1.05),
    lambda x, lam: traces.dt(x, lam, jnp.inf),
    traces.st,
    traces.it,
    traces.none,
]

several = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def log_ratios(limit):
    return hnp.arrays(np.float32, (2, 3, 4), elements=st.floats(-limit, limit, width=32))


def test_double_truncation_worked_by_hand():
    # others' ratio: agent 0: 4, 1/8, 1/4, 1; agent 1: 1, 2, 1/8, 1; agent 2: 1, 1, 1/8, 1
    # limited to eta = 3/2 and multiplied by the own ratio: agent 0: 3/4, 1/2, 1/16, 1; agent 1: 2, 3/8, 1/16, 1;
    # agent 2: 2, 1/2, 1/16, 1
    expected = LAM * np.array([[[0.75, 0.5, 0.0625, 1], [1, 0.375, 0.0625, 1], [1, 0.5, 0.0625, 1]]])
    np.testing.assert_allclose(traces.dt(jnp.log(RATIO), LAM, 1.5), expected, rtol=1e-6)


def test_single_truncation_worked_by_hand():
    # joint ratios 2, 1/2, 1/16, 1
    expected = LAM * np.broadcast_to([1, 0.5, 0.0625, 1], (1, 3, 4))
    np.testing.assert_allclose(traces.st(jnp.log(RATIO), LAM), expected, rtol=1e-6)


def test_individual_truncation_worked_by_hand():
    expected = LAM * np.array([[[0.5, 1, 0.25, 1], [1, 0.25, 0.5, 1], [1, 0.5, 0.5, 1]]])
    np.testing.assert_allclose(traces.it(jnp.log(RATIO), LAM), expected, rtol=1e-6)


def test_the_own_ratio_without_truncation_worked_by_hand():
    np.testing.assert_allclose(traces.uncut(jnp.log(RATIO), LAM), LAM * RATIO, rtol=1e-6)
    # where no agent's ratio is above 1 there is nothing to truncate
    below = -jnp.abs(jnp.log(RATIO))
    np.testing.assert_array_equal(traces.uncut(below, LAM), traces.it(below, LAM))
    # an action that pi never takes
    assert traces.uncut(jnp.full((1, 1, 1), -jnp.inf), LAM) == 0


def test_no_correction_is_lambda():
    np.testing.assert_array_equal(traces.none(jnp.log(RATIO), LAM), np.full((1, 3, 4), LAM))


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0, 1.05, 4.0, np.inf])
def test_on_policy_every_trace_is_lambda(eta):
    same = jnp.zeros((3, 2, 4))
    for trace in (traces.st, traces.it, traces.uncut):
        np.testing.assert_array_equal(trace(same, LAM), np.full(same.shape, LAM))
    # Double truncation with eta < 1 shortens the trace on-policy too.
    np.testing.assert_allclose(traces.dt(same, LAM, eta), np.full(same.shape, LAM * min(1, eta)), rtol=1e-6)


@several
@given(log_ratios(20), st.floats(0, 4))
def test_closed_form(log_ratio, eta):
    """Eq. 8 multiplied out in float64; and min(1, rho^i min(eta, rho^-i)) = min(1, eta rho^i, rho)."""
    own = np.exp(log_ratio.astype(np.float64))
    joint = np.prod(own, axis=1, keepdims=True)
    expected = LAM * np.minimum(1, own * np.minimum(eta, joint / own))
    np.testing.assert_allclose(traces.dt(log_ratio, LAM, eta), expected, rtol=1e-4, atol=1e-30)
    np.testing.assert_allclose(np.minimum(LAM, LAM * np.minimum(eta * own, joint)), expected, rtol=1e-9, atol=1e-30)


@several
@given(log_ratios(20))
def test_limits_of_eta(log_ratio):
    """eta = infinity: single truncation; eta = 1: the smaller of the two single ones; eta = 0: nothing flows back."""
    single, individual = traces.st(log_ratio, LAM), traces.it(log_ratio, LAM)
    np.testing.assert_allclose(traces.dt(log_ratio, LAM, np.inf), single, rtol=1e-4)
    np.testing.assert_allclose(traces.dt(log_ratio, LAM, 1.0), jnp.minimum(single, individual), rtol=1e-4)
    np.testing.assert_array_equal(traces.dt(log_ratio, LAM, 0.0), np.zeros_like(log_ratio))


@several
@given(log_ratios(20), st.sampled_from([1.0, 1.05, 4.0]))
def test_where_double_truncation_is_the_individual_one(log_ratio, eta):
    """For eta >= 1 exactly where the others' ratio is 1, or the own and the joint ratio are both at least 1."""
    log_ratio = np.round(log_ratio)  # ties become common, and sums exact
    others = log_ratio.sum(1, keepdims=True) - log_ratio
    equal = (others == 0) | ((log_ratio >= 0) & (log_ratio + others >= 0))
    if eta == 1:  # then also wherever the others' ratio is at least 1
        equal |= others >= 0
    double, individual = traces.dt(log_ratio, LAM, eta), traces.it(log_ratio, LAM)
    # Elsewhere the two differ by at least the factor min(eta, e).
    np.testing.assert_array_equal(np.isclose(double, individual, rtol=1e-4, atol=0), equal)
    assert np.all(double <= np.asarray(traces.st(log_ratio, LAM)) * (1 + 1e-5))


@several
@given(log_ratios(1e6))
def test_weights_are_finite_and_between_zero_and_lambda(log_ratio):
    for trace in ALL:
        weight = np.asarray(trace(log_ratio, LAM))
        assert np.all((weight >= 0) & (weight <= LAM))
        assert weight.dtype == log_ratio.dtype and weight.shape == log_ratio.shape


def test_huge_ratios_beside_small_ones():
    log_ratio = jnp.array([1e9, -0.5, -0.5])[None, :, None]
    np.testing.assert_allclose(traces.dt(-log_ratio, LAM, jnp.inf)[0, 1:, 0], [0.0, 0.0])
    np.testing.assert_allclose(traces.dt(log_ratio, LAM, 2.0)[0, 1:, 0], LAM * np.ones(2))
    np.testing.assert_allclose(traces.dt(log_ratio, LAM, 1.0)[0, :, 0], LAM * np.array([1, *[np.exp(-0.5)] * 2]))


def test_an_action_that_the_policy_never_takes_cuts_the_trace():
    log_ratio = jnp.zeros((1, 3, 1)).at[0, 1].set(-jnp.inf)
    for eta in (0.0, 1.05, jnp.inf):
        np.testing.assert_array_equal(traces.dt(log_ratio, LAM, eta), np.zeros((1, 3, 1)))
    np.testing.assert_array_equal(traces.st(log_ratio, LAM), np.zeros((1, 3, 1)))
    np.testing.assert_array_equal(traces.it(log_ratio, LAM)[0, :, 0], [LAM, 0, LAM])


@pytest.mark.parametrize("trace", ALL)
def test_agents_are_alike(trace):
    """Renumbering the agents renumbers the weights, and one agent's double truncation is the individual one."""
    log_ratio = jax.random.normal(jax.random.PRNGKey(0), (5, 4, 6))
    order = jnp.array([2, 0, 3, 1])
    np.testing.assert_allclose(trace(log_ratio[:, order], LAM), trace(log_ratio, LAM)[:, order], rtol=1e-5)
    one = log_ratio[:, :1]
    np.testing.assert_array_equal(traces.dt(one, LAM, 1.05), traces.it(one, LAM))
    np.testing.assert_array_equal(traces.st(one, LAM), traces.it(one, LAM))
