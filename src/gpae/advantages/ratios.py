"""How near trace weights stay to the ratios that they truncate (Eq. 9, Figure 2 and Table 4 of the GPAE paper).

Arguments of all three: trace [T, N, B] with lambda inside, as `traces` returns it for log_ratio [T, N, B];
lam > 0, the lambda inside; weight, None or [T, B]: what each sample counts in the mean (0 for windows that are not
filled, say). Each returns a scalar. Ratios are not truncated here, but for log ratios above 80, which would overflow.
"""

import chex
import jax
import jax.numpy as jnp

MOST_LOG_RATIO = 80.0  # exp(88) is beyond float32, and the mean adds up many


def _mean_distance(trace: jax.Array, log_target: jax.Array, lam: float, weight: jax.Array | None) -> jax.Array:
    distance = jnp.abs(trace / lam - jnp.exp(jnp.minimum(log_target, MOST_LOG_RATIO)))
    if weight is None:
        return jnp.mean(distance)
    chex.assert_shape(weight, (trace.shape[0], trace.shape[2]))
    return jnp.average(distance, weights=jnp.broadcast_to(weight[:, None], distance.shape))


def individual_distance(
    trace: jax.Array, log_ratio: jax.Array, lam: float, weight: jax.Array | None = None
) -> jax.Array:
    """Distance to the individual ratio, E|c^i / lambda - rho^i| (Figure 2(a))."""
    chex.assert_rank(trace, 3)
    chex.assert_equal_shape((trace, log_ratio))
    return _mean_distance(trace, log_ratio, lam, weight)


def joint_distance(trace: jax.Array, log_ratio: jax.Array, lam: float, weight: jax.Array | None = None) -> jax.Array:
    """Distance to the joint ratio, E|c^i / lambda - prod_j rho^j| (Figure 2(b))."""
    chex.assert_rank(trace, 3)
    chex.assert_equal_shape((trace, log_ratio))
    return _mean_distance(trace, jnp.sum(log_ratio, axis=1, keepdims=True), lam, weight)


def truncation_gap(trace: jax.Array, log_ratio: jax.Array, lam: float, weight: jax.Array | None = None) -> jax.Array:
    """Truncation gap (Eq. 9, Figure 2(c)): `joint_distance` minus `individual_distance`."""
    return joint_distance(trace, log_ratio, lam, weight) - individual_distance(trace, log_ratio, lam, weight)
