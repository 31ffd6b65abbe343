"""MACA's critic: an attention encoder over the agents' observations, and Q of any joint action's distribution.

"Multi-level Advantage Credit Assignment for Cooperative Multi-Agent Reinforcement Learning" (MACA), Section 4.2 and
Table 10; docs/deviations.md says what it leaves open. Feed-forward: a state is what the agents see in one step.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.config import Network
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Linear, with_agent_id
from gpae.networks.input_layer import InputLayer
from gpae.networks.layer_norm import LayerNorm

FEED_FORWARD = 4  # a block's hidden layer over its width
NEAR_ZERO = 0.01  # Xavier's gain of what an action is worth: at first no action is better than another


def fixup(blocks: int, decoder: bool = False) -> nn.initializers.Initializer:
    """T-Fixup's scale of Xavier's initialisation (Huang et al. 2020, Section 3.2), of a block's values and of what
    follows them: 0.67 L^(-1/4) in an encoder, (9 L)^(-1/4) in a decoder of L blocks."""
    scale = (9 * blocks) ** -0.25 if decoder else 0.67 * blocks**-0.25
    return nn.initializers.variance_scaling(scale**2, "fan_avg", "uniform")


class Attention(nn.Module):
    """One head of scaled dot products over the agents (Vaswani et al. 2017, Eq. 1)."""

    width: int
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: jax.Array, of: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x: [T, N, B, W], who attends; of: [T, M, B, W], to whom.

        Returns [T, N, B, W] and the weights [T, N, M, B], which sum to 1 over M.
        """
        xavier = nn.initializers.xavier_uniform()
        query, key = Linear(self.width, kernel_init=xavier)(x), Linear(self.width, kernel_init=xavier)(of)
        value = Linear(self.width, kernel_init=self.kernel_init)(of)
        scores = (query[:, :, None] * key[:, None]).sum(-1) * self.width**-0.5
        weights = jax.nn.softmax(scores, axis=2)
        mixed = (weights[..., None] * value[:, None]).sum(2)
        return Linear(self.width, kernel_init=self.kernel_init)(mixed), weights


class Block(nn.Module):
    """Attention among the agents, in a decoder also to the encoder's, and a dense layer; LayerNorm before each."""

    width: int
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: jax.Array, encoded: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x: [T, N, B, W]; encoded: [T, N, B, W]. Returns [T, N, B, W] and the agents' weights [T, N, N, B]."""
        normal = LayerNorm()(x)
        seen, weights = Attention(self.width, self.kernel_init)(normal, normal)
        x = x + seen
        if encoded is not None:
            x = x + Attention(self.width, self.kernel_init)(LayerNorm()(x), encoded)[0]
        hidden = nn.gelu(Linear(FEED_FORWARD * self.width, kernel_init=self.kernel_init)(LayerNorm()(x)))
        return x + Linear(self.width, kernel_init=self.kernel_init)(hidden), weights


class Encoded(NamedTuple):
    """What is known of T states before any action.

    tokens: [T, N, B, W], one an agent; embedding: [T, B, Z], z_s; attention: [T, L, N, N, B], of the L blocks
    """

    tokens: jax.Array
    embedding: jax.Array
    attention: jax.Array


class Encoder(nn.Module):
    """z_s: the observations' embeddings through the blocks, then all agents' through dense layers."""

    network: Network
    blocks: int
    embedding: int

    @nn.compact
    def __call__(self, observation: jax.Array) -> Encoded:
        width, xavier, init = self.network.width, nn.initializers.xavier_uniform(), fixup(self.blocks)
        x = with_agent_id(observation) if self.network.agent_id else observation
        x = InputLayer(x.shape[-1], width, self.network.layer_norm, xavier)(x)
        attention = []
        for _ in range(self.blocks):
            x, weights = Block(width, init)(x)
            attention.append(weights)
        tokens = LayerNorm()(x)
        time, agents, batch, _ = tokens.shape
        x = jnp.moveaxis(tokens, 1, 2).reshape(time, batch, agents * width)
        for _ in range(self.network.layers):
            x = Linear(width, kernel_init=xavier)(x)
            x = nn.gelu(LayerNorm()(x) if self.network.layer_norm else x)
        return Encoded(tokens, Linear(self.embedding, kernel_init=xavier)(x), jnp.stack(attention, axis=1))


class LinearHead(nn.Module):
    """Q(s, pi_bar) = sum_j (W_j z_s + c_j) . pi_bar^j + u . z_s + c: linear in every agent's part, so that the mean of
    Q over any agents' actions is Q of their mean."""

    @nn.compact
    def __call__(self, encoded: Encoded, distribution: jax.Array) -> jax.Array:
        time, agents, batch, size = distribution.shape
        xavier = nn.initializers.xavier_uniform()
        small = nn.initializers.variance_scaling(NEAR_ZERO**2, "fan_avg", "uniform")
        worth = Linear(agents * size, kernel_init=small)(encoded.embedding).reshape(time, batch, agents, size)
        by_actions = (jnp.moveaxis(worth, 2, 1) * distribution).sum((1, 3))
        return by_actions + Linear(1, kernel_init=xavier)(encoded.embedding)[..., 0]


class DecoderHead(nn.Module):
    """MACA-Dec's: the agents' parts of the distribution attend to each other and to the encoder's tokens; not linear,
    so that Q of a mean stands for the mean of Q."""

    width: int
    blocks: int

    @nn.compact
    def __call__(self, encoded: Encoded, distribution: jax.Array) -> jax.Array:
        xavier, init = nn.initializers.xavier_uniform(), fixup(self.blocks, decoder=True)
        x = Linear(self.width, kernel_init=xavier)(with_agent_id(distribution))
        for _ in range(self.blocks):
            x, _ = Block(self.width, init)(x, encoded.tokens)
        return Linear(1, kernel_init=xavier)(LayerNorm()(x).mean(1))[..., 0]


class AttentionCritic(nn.Module):
    """Q(s, pi_bar) of a state and a joint action's distribution; V(s) = Q(s, pi).

    network: width of the tokens and of the dense layers, and how many of these
    blocks, embedding: of the encoder, entries of z_s; decoder: MACA-Dec
    """

    spec: Spec
    network: Network
    blocks: int
    embedding: int
    decoder: bool

    def setup(self):
        self.encoder = Encoder(self.network, self.blocks, self.embedding)
        self.head = DecoderHead(self.network.width, self.blocks) if self.decoder else LinearHead()

    def encode(self, observation: jax.Array) -> Encoded:
        """observation: [T, N, B, O]."""
        return self.encoder(observation)

    def value(self, encoded: Encoded, distribution: jax.Array) -> jax.Array:
        """distribution: [T, N, B, A], each agent's action (features) or the mean of it. Returns Q [T, B]."""
        return self.head(encoded, distribution)

    def __call__(self, observation: jax.Array, distribution: jax.Array) -> jax.Array:
        return self.value(self.encode(observation), distribution)


def rollout(attention: jax.Array, residual: float) -> jax.Array:
    """Attention rollout (Abnar and Zuidema 2020, Section 3): how much of agent j's input is in agent i's last token.

        A~ = A'_L ... A'_1,  A'_l = (1 - residual) A_l + residual I

    attention: [T, L, N, N, B], [:, :, i, j] what i attends to j, summing to 1 over j
    residual: 1/2 in that paper, as much for what goes by a block as for what goes through it
    Returns [T, N, N, B], which sums to 1 over j.
    """
    identity = jnp.eye(attention.shape[2], dtype=attention.dtype)[:, :, None]
    shares = (1 - residual) * attention + residual * identity
    found = shares[:, 0]
    for block in range(1, shares.shape[1]):
        found = jnp.einsum("tikb,tkjb->tijb", shares[:, block], found)
    return found
