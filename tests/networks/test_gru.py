"""The GRU and its hand-written gradient against flax's cell, in float64, where only a mistake makes a difference."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.networks.gru import GRU, Weights, chunk_steps, gru


@pytest.fixture(autouse=True)
def double_precision():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def as_flax(weights: Weights):
    names = "rzn"
    cell = {f"i{n}": {"kernel": weights.input[k], "bias": weights.input_bias[k]} for k, n in enumerate(names)}
    cell |= {f"h{n}": {"kernel": weights.recurrent[k]} for k, n in enumerate(names)}
    cell["hn"]["bias"] = weights.recurrent_bias
    return {"params": cell}


def flax_sequence(weights, hidden, x, keep):
    cell, after = nn.GRUCell(hidden.shape[-1], param_dtype=jnp.float64), []
    for step in range(len(x)):
        hidden, _ = cell.apply(as_flax(weights), hidden * keep[step][:, None], x[step])
        after.append(hidden)
    return jnp.stack(after)


def drawn(time=7, rows=5, features=3, width=4):
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape))  # noqa: E731
    weights = Weights(draw(3, features, width), draw(3, width), draw(3, width, width), draw(width))
    keep = jnp.asarray(rng.random((time, rows)) < 0.7, jnp.float64)
    return weights, draw(rows, width), draw(time, rows, features), keep


def test_states_are_those_of_flax():
    arguments = drawn()
    np.testing.assert_allclose(gru(*arguments), flax_sequence(*arguments), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("time", "chunk"), [(7, 7), (36, 12), (17, 1)])
def test_gradients_are_those_of_flax(time, chunk):
    assert chunk_steps(time) == chunk
    weights, hidden, x, keep = drawn(time)
    pull = jnp.asarray(np.random.default_rng(1).normal(size=(time, 5, 4)))

    def pulled(sequence):
        return lambda weights, hidden, x: jnp.sum(pull * sequence(weights, hidden, x, keep))

    ours = jax.grad(pulled(gru), argnums=(0, 1, 2))(weights, hidden, x)
    theirs = jax.grad(pulled(flax_sequence), argnums=(0, 1, 2))(weights, hidden, x)
    for mine, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-10)


def test_an_episode_begins_with_an_empty_state():
    module = GRU(4)
    rng = np.random.default_rng(2)
    x, hidden = jnp.asarray(rng.normal(size=(3, 2, 1, 5))), jnp.asarray(rng.normal(size=(2, 1, 4)))
    params = module.init(jax.random.PRNGKey(0), hidden, x, jnp.zeros((3, 1), bool))
    begins = jnp.asarray([[False], [True], [False]])
    after = module.apply(params, hidden, x, begins)
    fresh = module.apply(params, jnp.zeros_like(hidden), x[1:], jnp.zeros((2, 1), bool))
    np.testing.assert_allclose(after[1:], fresh, rtol=1e-12)


def test_weights_begin_as_those_of_flax():
    """Same distributions: orthogonal recurrent matrices, input entries of variance 1 / fan-in, biases 0."""
    x = jnp.zeros((1, 1, 1, 64))
    params = GRU(64).init(jax.random.PRNGKey(3), jnp.zeros((1, 1, 64)), x, jnp.ones((1, 1), bool))["params"]
    for matrix in params["recurrent"]:
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(64), atol=1e-5)
    assert abs(float(np.var(params["input"])) * 64 - 1) < 0.1
    assert not np.any(params["input_bias"]) and not np.any(params["recurrent_bias"])


def test_torchs_unit_by_its_equations():
    """r, z = sigmoid(W_i x + b_i + W_h h + b_h), n = tanh(W_in x + b_in + r (W_hn h + b_hn)); h = 0 where it begins."""
    rng = np.random.default_rng(0)
    x, begins = rng.normal(size=(5, 2, 3, 4)), rng.random((5, 3)) < 0.3
    unit, hidden = GRU(6, torch=True), rng.normal(size=(2, 3, 6))
    made = unit.init(jax.random.PRNGKey(0), hidden, x, begins)["params"]
    assert {name: leaf.shape for name, leaf in made.items()} == {
        "input": (3, 4, 6),
        "input_bias": (3, 6),
        "recurrent": (3, 6, 6),
        "recurrent_bias": (3, 6),
    }
    whole = np.concatenate(np.swapaxes(made["recurrent"], 1, 2))  # torch's [3 H, H]
    np.testing.assert_allclose(whole.T @ whole, np.eye(6), atol=1e-6)
    params = {name: jnp.asarray(rng.normal(size=leaf.shape)) for name, leaf in made.items()}
    found = unit.apply({"params": params}, *map(jnp.asarray, (hidden, x, begins)))
    for step in range(5):
        hidden = np.where(begins[step][:, None], 0.0, hidden)
        of_x = [x[step] @ params["input"][k] + params["input_bias"][k] for k in range(3)]
        of_h = [hidden @ params["recurrent"][k] + params["recurrent_bias"][k] for k in range(3)]
        r, z = (1 / (1 + np.exp(-of_x[k] - of_h[k])) for k in range(2))
        n = np.tanh(of_x[2] + r * of_h[2])
        hidden = (1 - z) * n + z * hidden
        np.testing.assert_allclose(found[step], hidden, rtol=1e-10)
