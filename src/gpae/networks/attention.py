"""MACA's critic: an attention encoder over the agents' observations, V of a state, and Q of any joint action's
distribution.

"Multi-level Advantage Credit Assignment for Cooperative Multi-Agent Reinforcement Learning" (MACA), Section 4.2 and
Table 10; layers and initialisation are those of the authors' code (npnike10/MACA at 9907220), by which it has Table 6's
number of parameters. docs/deviations.md says where text and code differ.
"""

from functools import partial
from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.config import Network
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Linear, with_agent_id
from gpae.networks.gru import GRU
from gpae.networks.input_layer import InputLayer
from gpae.networks.layer_norm import LayerNorm

NEAR_ZERO = 0.01  # Xavier's gain of an action's worth in a bilinear head: at first none is better than another
XAVIER = nn.initializers.xavier_uniform()


def fixup(blocks: int, decoder: bool = False, values: bool = False) -> nn.initializers.Initializer:
    """T-Fixup's scale of Xavier's initialisation (Huang et al. 2020, Section 3.2), of a block's values and of what
    follows them: 0.67 L^(-1/4) in an encoder, (9 L)^(-1/4) in a decoder of L blocks; the values' as MACA's code has it,
    sqrt(2) times that."""
    scale = (9 * blocks) ** -0.25 if decoder else 0.67 * blocks**-0.25
    return nn.initializers.variance_scaling(scale**2 * (2 if values else 1), "fan_avg", "uniform")


class Gelu(nn.Module):
    """A dense layer, gelu, LayerNorm."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return LayerNorm()(nn.gelu(Linear(self.width, kernel_init=XAVIER)(x), approximate=False))


class Attention(nn.Module):
    """One head of scaled dot products over the agents (Vaswani et al. 2017, Eq. 1)."""

    width: int
    value_init: nn.initializers.Initializer
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: jax.Array, of: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x: [T, N, B, W], who attends; of: [T, M, B, W], to whom.

        Returns [T, N, B, W] and the weights [T, N, M, B], which sum to 1 over M.
        """
        query, key = Linear(self.width, kernel_init=XAVIER)(x), Linear(self.width, kernel_init=XAVIER)(of)
        value = Linear(self.width, kernel_init=self.value_init)(of)
        scores = (query[:, :, None] * key[:, None]).sum(-1) * self.width**-0.5
        weights = jax.nn.softmax(scores, axis=2)
        mixed = (weights[..., None] * value[:, None]).sum(2)
        return Linear(self.width, kernel_init=self.kernel_init)(mixed), weights


class Block(nn.Module):
    """Attention among the agents, in a decoder also to the encoder's, and two dense layers; LayerNorm before each."""

    width: int
    blocks: int
    decoder: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, encoded: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x: [T, N, B, W]; encoded: [T, N, B, W], in a decoder. Returns [T, N, B, W] and the agents' weights
        [T, N, N, B]."""
        init = fixup(self.blocks, self.decoder)
        attention = partial(Attention, self.width, fixup(self.blocks, self.decoder, values=True), init)
        normal = LayerNorm()(x)
        seen, weights = attention()(normal, normal)
        x = x + seen
        if self.decoder:
            x = x + attention()(LayerNorm()(x), encoded)[0]
        hidden = nn.gelu(Linear(self.width, kernel_init=init)(LayerNorm()(x)), approximate=False)
        return x + Linear(self.width, kernel_init=init)(hidden), weights


class Encoded(NamedTuple):
    """What is known of T states before any action.

    tokens: [T, N, B, W], one an agent; embedding: [T, B, Z], z_s; attention: [T, L, N, N, B], of the L blocks
    """

    tokens: jax.Array
    embedding: jax.Array
    attention: jax.Array


class Encoder(nn.Module):
    """z_s: each observation through a dense layer and a GRU to a token, the tokens through the blocks, then all of them
    through a dense layer."""

    network: Network
    blocks: int
    embedding: int

    @nn.compact
    def __call__(self, hidden: jax.Array, observation: jax.Array, begins: jax.Array) -> tuple[Encoded, jax.Array]:
        """Also the hidden states after every step [T, N, B, H]."""
        width = self.network.width
        x = with_agent_id(observation) if self.network.agent_id else observation
        x = InputLayer(x.shape[-1], width, self.network.layer_norm, XAVIER)(x)
        x = LayerNorm()(nn.gelu(x, approximate=False))
        states = jnp.zeros((*x.shape[:-1], 0), x.dtype)
        if self.network.recurrent:
            states = GRU(width, torch=True)(hidden, x, begins)
            x = LayerNorm()(states)
        attention = []
        for _ in range(self.blocks):
            x, weights = Block(width, self.blocks)(x)
            attention.append(weights)
        tokens = LayerNorm()(x)
        return Encoded(tokens, Gelu(self.embedding)(side_by_side(tokens)), jnp.stack(attention, axis=1)), states


def side_by_side(tokens: jax.Array) -> jax.Array:
    """[T, N, B, W] -> [T, B, N W]."""
    time, agents, batch, width = tokens.shape
    return jnp.moveaxis(tokens, 1, 2).reshape(time, batch, agents * width)


class StateHead(nn.Module):
    """V(s) of z_s."""

    width: int

    @nn.compact
    def __call__(self, encoded: Encoded) -> jax.Array:
        return Linear(1, kernel_init=XAVIER)(Gelu(self.width)(encoded.embedding))[..., 0]


class LinearHead(nn.Module):
    """Q(s, pi_bar): two linear layers, of z_s and all agents' parts of pi_bar side by side. So the mean of Q over any
    agents' actions is Q of their mean; and an action is worth the same in every state."""

    embedding: int

    @nn.compact
    def __call__(self, encoded: Encoded, distribution: jax.Array) -> jax.Array:
        LayerNorm()(encoded.tokens)  # their code has it for the decoder, and counts it, where nothing uses it, too
        joint = jnp.concatenate([encoded.embedding, side_by_side(distribution)], axis=-1)
        return Linear(1, kernel_init=XAVIER)(Linear(self.embedding, kernel_init=XAVIER)(joint))[..., 0]


class BilinearHead(nn.Module):
    """Q(s, pi_bar) = sum_j (W_j z_s + c_j) . pi_bar^j + u . z_s + c: linear in every agent's part with weights of the
    state, for an advantage that is made of Q as the critic says it."""

    @nn.compact
    def __call__(self, encoded: Encoded, distribution: jax.Array) -> jax.Array:
        time, agents, batch, size = distribution.shape
        small = nn.initializers.variance_scaling(NEAR_ZERO**2, "fan_avg", "uniform")
        worth = Linear(agents * size, kernel_init=small)(encoded.embedding).reshape(time, batch, agents, size)
        by_actions = (jnp.moveaxis(worth, 2, 1) * distribution).sum((1, 3))
        return by_actions + Linear(1, kernel_init=XAVIER)(encoded.embedding)[..., 0]


class DecoderHead(nn.Module):
    """MACA-Dec's: the agents' parts of the distribution attend to each other and to the encoder's tokens; not linear,
    so that Q of a mean stands for the mean of Q."""

    width: int
    blocks: int
    embedding: int

    @nn.compact
    def __call__(self, encoded: Encoded, distribution: jax.Array) -> jax.Array:
        x = Gelu(self.width)(distribution)
        for _ in range(self.blocks):
            x, _ = Block(self.width, self.blocks, decoder=True)(x, encoded.tokens)
        x = Gelu(self.embedding)(side_by_side(LayerNorm()(x)))
        return Linear(1, kernel_init=XAVIER)(Gelu(self.width)(Gelu(self.width)(x)))[..., 0]


class AttentionCritic(nn.Module):
    """V(s), and Q(s, pi_bar) of a state and a joint action's distribution.

    network: width of the tokens and of the GRU
    blocks, embedding: of the encoder and of a decoder, entries of z_s; head: how Q is made of z_s and pi_bar
    """

    spec: Spec
    network: Network
    blocks: int
    embedding: int
    head: Literal["linear", "bilinear", "decoder"]

    def setup(self):
        width = self.network.width
        self.encoder = Encoder(self.network, self.blocks, self.embedding)
        self.of_state = StateHead(width)
        heads = {
            "linear": lambda: LinearHead(self.embedding),
            "bilinear": BilinearHead,
            "decoder": lambda: DecoderHead(width, self.blocks, self.embedding),
        }
        self.of_actions = heads[self.head]()

    def encode(self, hidden: jax.Array, observation: jax.Array, begins: jax.Array) -> tuple[Encoded, jax.Array]:
        """hidden: [N, B, H]; observation: [T, N, B, O]; begins: bool [T, B]. Also hidden states [T, N, B, H]."""
        return self.encoder(hidden, observation, begins)

    def state_value(self, encoded: Encoded) -> jax.Array:
        """V [T, B]."""
        return self.of_state(encoded)

    def value(self, encoded: Encoded, distribution: jax.Array) -> jax.Array:
        """distribution: [T, N, B, A], each agent's action (features) or the mean of it. Returns Q [T, B]."""
        return self.of_actions(encoded, distribution)

    def __call__(self, hidden: jax.Array, observation: jax.Array, begins: jax.Array, distribution: jax.Array):
        encoded, _ = self.encode(hidden, observation, begins)
        return self.state_value(encoded), self.value(encoded, distribution)


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
