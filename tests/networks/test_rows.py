"""Products and sums in the form that is fastest are the plain ones, and so are their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.networks.rows import LANES, by_rows, narrow, row_sums


def test_rows_by_hand():
    x = jnp.asarray([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    assert row_sums(x).tolist() == [[[6.0], [15.0]]]
    assert by_rows(x, jnp.asarray([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])).tolist() == [[[4.0, -1.0], [10.0, -1.0]]]
    assert narrow(x, jnp.asarray([[1.0], [0.0], [2.0]])).tolist() == [[[7.0], [16.0]]]


@pytest.mark.parametrize("size", [1, LANES - 1, LANES, 2 * LANES + 3])
def test_a_row_sum_leaves_no_entry_out(size):
    rows = np.random.default_rng(0).normal(size=(2, 5, size)).astype(np.float32)
    np.testing.assert_allclose(row_sums(jnp.asarray(rows))[..., 0], rows.astype(np.float64).sum(-1), atol=1e-5)


@pytest.mark.parametrize("columns", [1, 2, 11])
def test_a_narrow_product_and_its_gradient(columns):
    rng = np.random.default_rng(1)
    x, kernel, weight = (
        jnp.asarray(rng.normal(size=size), jnp.float32) for size in ((3, 4, 37), (37, columns), (3, 4, columns))
    )

    def both(product):
        def loss(x, kernel):
            out = product(x, kernel)
            return jnp.sum(weight * out**2), out

        return jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(x, kernel)

    for found, wanted in zip(*(jax.tree.leaves(both(product)) for product in (narrow, jnp.matmul)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
