"""From the agents' Q values of the actions they took to the values that the team's reward is learned with.

T steps, N agents, B environments, S entries of the state. A mixer maps Q values [T, N, B] and the state [T, B, S] to
values [T, M, B]: M is N where every agent learns by itself, and 1 where there is one value of the joint action. Every
mixer is monotonic in each Q value, so that each agent's greedy action is also the team's (Eqs. 4 and 5 of QMIX).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Separate(nn.Module):
    """No mixing: independent Q-learning (IQL, Tan 1993); every agent's own value is learned with the team's reward."""

    @nn.compact
    def __call__(self, q: jax.Array, state: jax.Array) -> jax.Array:
        """q: float32 [T, N, B]; state is not looked at. Returns q."""
        return q


class Sum(nn.Module):
    """VDN (Sunehag et al. 2018): Q_tot = sum_i Q^i."""

    @nn.compact
    def __call__(self, q: jax.Array, state: jax.Array) -> jax.Array:
        """q: float32 [T, N, B]; state is not looked at. Returns [T, 1, B]."""
        return q.sum(1, keepdims=True)


class Hypernetwork(nn.Module):
    """Weights from a state: dense layers of `widths` with relu between them.

    scale: of the orthogonal initialisation
    """

    widths: tuple[int, ...]
    scale: float

    @nn.compact
    def __call__(self, state: jax.Array) -> jax.Array:
        """float32 [..., S] -> [..., widths[-1]]."""
        orthogonal = nn.initializers.orthogonal(self.scale)
        for width in self.widths[:-1]:
            state = nn.relu(nn.Dense(width, kernel_init=orthogonal)(state))
        return nn.Dense(self.widths[-1], kernel_init=orthogonal)(state)


class Monotonic(nn.Module):
    """QMIX (Rashid et al. 2018, Section 4): Q_tot is a network of the Q values whose weights the state makes.

        Q_tot = |w_2(s)| . elu(|W_1(s)| q + b_1(s)) + b_2(s)

    The weights' absolute values make it monotonic in every Q value; the biases are free.

    embedding: units of the hidden layer; width: of the hypernetworks' hidden layer; scale: of their initialisation
    """

    embedding: int
    width: int
    scale: float

    @nn.compact
    def __call__(self, q: jax.Array, state: jax.Array) -> jax.Array:
        """q: float32 [T, N, B]; state: float32 [T, B, S]. Returns [T, 1, B]."""
        (time, agents, batch), embedding = q.shape, self.embedding
        first = jnp.abs(Hypernetwork((self.width, agents * embedding), self.scale, name="first_weights")(state))
        second = jnp.abs(Hypernetwork((self.width, embedding), self.scale, name="second_weights")(state))
        hidden = jnp.einsum("tnb,tbne->tbe", q, first.reshape(time, batch, agents, embedding))
        hidden = nn.elu(hidden + Hypernetwork((embedding,), self.scale, name="first_bias")(state))
        bias = Hypernetwork((embedding, 1), self.scale, name="second_bias")(state)
        return (jnp.sum(hidden * second, axis=-1) + bias[..., 0])[:, None]
