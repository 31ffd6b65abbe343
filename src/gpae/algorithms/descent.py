"""The gradient steps of an update on one network: epochs over what the update holds fixed.

The gradient is added up over tiles of environments, because on a CPU a tile's activations stay in the cache; the sum is
the same.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gpae.algorithms.window import ENVIRONMENT_AXIS, Frozen, Window, frozen_axes, tiles

# Agents x environments of a tile: their activations fit the cache. docs/performance.md compares 16 to 640.
CPU_TILE_ROWS = 64

Metrics = dict[str, jax.Array]
# (parameters, window, frozen, samples) -> (a sum over the window's samples / samples, metrics made alike)
Loss = Callable[[Any, Window, Frozen, jax.Array], tuple[jax.Array, Metrics]]


class Tiling(NamedTuple):
    """How a batch is gone through.

    cut: ((window, frozen), minibatches of environments) -> tiles, leaves [minibatch, tile, ...]
    gradient: (parameters, a tile, samples) -> ((a sum over the tile's samples / samples, metrics made alike), gradient)
    """

    cut: Callable[[tuple[Window, Frozen], int], Any]
    gradient: Callable[[Any, Any, jax.Array], tuple[tuple[jax.Array, Metrics], Any]]


class Trained(NamedTuple):
    """Parameters of one network with its optimiser's state."""

    params: Any
    optimiser: Any


def tile_count(agents: int, environments: int) -> int:
    """Tiles of a minibatch: one on an accelerator, small ones on a CPU."""
    if jax.default_backend() != "cpu":
        return 1
    most = max(1, CPU_TILE_ROWS // agents)
    size = max(size for size in range(1, most + 1) if environments % size == 0)
    return environments // size


def by_environments(loss: Loss) -> Tiling:
    """Tiles of whole environments."""

    def cut(batch, minibatches):
        window, frozen = batch
        _, agents, environments = window.log_prob.shape
        count = tile_count(agents, environments // minibatches)
        parts = tiles(batch, (ENVIRONMENT_AXIS, frozen_axes(frozen)), minibatches * count)
        return jax.tree.map(lambda leaf: leaf.reshape(minibatches, count, *leaf.shape[1:]), parts)

    gradient = jax.value_and_grad(loss, has_aux=True)
    return Tiling(cut, lambda params, tile, samples: gradient(params, *tile, samples))


def _step(tiling: Tiling, optimiser, trained: Trained, batch, samples) -> tuple[Trained, Metrics]:
    """One gradient step; batch: with a leading tile axis."""
    gradient = tiling.gradient
    first = jax.tree.map(lambda leaf: leaf[0], batch)
    shapes = jax.eval_shape(lambda tile: gradient(trained.params, tile, samples), first)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def add(total, tile):
        return jax.tree.map(jnp.add, total, gradient(trained.params, tile, samples)), None

    ((_, metrics), gradients), _ = jax.lax.scan(add, zeros, batch)
    updates, state = optimiser.update(gradients, trained.optimiser, trained.params)
    stepped = Trained(optax.apply_updates(trained.params, updates), state)
    return stepped, metrics | {"gradient_norm": optax.global_norm(gradients)}


def descend(
    tiling: Tiling,
    optimiser: optax.GradientTransformation,
    trained: Trained,
    key: jax.Array,
    batch: tuple[Window, Frozen],
    epochs: int,
    minibatches: int,
) -> tuple[Trained, Metrics]:
    """`epochs` times through the batch, in `minibatches` of environments; also the mean of what the steps saw."""
    window, frozen = batch
    _, agents, environments = window.log_prob.shape
    axes = (ENVIRONMENT_AXIS, frozen_axes(frozen))
    samples = jnp.sum(frozen.weight) * agents / minibatches
    if frozen.active is not None:
        samples = jnp.maximum(jnp.sum(frozen.active * frozen.weight), 1.0) / minibatches

    whole = tiling.cut(batch, 1) if minibatches == 1 else None

    def shuffled(key):
        order = jax.random.permutation(key, environments)
        taken = jax.tree.map(lambda leaf, axis: jnp.take(leaf, order, axis=axis), batch, axes)
        return tiling.cut(taken, minibatches)

    def step(trained, batch):
        return _step(tiling, optimiser, trained, batch, samples)

    def epoch(trained, key):
        return jax.lax.scan(step, trained, shuffled(key) if whole is None else whole)

    trained, seen = jax.lax.scan(epoch, trained, jax.random.split(key, epochs))
    return trained, jax.tree.map(jnp.mean, seen)
