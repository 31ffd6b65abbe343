"""GAE against numbers worked by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from gpae.advantages import gae

REWARD = jnp.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
VALUE = jnp.array([[2.0, 2.0], [4.0, 4.0], [8.0, 8.0]])
BOOTSTRAP = jnp.array([16.0, 16.0])
# Environment 0 goes on, environment 1 ends its episode with step 1.
DONE = jnp.array([[False, False], [False, True], [False, False]])


def test_worked_by_hand():
    # gamma = 1/2, lambda = 1/4. Environment 0: delta = 1 + 4/2 - 2, 2 + 8/2 - 4, 4 + 16/2 - 8 = 1, 2, 4
    #   A_2 = 4,  A_1 = 2 + 1/8 * 4 = 2.5,  A_0 = 1 + 1/8 * 2.5 = 1.3125
    # Environment 1: delta_1 = 2 - 4 = -2;  A_2 = 4,  A_1 = -2,  A_0 = 1 + 1/8 * -2 = 0.75
    advantage = gae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, 0.5, 0.25)
    np.testing.assert_array_equal(advantage, [[1.3125, 0.75], [2.5, -2.0], [4.0, 4.0]])


def test_lambda_one_is_the_return_minus_the_value():
    # Environment 0: returns 4 + 16/2 = 12, 2 + 12/2 = 8, 1 + 8/2 = 5; environment 1: 12, 2, 1 + 2/2 = 2
    advantage = gae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, 0.5, 1.0)
    np.testing.assert_array_equal(advantage, [[5 - 2, 2 - 2], [8 - 4, 2 - 4], [12 - 8, 12 - 8]])


def test_lambda_zero_is_the_temporal_difference():
    advantage = gae.advantage(REWARD, DONE, VALUE, BOOTSTRAP, 0.5, 0.0)
    np.testing.assert_array_equal(advantage, [[1, 1], [2, -2], [4, 4]])


@pytest.mark.parametrize("missing", range(4))
def test_wrong_shapes_are_refused(missing):
    arguments = [REWARD, DONE, VALUE, BOOTSTRAP]
    arguments[missing] = arguments[missing][:-1]
    with pytest.raises(AssertionError):
        gae.advantage(*arguments, 0.5, 0.25)
