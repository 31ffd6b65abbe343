"""One clipped policy-gradient learner for every estimator, on- and off-policy (GPAE paper, section 4.4 and Appendix D).

Every policy-gradient method of docs/methods.md is this learner with another estimator, critic, trace weight and number
of replay windows. An update freezes what it needs of the networks it starts from, estimates advantages and targets,
then takes several epochs of gradient steps on the actor and on the critic.
"""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gpae.advantages import multilevel
from gpae.algorithms import critics, losses, optimiser, rewards, value_scale
from gpae.algorithms.base import Act, Fit
from gpae.algorithms.choosing import by_choosing
from gpae.algorithms.chunks import chunk_length, chunked
from gpae.algorithms.descent import Tiling, Trained, by_environments, descend
from gpae.algorithms.estimation import ESTIMATORS, estimate
from gpae.algorithms.judgement import Levels
from gpae.algorithms.search import Search, WeightSearch
from gpae.algorithms.sequential import descend_in_turn
from gpae.algorithms.window import (
    Frozen,
    Replay,
    Rollout,
    Window,
    empty_replay,
    empty_window,
    has_choice,
    join,
    push,
)
from gpae.config import Learner, Network, PolicyGradientMethod
from gpae.environments.base import Discrete, Environment
from gpae.networks.actor_critic import Actor, SeparateActors
from gpae.networks.policies import Policy
from gpae.networks.reward_model import RewardModel

# The critic's outputs: in Frozen what they said before the update, and the targets that they are fitted to.
TARGETS = {"value": "target", "action_value": "action_target", "state_value": "state_target"}
ATTENTION_SHARE = 0.3  # of the weights that MACA's code makes of its attention


class LearnerState(NamedTuple):
    """updates: int32; reward_model: DAE's, else None; replay: the last B windows, None on-policy.

    scale: of each of the critic's outputs, by the names in TARGETS, None where it is that of the rewards
    search: for the weights of MACA's baselines, else None
    """

    actor: Trained
    critic: Trained
    reward_model: Trained | None
    scale: dict[str, value_scale.Scale] | None
    replay: Replay | None
    updates: jax.Array
    search: Search | None = None


class Held(NamedTuple):
    """key: of the epochs' order; window: as the estimator saw it, without what disturbed it"""

    key: jax.Array
    window: Window
    frozen: Frozen


class PolicyGradient:
    """The learner of one job; its methods are pure.

    updates: how many the learning rate takes to fall to 0
    """

    fresh_windows = False
    acting = "actor"

    def __init__(
        self, environment: Environment, method: PolicyGradientMethod, learner: Learner, network: Network, updates: int
    ):
        spec = environment.spec
        self.spec, self.method, self.learner, self.network = spec, method, learner, network
        self.one_actor = Actor(spec, network)
        self.actor = SeparateActors(self.one_actor) if method.sequential else self.one_actor
        estimator = ESTIMATORS[method.estimator]
        width, layers = network.width * network.critic_scale, network.critic_layers or network.layers
        self.critic_network = replace(network, width=width, layers=layers)
        self.critic = critics.make(method, spec, self.critic_network)
        self.multilevel = method.estimator == "multilevel"
        self.outputs = tuple(TARGETS) if self.multilevel else ("value",)
        self.search = WeightSearch(method) if self.multilevel and method.weights == "search" else None
        self.masks = learner.active_masks and isinstance(spec.actions, Discrete)
        self.reward_model = RewardModel(spec, network) if estimator.reward_model else None
        self.epochs = learner.epochs * method.epochs_factor
        steps = self.epochs * learner.minibatches
        self.optimisers = {
            "actor": optimiser.actors(learner, updates, steps),
            "critic": optimiser.critics(learner, updates, steps),
            "reward_model": optimiser.actors(learner, updates, steps),
        }

    # ------------------------------------------------------------------------------------------------ the two networks

    @property
    def hidden_size(self) -> int:
        return self.network.width if self.network.recurrent else 0

    @property
    def critic_hidden_size(self) -> int:
        return self.critic_network.width if self.critic_network.recurrent else 0

    def init(self, key: jax.Array) -> LearnerState:
        """Fresh parameters; the replay is made with the first window's shapes by `with_replay`."""
        actor_key, critic_key, reward_key = jax.random.split(key, 3)
        window = empty_window(self.spec, self.hidden_size, self.critic_hidden_size)
        view = window.view
        params = {
            "actor": self.actor.init(actor_key, window.actor_hidden, view.observation, view.available, window.begins),
            "critic": self.critic.init(critic_key, window),
        }
        if self.reward_model:
            actions = jnp.zeros((1, *view.available.shape[1:]), jnp.float32)
            params["reward_model"] = self.reward_model.init(reward_key, view.state[:1], actions)
        trained = {name: Trained(each, self.optimisers[name].init(each)) for name, each in params.items()}
        if self.method.sequential:
            trained["actor"] = Trained(params["actor"], jax.vmap(self.optimisers["actor"].init)(params["actor"]))
        return LearnerState(
            actor=trained["actor"],
            critic=trained["critic"],
            reward_model=trained.get("reward_model"),
            scale={name: value_scale.fresh() for name in self.outputs} if self.learner.value_normalisation else None,
            replay=None,
            updates=jnp.zeros((), jnp.int32),
            search=self.search and self.search.init(reward_key),  # nobody has a reward model and a search
        )

    def with_replay(self, state: LearnerState, rollout: Rollout) -> LearnerState:
        """`state` with an empty replay for windows like this one (arrays or their shapes)."""
        places = self.method.replay_windows
        return state._replace(replay=empty_replay(rollout.window, places)) if places > 1 else state

    def networks(self, state: LearnerState) -> dict[str, Any]:
        kept = {"actor": state.actor.params, "critic": state.critic.params, "scale": state.scale}
        kept["reward_model"] = state.reward_model and state.reward_model.params
        kept["weights"] = state.search and state.search.eta
        return {name: each for name, each in kept.items() if each is not None}

    def explore(self, state: LearnerState) -> Act:
        return self.act(state.actor.params)

    def act(self, actor: Any) -> Act:
        def act(hidden, view, begins):
            seen = (view.observation[None], view.available[None], begins[None])
            policies, states = self.actor.apply(actor, hidden, *seen)
            return jax.tree.map(lambda leaf: leaf[0], policies), states[0]

        return act

    def _unrolled(self, params, window: Window, steps: slice, actor=None) -> tuple[Policy, jax.Array]:
        """Policies and hidden states of the actor; actor: another one than that of all agents."""
        view = window.view
        return (actor or self.actor).apply(
            params, window.actor_hidden, view.observation[steps], view.available[steps], window.begins[steps]
        )

    # -------------------------------------------------------------------------------------------------- what is frozen

    def _estimate(self, freeze_key, reward_key, networks: dict[str, Any], window: Window, policies, weight):
        """(estimates, what is held fixed, the critic's hidden states [T + 1, N, B, H], metrics).

        policies: [T + 1, N, B], of the actor; None: to be worked out. weight: [T, 1, B], as of Frozen. Values are in
        units of the reward, but for `Frozen.value`, which is what the critic says.
        """
        learner, scale = self.learner, networks.get("scale")
        if policies is None:
            policies = self._unrolled(networks["actor"], window, slice(None))[0]
        judged = self.critic.judge(freeze_key, networks["critic"], window, policies)
        value, own, levels = judged.value, judged.own, judged.levels
        if scale is not None:
            value = scale["value"].original(value)
            own = own and own._replace(values=scale["value"].original(own.values))
            levels = levels and levels.original(scale)
        taken = jax.tree.map(lambda leaf: leaf[:-1], policies)
        log_prob, features = taken.log_prob(window.action), taken.features()
        active = has_choice(window).astype(jnp.float32) if self.masks else None
        beside = {"own": own, "levels": levels}
        if learner.time_limit == "own_value":
            beside["truncated"] = window.truncated
        if levels is not None:
            beside["weights"] = self._weights(networks, levels)
        if self.reward_model:
            drawn = reward_key, self.method.action_samples, self.spec
            beside["expected_reward"] = rewards.expected(
                self.reward_model, networks["reward_model"], *drawn, window, taken
            )
        rates = learner.gamma, learner.lam
        found, metrics = estimate(self.method, *rates, window, log_prob, value, weight, active, beside)
        frozen = Frozen(log_prob, features, judged.fitted, found.advantage, found.target, found.weight, active)
        if levels is not None:
            said = {name: getattr(judged.levels, name)[:-1] for name in ("action_value", "state_value")}
            frozen = frozen._replace(**said, action_target=found.action_target, state_target=found.state_target)
        return found, frozen, judged.states, metrics

    def _weights(self, networks: dict[str, Any], levels: Levels) -> jax.Array:
        """psi, [K, T, N or 1, B], of MACA's baselines."""
        if self.search:
            return self.search.weights(networks["weights"], levels.embedding)[:, :, None]
        return multilevel.attention_weights(levels.attention, levels.correlated, ATTENTION_SHARE)

    def _log_prob(self, params, window: Window) -> jax.Array:
        """As `_actor_loss` has it."""
        return self._unrolled(params, window, slice(None, -1), self.one_actor)[0].log_prob(window.action)

    # ---------------------------------------------------------------------------------------------------------- losses

    def _actor_loss(self, params, window: Window, frozen: Frozen, samples):
        """params: those that serve all agents of the window, one alone where each has its own."""
        policies = self._unrolled(params, window, slice(None, -1), self.one_actor)[0]
        return losses.surrogate(self.learner, policies, window.action, window.log_prob, frozen, samples)

    def _critic_loss(self, params, window: Window, frozen: Frozen, samples):
        error = losses.outputs_error if self.multilevel else losses.value_error
        return error(self.learner, self.critic.fitted(params, window, frozen.policy), frozen, samples)

    # ---------------------------------------------------------------------------------------------------------- update

    @property
    def fits(self) -> dict[str, Fit]:
        reward_model = {"reward_model": self._fit_reward_model} if self.reward_model else {}
        return {"actor": self._fit_actor, "critic": self._fit_critic} | reward_model

    def asked_of(self, rollout: Rollout) -> Rollout:
        return rollout._replace(states=None)

    def hold(self, key: jax.Array, state: LearnerState, rollout: Rollout):
        freeze_key, reward_key, epoch_key = jax.random.split(key, 3)
        window, policies, replay = rollout.window, rollout.policies, state.replay
        weight = jnp.ones((len(window.reward), 1, window.reward.shape[1]), jnp.float32)
        if self.search:
            state = state._replace(search=self.search.told(state.search, rollout.episodes))
        if replay is not None:
            replay = push(replay, window)
            window, weight = join(replay)
            policies = None  # those of older windows are out of date
        found, frozen, states, metrics = self._estimate(
            freeze_key, reward_key, self.networks(state), window, policies, weight
        )
        scale, window = state.scale, window._replace(disturbance=None)
        if scale is not None:
            steps = self.epochs * self.learner.minibatches
            targets = {name: getattr(frozen, TARGETS[name]) for name in self.outputs}
            scale = {
                name: value_scale.updated(scale[name], each, frozen.weight, steps) for name, each in targets.items()
            }
            frozen = frozen._replace(**{TARGETS[name]: scale[name].normalised(each) for name, each in targets.items()})
        if self.learner.chunk_steps and self.network.recurrent:
            of_actor = self._unrolled(state.actor.params, window, slice(None, -1))[1]
            length = chunk_length(len(window.reward), self.learner.chunk_steps)
            window, frozen = chunked(window, frozen, of_actor, states[:-1], length)
        state = state._replace(replay=replay, scale=scale, updates=state.updates + 1)
        return state, Held(epoch_key, window, frozen), states[-2], metrics

    @property
    def _tilings(self) -> dict[str, Tiling]:
        """How each of the two networks goes through a batch."""
        choosing = self.network.recurrent and isinstance(self.spec.actions, Discrete) and jax.default_backend() == "cpu"
        of_actor = by_choosing(self.one_actor, self.learner) if choosing else by_environments(self._actor_loss)
        return {"actor": of_actor, "critic": by_environments(self._critic_loss)}

    def _descend(self, name: str, trained: Trained, key: jax.Array, batch: tuple[Window, Frozen]):
        """The epochs of one of the two networks."""
        passes = self.epochs, self.learner.minibatches
        return descend(self._tilings[name], self.optimisers[name], trained, key, batch, *passes)

    def _fit_actor(self, state: LearnerState, held: Held):
        descent, batch = partial(self._descend, "actor"), (held.window, held.frozen)
        if self.method.sequential:
            trained, seen = descend_in_turn(descent, self._log_prob, state.actor, held.key, batch)
        else:
            trained, seen = descent(state.actor, held.key, batch)
        return {"actor": trained}, seen | {"actor_gradient_norm": seen.pop("gradient_norm")}

    def _fit_critic(self, state: LearnerState, held: Held):
        batch = held.window, held.frozen._replace(active=None)
        trained, seen = self._descend("critic", state.critic, held.key, batch)
        return {"critic": trained}, seen | {"critic_gradient_norm": seen.pop("gradient_norm")}

    def _fit_reward_model(self, state: LearnerState, held: Held):
        optimiser, steps = self.optimisers["reward_model"], self.epochs * self.learner.minibatches
        batch = held.window, held.frozen.weight[:, 0]
        trained, seen = rewards.fit(self.reward_model, optimiser, state.reward_model, *batch, steps)
        return {"reward_model": trained}, seen

    def advantages(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout) -> jax.Array:
        """Raw advantages [T, N, B] of a rollout, by the `networks` of any moment."""
        return self.estimated(key, networks, rollout)[0].raw

    def estimated(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout):
        """Of a rollout alone, by the `networks` of any moment: its Estimates, what an update would hold fixed, and the
        critic's hidden state after it [N, B, H]."""
        steps, batch = rollout.window.reward.shape
        weight = jnp.ones((steps, 1, batch), jnp.float32)
        keys = jax.random.split(key)
        found, frozen, states, _ = self._estimate(*keys, networks, rollout.window, rollout.policies, weight)
        return found, frozen, states[-2]
