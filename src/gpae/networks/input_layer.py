"""LayerNorm and dense layer of a network's inputs, in the form that does least.

Inputs are data: nobody asks for their gradient. So the normalised inputs are constants, and the LayerNorm's scale and
shift can be folded into the dense layer's weights, whose gradient then holds theirs:

    y = ((x - mean) / deviation * scale + shift) W + b = (x - mean) / deviation (scale W) + (shift W + b)

What all agents see alike is multiplied once an environment and not once an agent: the state beside which stands an
agent's id, and the joint action in which an agent's own part is exchanged. docs/performance.md has the effect.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.linear import default_kernel_init

from gpae.networks.layer_norm import EPSILON
from gpae.networks.rows import by_rows, shifted

FEW = 32  # features of a joint action, up to which each agent's own is multiplied whole: that takes fewer passes


def _inverse(squares: jax.Array) -> jax.Array:
    """1 / deviation, from the mean squared deviation."""
    return jax.lax.rsqrt(squares + EPSILON)


class InputLayer(nn.Module):
    """The layer before its activation; with `layer_norm` the inputs are normalised, as flax.linen.LayerNorm does.

    Three ways to give the same kind of input. T steps, N agents, B environments, F features, W = width.
    """

    features: int
    width: int
    layer_norm: bool
    kernel_init: nn.initializers.Initializer = default_kernel_init

    def setup(self):
        self.kernel = self.param("kernel", self.kernel_init, (self.features, self.width))
        self.bias = self.param("bias", nn.initializers.zeros, (self.width,))
        if self.layer_norm:
            self.scale = self.param("scale", nn.initializers.ones, (self.features,))
            self.shift = self.param("shift", nn.initializers.zeros, (self.features,))

    def _folded(self) -> tuple[jax.Array, jax.Array]:
        """Kernel [F, W] and bias [W] with scale and shift in them."""
        if not self.layer_norm:
            return self.kernel, self.bias
        return self.scale[:, None] * self.kernel, self.bias + self.shift @ self.kernel

    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [T, N, B, F], each agent's own. Returns [T, N, B, W]."""
        kernel, bias = self._folded()
        if self.layer_norm:
            x = x - x.mean(-1, keepdims=True)
            x = x * _inverse((x * x).mean(-1, keepdims=True))
        return shifted(by_rows(x, kernel), bias)

    def with_id(self, state: jax.Array, agents: int) -> jax.Array:
        """state: [T, B, S], after which each agent's one-hot id [N] is thought. Returns [T, N, B, W]."""
        size = state.shape[-1]
        kernel, bias = self._folded()
        identity = jnp.broadcast_to(jnp.eye(agents)[:, None], (len(state), agents, state.shape[1], agents))
        if self.layer_norm:
            mean = ((state.sum(-1) + 1) / self.features)[..., None]
            state = state - mean
            squares = (state * state).sum(-1, keepdims=True) + (1 - mean) ** 2 + (agents - 1) * mean**2
            inverse = _inverse(squares / self.features)
            state, identity = state * inverse, (identity - mean[:, None]) * inverse[:, None]
        return shifted(by_rows(state, kernel[:size])[:, None] + by_rows(identity, kernel[size:]), bias)

    def exchanged(self, actions: jax.Array, own: jax.Array) -> jax.Array:
        """actions: [T, N, B, A], of which agent i sees all in order, its own exchanged for own[:, i].

        own: [T, N, B, A]. Returns [T, N, B, W].
        """
        time, agents, batch, size = actions.shape
        if self.features <= FEW:
            others = jnp.broadcast_to(jnp.moveaxis(actions, 1, 2)[:, None], (time, agents, batch, agents, size))
            seen = jnp.where(jnp.eye(agents, dtype=bool)[:, None, :, None], own[..., None, :], others)
            return self(seen.reshape(time, agents, batch, agents * size))
        kernel, bias = self._folded()
        joint = by_rows(jnp.moveaxis(actions, 1, 2).reshape(time, batch, agents * size), kernel)[:, None]
        change, blocks = own - actions, list(kernel.reshape(agents, size, -1))
        if self.layer_norm:
            mean = (actions.sum((1, 3))[:, None] + change.sum(-1)) / self.features
            squares = (actions * actions).sum((1, 3))[:, None] + (own * own - actions * actions).sum(-1)
            inverse = _inverse(jnp.maximum(squares / self.features - mean**2, 0.0))
            # the mean as one more change, of all columns: a broadcast's gradient would be a sum with a stride
            change = jnp.concatenate([change, -mean[..., None]], axis=-1)
            blocks = [jnp.concatenate([block, kernel.sum(0, keepdims=True)]) for block in blocks]
        product = joint + jnp.stack([by_rows(change[:, i], block) for i, block in enumerate(blocks)], axis=1)
        return shifted(product * inverse[..., None] if self.layer_norm else product, bias)
