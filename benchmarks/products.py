"""The matrix products of a program: how many operations and bytes they are, and what they would take at best."""

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

    return _sum(_operations, jax.make_jaxpr(function)(*arguments).jaxpr, turns)


def traffic(function: Callable, *arguments, turns: float | None = None) -> float:
    """Bytes that a call's matrix products read and write, were each by itself; as `operations`."""
    import jax

    return _sum(_traffic, jax.make_jaxpr(function)(*arguments).jaxpr, turns)


def chunks(window, frozen) -> float:
    """The turns of the loops of `gpae.networks.ragged` in a policy's epoch over this batch, mean of its tiles."""
    from gpae.algorithms.choosing import rows_of
    from gpae.networks.gru import divisor
    from gpae.networks.ragged import CHUNK_STEPS

    size = divisor(len(window.reward), CHUNK_STEPS)
    return float(np.ceil(np.asarray(rows_of(window, frozen, 1).steps) / size).mean())


def _operations(product) -> int:
    (contracted, _), _ = product.params["dimension_numbers"]
    length = math.prod(product.invars[0].aval.shape[axis] for axis in contracted)
    return 2 * length * product.outvars[0].aval.size


def _traffic(product) -> int:
    arrays = [each.aval for each in (*product.invars, *product.outvars)]
    return sum(array.size * array.dtype.itemsize for array in arrays)


def _sum(of_product: Callable, jaxpr, turns: float | None) -> float:
    total = 0
    for equation in jaxpr.eqns:
        name, settings = equation.primitive.name, equation.params
        if name == "dot_general":
            total += of_product(equation)
            continue
        parts = [_sum(of_product, inner, turns) for inner in _inner(settings)]
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
    """Operations a second of one large float32 product."""
    import jax
    import jax.numpy as jnp

    x, y = jnp.ones((8192, 1024)), jnp.ones((1024, 1024))
    product = jax.jit(jnp.matmul)
    return operations(product, x, y) / float(np.median(seconds(lambda: product(x, y), repeats)))


def copy_rate(repeats: int) -> float:
    """Bytes a second that are read and written where one large float32 array is copied."""
    import jax
    import jax.numpy as jnp

    x = jnp.ones(2**26)
    copied = jax.jit(jnp.negative)
    return 2 * x.nbytes / float(np.median(seconds(lambda: copied(x), repeats)))


def seconds(function: Callable, repeats: int) -> list[float]:
    """Seconds of each call, compilation not counted: of the processor; on an accelerator, by the clock."""
    import jax

    clock = time.process_time if jax.default_backend() == "cpu" else time.perf_counter
    jax.block_until_ready(function())
    taken = []
    for _ in range(repeats):
        began = clock()
        jax.block_until_ready(function())
        taken.append(clock() - began)
    return taken
