"""The count of operations, against counts by hand: a product of [M, K] and [K, N] is 2 M K N of them."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import products

X, W = jnp.ones((3, 4)), jnp.ones((4, 4))
ONE = 2 * 3 * 4 * 4


def test_a_product_its_gradient_and_one_of_many_at_once():
    assert products.operations(jnp.matmul, X, W) == ONE
    # the way back needs a product for each of the two
    assert products.operations(jax.grad(lambda x, w: (x @ w).sum(), argnums=(0, 1)), X, W) == 3 * ONE
    assert products.operations(jax.vmap(jnp.matmul, in_axes=(0, None)), jnp.ones((5, 3, 4)), W) == 5 * ONE
    assert products.operations(lambda x: x + 1, X) == 0


def test_bytes_of_what_a_product_reads_and_writes():
    assert products.traffic(jnp.matmul, X, W) == 4 * (3 * 4 + 4 * 4 + 3 * 4)
    assert products.traffic(lambda x: jax.lax.scan(lambda x, _: (x @ W, None), x, length=5)[0], X) == 5 * 4 * 40


def test_a_loop_counts_as_often_as_it_runs_and_a_choice_as_its_dearest_branch():
    def loop(x):
        return jax.lax.scan(lambda x, _: (jax.jit(jnp.matmul)(x, W), None), x, length=7)[0]

    def choice(x):
        return jax.lax.cond(x.sum() > 0, lambda x: x @ W @ W, lambda x: x, x)

    assert products.operations(loop, jax.ShapeDtypeStruct((3, 4), jnp.float32)) == 7 * ONE
    assert products.operations(choice, X) == 2 * ONE


def test_a_loop_of_unknown_length_counts_as_often_as_told_and_is_refused_else():
    def loop(x):
        return jax.lax.while_loop(lambda x: x.sum() > 0, lambda x: x @ W, x)

    assert products.operations(loop, X, turns=2.5) == 2.5 * ONE
    with pytest.raises(ValueError, match="unknown length"):
        products.operations(loop, X)
