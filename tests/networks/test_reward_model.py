"""DAE's reward model: exchanging one agent's action is the same as asking anew."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.config import Network
from gpae.environments.base import Discrete, Spec
from gpae.networks.reward_model import RewardModel

SPEC = Spec("made", ("a", "b", "c"), 5, 7, Discrete(4), 10, False)


@pytest.mark.parametrize("layer_norm", [True, False])
def test_exchanged_actions_against_a_loop(layer_norm):
    model = RewardModel(SPEC, Network(width=8, layers=2, recurrent=False, layer_norm=layer_norm))
    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    state = jax.random.normal(keys[0], (2, 6, 7))
    actions = jax.nn.one_hot(jax.random.randint(keys[1], (2, 3, 6), 0, 4), 4)
    params = model.init(keys[2], state, actions)
    own = jnp.broadcast_to(jnp.eye(4)[:, None, None, None], (4, 1, 3, 1, 4))
    found = model.apply(params, state, actions, own, method=RewardModel.exchanged)
    assert found.shape == (4, 2, 3, 6)
    for action in range(4):
        for agent in range(3):
            exchanged = actions.at[:, agent].set(jnp.eye(4)[action])
            expected = model.apply(params, state, exchanged)
            np.testing.assert_allclose(found[action, :, agent], expected, atol=1e-5)
    assert np.ptp(np.asarray(found), axis=0).min() > 1e-4  # the action matters, else the test says nothing
