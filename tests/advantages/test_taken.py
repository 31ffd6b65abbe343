"""The value of the action taken, against a gather."""

import jax
import jax.numpy as jnp
import numpy as np

from gpae.advantages.taken import taken


def test_it_is_a_gather_to_the_bit_and_so_is_its_gradient():
    rng = np.random.default_rng(0)
    values = jnp.asarray(rng.normal(size=(4, 3, 2, 7)) * 1e3, jnp.float32).at[0, 0, 0, 1].set(-jnp.inf)
    action = jnp.asarray(rng.integers(7, size=(4, 3, 2)), jnp.int32).at[0, 0, 0].set(2)

    def gathered(values):
        return jnp.take_along_axis(values, action[..., None], axis=-1)[..., 0]

    np.testing.assert_array_equal(taken(values, action), gathered(values))
    gradients = [
        jax.grad(lambda x, of=of: jnp.sin(of(x)).sum())(values) for of in (lambda x: taken(x, action), gathered)
    ]
    np.testing.assert_array_equal(*gradients)


def test_samples_in_front_share_the_action():
    values = jnp.arange(12.0).reshape(2, 3, 2)
    np.testing.assert_array_equal(taken(values, jnp.asarray([1, 0, 1])), [[1, 2, 5], [7, 8, 11]])
