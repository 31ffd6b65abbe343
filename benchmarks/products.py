"""The matrix products of a program: how many operations they are, and what they would take at best."""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np


def operations(function: Callable, *arguments, turns: float | None = None) -> float:
    """Floating-point operations of a call's matrix products, two an entry and row; nothing runs.

    arguments: arrays or their shapes; turns: of every loop whose length is known only when it runs, in the mean
    Raises ValueError for a product in such a loop where `turns` is not given.
    """
    import jax

    return _count(jax.make_jaxpr(function)(*arguments).jaxpr, turns)


def chunks(window, frozen) -> float:
    """The turns of the loops of `gpae.networks.ragged` in a policy's epoch over this batch, mean of its tiles."""
    from gpae.algorithms.choosing import rows_of
    from gpae.networks.gru import divisor
    from gpae.networks.ragged import CHUNK_STEPS

    size = divisor(len(window.reward), CHUNK_STEPS)
    return float(np.ceil(np.asarray(rows_of(window, frozen, 1).steps) / size).mean())


def _count(jaxpr, turns: float | None) -> float:
    total = 0
    for equation in jaxpr.eqns:
        name, settings = equation.primitive.name, equation.params
        if name == "dot_general":
            (contracted, _), _ = settings["dimension_numbers"]
            length = math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            total += 2 * length * equation.outvars[0].aval.size
            continue
        parts = [_count(inner, turns) for inner in _inner(settings)]
        if name == "while" and any(parts):
            if turns is None:
                raise ValueError("a matrix product in a loop of unknown length")
            total += turns * sum(parts)
            continue
        total += settings["length"] * sum(parts) if name == "scan" else max(parts, default=0)
    return total


def _inner(settings: dict) -> Iterator:
    """The programs of an equation: one, or the branches of a choice."""
    for value in settings.values():
        for found in value if isinstance(value, list | tuple) else [value]:
            if hasattr(found, "eqns"):
                yield found
            elif hasattr(found, "jaxpr"):
                yield found.jaxpr


def rate(repeats: int) -> float:
    """Operations a processor second of one large float32 product."""
    import jax
    import jax.numpy as jnp

    x, y = jnp.ones((8192, 1024)), jnp.ones((1024, 1024))
    product = jax.jit(jnp.matmul)
    return operations(product, x, y) / float(np.median(seconds(lambda: product(x, y), repeats)))


def seconds(function: Callable, repeats: int) -> list[float]:
    """Processor seconds of each call, compilation not counted."""
    import jax

    jax.block_until_ready(function())
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        jax.block_until_ready(function())
        taken.append(time.process_time() - began)
    return taken
