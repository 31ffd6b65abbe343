"""The learner's Adam, and what MACA's critic has beside it."""

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from gpae import plan
from gpae.algorithms import optimiser
from gpae.config import Params

PARAMS = Params(Path(__file__).parents[2] / "params")
LEARNER = plan.job(PARAMS, "smoke", "maca", "3m", (0,)).learner
PLAIN = {"critic_warmup": 0, "critic_weight_decay": 0.0, "critic_beta2": 0.999}


def stepped(descent, count: int, size=2.0) -> list[dict[str, np.ndarray]]:
    """What each of so many steps adds to parameters that stay where they are, of a gradient of ones."""
    params = {"matrix": jnp.full((2, 2), size), "bias": jnp.full(2, size)}
    gradients, state, found = {name: jnp.full_like(leaf, 0.1) for name, leaf in params.items()}, None, []
    state = descent.init(params)
    for _ in range(count):
        updates, state = descent.update(gradients, state, params)
        found.append({name: np.asarray(leaf) for name, leaf in updates.items()})
    return found


def test_the_critics_rate_rises_over_the_first_epochs():
    learner = replace(LEARNER, **(PLAIN | {"critic_warmup": 3}), minibatches=2)
    found = [step["bias"][0] for step in stepped(optimiser.critics(learner, 10, 20), 8)]
    shares = np.minimum(np.arange(1, 9) / 6, 1.0)  # three epochs of two steps
    np.testing.assert_allclose(found, -learner.learning_rate * shares, rtol=1e-3)
    actor = [step["bias"][0] for step in stepped(optimiser.actors(learner, 10, 20), 2)]
    np.testing.assert_allclose(actor, -learner.learning_rate, rtol=1e-3)


def test_only_the_critics_matrices_decay():
    decays = replace(LEARNER, **(PLAIN | {"critic_weight_decay": 0.5}))
    plain = replace(LEARNER, **PLAIN)
    (decayed,), (without,) = (stepped(optimiser.critics(learner, 10, 20), 1) for learner in (decays, plain))
    np.testing.assert_array_equal(decayed["bias"], without["bias"])
    np.testing.assert_allclose(decayed["matrix"] - without["matrix"], -LEARNER.learning_rate * 0.5 * 2.0, rtol=1e-3)


def test_the_critics_second_decay():
    """After one gradient and a step without: m / sqrt(v), both corrected for their beginning."""
    found = {}
    for beta2 in (0.95, 0.999):
        descent = optimiser.critics(replace(LEARNER, **(PLAIN | {"critic_beta2": beta2})), 10, 20)
        params = {"bias": jnp.zeros(1)}
        state = descent.init(params)
        for gradient in (0.1, 0.0):
            updates, state = descent.update({"bias": jnp.full(1, gradient)}, state, params)
        found[beta2] = float(updates["bias"][0])
        moments = 0.9 * 0.1 * 0.1 / (1 - 0.9**2), beta2 * (1 - beta2) * 0.01 / (1 - beta2**2)
        assert found[beta2] == pytest.approx(-LEARNER.learning_rate * moments[0] / moments[1] ** 0.5, rel=1e-3)
    assert found[0.95] != found[0.999]


def test_an_annealed_rate_falls_from_update_to_update():
    learner = replace(LEARNER, **PLAIN, anneal_learning_rate=True)
    found = [step["bias"][0] for step in stepped(optimiser.critics(learner, 4, 2), 8)]
    np.testing.assert_allclose(found, -learner.learning_rate * np.repeat([1, 0.75, 0.5, 0.25], 2), rtol=1e-3)
