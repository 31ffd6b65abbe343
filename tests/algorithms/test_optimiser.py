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
PLAIN = {
    "critic_warmup": 0,
    "critic_weight_decay": 0.0,
    "critic_beta2": 0.999,
    "critic_cosine": False,
    "critic_epsilon": None,
}


def stepped(descent, count: int, size=2.0) -> list[dict[str, np.ndarray]]:
    """What each of so many steps adds to parameters that stay where they are, of a gradient of ones."""
    params = {"matrix": jnp.full((2, 2), size), "bias": jnp.full(2, size), "input_bias": jnp.full((3, 2), size)}
    gradients, state, found = {name: jnp.full_like(leaf, 0.1) for name, leaf in params.items()}, None, []
    state = descent.init(params)
    for _ in range(count):
        updates, state = descent.update(gradients, state, params)
        found.append({name: np.asarray(leaf) for name, leaf in updates.items()})
    return found


def test_the_critics_rate_rises_over_the_first_updates():
    learner = replace(LEARNER, **(PLAIN | {"critic_warmup": 3}))
    found = [step["bias"][0] for step in stepped(optimiser.critics(learner, 10, 2), 8)]
    shares = np.repeat([1 / 3, 2 / 3, 1, 1], 2)  # two steps an update
    np.testing.assert_allclose(found, -learner.learning_rate * shares, rtol=1e-3)
    actor = [step["bias"][0] for step in stepped(optimiser.actors(learner, 10, 20), 2)]
    np.testing.assert_allclose(actor, -learner.learning_rate, rtol=1e-3)


def test_then_it_falls_along_a_cosine_to_a_tenth():
    """Two updates of warm-up, then four: 0.1 + 0.9 (1 + cos(pi k / 4)) / 2."""
    learner = replace(LEARNER, **(PLAIN | {"critic_warmup": 2, "critic_cosine": True}))
    found = [step["bias"][0] for step in stepped(optimiser.critics(learner, 6, 1), 6)]
    half = 2**0.5 / 2
    shares = [0.5, 1.0, *(0.1 + 0.45 * (1 + cosine) for cosine in (half, 0, -half, -1))]
    np.testing.assert_allclose(found, -learner.learning_rate * np.array(shares), rtol=1e-3)
    short = [step["bias"][0] for step in stepped(optimiser.critics(learner, 1, 1), 2)]  # no update after the warm-up
    np.testing.assert_allclose(short, -learner.learning_rate * np.array([0.5, 1.0]), rtol=1e-3)


def test_only_the_critics_matrices_decay():
    decays = replace(LEARNER, **(PLAIN | {"critic_weight_decay": 0.5}))
    plain = replace(LEARNER, **PLAIN)
    (decayed,), (without,) = (stepped(optimiser.critics(learner, 10, 20), 1) for learner in (decays, plain))
    np.testing.assert_array_equal(decayed["bias"], without["bias"])
    np.testing.assert_array_equal(decayed["input_bias"], without["input_bias"])
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
