"""Every form of the input layer against flax's LayerNorm and Dense on the input written out."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.networks import input_layer
from gpae.networks.input_layer import InputLayer

TIME, AGENTS, BATCH, WIDTH = 3, 4, 5, 6
RNG = np.random.default_rng(0)


def reference(params, x, layer_norm):
    """flax on [..., F]."""
    p = params["params"]
    if layer_norm:
        x = nn.LayerNorm().apply({"params": {"scale": p["scale"], "bias": p["shift"]}}, x)
    return nn.Dense(WIDTH).apply({"params": {"kernel": p["kernel"], "bias": p["bias"]}}, x)


def with_ids(state):
    """[T, B, S] -> [T, N, B, S + N]."""
    rows = [
        np.concatenate([state, np.broadcast_to(np.eye(AGENTS)[i], (TIME, BATCH, AGENTS))], -1) for i in range(AGENTS)
    ]
    return np.stack(rows, 1)


def exchanged(actions, own):
    """[T, N, B, N * A]: for agent i all agents' entries in order, its own from `own`."""
    rows = []
    for i in range(AGENTS):
        parts = [own[:, j] if j == i else actions[:, j] for j in range(AGENTS)]
        rows.append(np.concatenate(parts, -1))
    return np.stack(rows, 1)


STATE = RNG.normal(3, 5, (TIME, BATCH, 7)).astype(np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, (TIME, AGENTS, BATCH))]
CHANCES = RNG.dirichlet(np.ones(3), (TIME, AGENTS, BATCH)).astype(np.float32)
REAL, MEANS = RNG.normal(size=(2, TIME, AGENTS, BATCH, 3)).astype(np.float32)
CASES = {
    "own": (7, "__call__", (with_ids(STATE)[..., :7],), with_ids(STATE)[..., :7]),
    "id": (7 + AGENTS, "with_id", (STATE, AGENTS), with_ids(STATE)),
    "one-hot": (3 * AGENTS, "exchanged", (ONE_HOT, CHANCES), exchanged(ONE_HOT, CHANCES)),
    "continuous": (3 * AGENTS, "exchanged", (REAL, MEANS), exchanged(REAL, MEANS)),
}


@pytest.mark.parametrize("few", [0, input_layer.FEW], ids=["in parts", "whole"])
@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_flaxs(case, layer_norm, few, monkeypatch):
    monkeypatch.setattr(input_layer, "FEW", few)
    features, method, arguments, written_out = CASES[case]
    layer = InputLayer(features, WIDTH, layer_norm)
    params = layer.init(jax.random.PRNGKey(0), *arguments, method=method)
    params = jax.tree.map(lambda leaf: leaf + 0.3 * RNG.normal(size=leaf.shape).astype(np.float32), params)
    towards = RNG.normal(size=(TIME, AGENTS, BATCH, WIDTH)).astype(np.float32)

    def ours(params):
        return layer.apply(params, *arguments, method=method)

    def theirs(params):
        return reference(params, jnp.asarray(written_out, jnp.float32), layer_norm)

    np.testing.assert_allclose(ours(params), theirs(params), atol=2e-5)
    mine, other = (jax.grad(lambda p, f=f: jnp.sum(f(p) * towards))(params) for f in (ours, theirs))
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)
