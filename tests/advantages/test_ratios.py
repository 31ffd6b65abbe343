"""Distances of trace weights to the ratios (Eq. 9) against numbers worked by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from gpae.advantages import ratios, traces

# One step, two agents, two samples: ratios 1/2 and 2 of agent 0, 4 and 1/4 of agent 1; joint 2 and 1/2.
LOG_RATIO = jnp.log(jnp.array([[[0.5, 2.0], [4.0, 0.25]]]))
LAM = 0.8


def test_individual_truncation_worked_by_hand():
    # c / lambda = 1/2, 1; 1, 1/4
    #   to the individual ratio: 0, 1; 3, 0 -> mean 1;   to the joint ratio: 3/2, 1/2; 1, 1/4 -> mean 13/16
    trace = traces.it(LOG_RATIO, LAM)
    np.testing.assert_allclose(ratios.individual_distance(trace, LOG_RATIO, LAM), 1.0, rtol=1e-6)
    np.testing.assert_allclose(ratios.joint_distance(trace, LOG_RATIO, LAM), 13 / 16, rtol=1e-6)
    np.testing.assert_allclose(ratios.truncation_gap(trace, LOG_RATIO, LAM), -3 / 16, rtol=1e-5)


def test_single_truncation_worked_by_hand():
    # c / lambda = 1, 1/2 for both;  individual: 1/2, 3/2; 3, 1/4 -> 21/16;  joint: 1, 0; 1, 0 -> 1/2
    trace = traces.st(LOG_RATIO, LAM)
    np.testing.assert_allclose(ratios.individual_distance(trace, LOG_RATIO, LAM), 21 / 16, rtol=1e-6)
    np.testing.assert_allclose(ratios.joint_distance(trace, LOG_RATIO, LAM), 1 / 2, rtol=1e-6)


@pytest.mark.parametrize("weight, gap", [([[1.0, 0.0]], -1 / 4), ([[0.0, 2.0]], -1 / 8), ([[1.0, 3.0]], -5 / 32)])
def test_weights_choose_samples(weight, gap):
    # Individual truncation. Sample 0: joint (3/2 + 1) / 2, individual 3/2, gap -1/4; sample 1: 3/8 - 1/2 = -1/8.
    trace = traces.it(LOG_RATIO, LAM)
    np.testing.assert_allclose(ratios.truncation_gap(trace, LOG_RATIO, LAM, jnp.array(weight)), gap, rtol=1e-5)


def test_a_mask_is_a_weight():
    trace = traces.it(LOG_RATIO, LAM)
    mask = jnp.array([[False, True]])
    np.testing.assert_allclose(ratios.truncation_gap(trace, LOG_RATIO, LAM, mask), -1 / 8, rtol=1e-5)


def test_on_policy_both_distances_vanish():
    same = jnp.zeros((3, 2, 4))
    for trace in (traces.dt(same, LAM, 1.05), traces.st(same, LAM), traces.it(same, LAM), traces.none(same, LAM)):
        np.testing.assert_allclose(ratios.individual_distance(trace, same, LAM), 0, atol=1e-7)
        np.testing.assert_allclose(ratios.joint_distance(trace, same, LAM), 0, atol=1e-7)


def test_wrong_shapes_are_refused():
    trace = traces.it(LOG_RATIO, LAM)
    for function in (ratios.individual_distance, ratios.joint_distance, ratios.truncation_gap):
        with pytest.raises(AssertionError):
            function(trace, LOG_RATIO[:, :1], LAM)
        with pytest.raises(AssertionError):
            function(trace, LOG_RATIO, LAM, jnp.ones((1, 3)))
