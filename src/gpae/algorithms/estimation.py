"""From what an update holds fixed to advantages, value targets and what is worth knowing of them.

A new estimator is one function in gpae.advantages and one row of ESTIMATORS.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gpae.advantages import coma, dae, gpae, marginal, multilevel, ratios, traces
from gpae.algorithms.judgement import Levels, Own
from gpae.algorithms.window import Window, has_choice
from gpae.config import LEVELS, PolicyGradientMethod
from gpae.networks.actor_critic import CounterfactualCritic, ValueCritic
from gpae.networks.attention import AttentionCritic
from gpae.networks.critics import ActionCritic, LocalCritic
from gpae.networks.q_network import QNetwork

TRACES = {"dt": traces.dt, "st": traces.st, "it": traces.it, "none": traces.none, "uncut": traces.uncut}


class Samples(NamedTuple):
    """What an estimator works with.

    reward: [T, B]; done: bool [T, B]
    value: [T, N, B], V, EQ or a Q of the actions taken; bootstrap: [N, B], the same after the last step
    trace: [T, N, B], lambda inside; ratio: trace / lambda
    expected_reward: [T, N, B], E_{a^i ~ pi^i}[r(s_t, a^i, a^{-i}_t)], for an estimator that needs it
    own: the values of an agent's own actions, for one that needs them
    levels: values and baselines, for one that needs them
    weights: of the baselines, [K, T, N, B], or for all agents alike [K, T, 1, B]
    truncated: bool [T, B], where a time limit is no end (`Learner.time_limit`), else None
    """

    reward: jax.Array
    done: jax.Array
    value: jax.Array
    bootstrap: jax.Array
    trace: jax.Array
    ratio: jax.Array
    expected_reward: jax.Array | None = None
    own: Own | None = None
    levels: Levels | None = None
    weights: jax.Array | None = None
    truncated: jax.Array | None = None


def _traced(samples: Samples, method: PolicyGradientMethod, gamma: float) -> jax.Array:
    return gpae.advantage(*samples[:5], gamma, samples.truncated)


def _one_step(samples: Samples, method: PolicyGradientMethod, gamma: float) -> jax.Array:
    return coma.advantage(*samples[:4], gamma, samples.truncated)


def _difference(samples: Samples, method: PolicyGradientMethod, gamma: float) -> jax.Array:
    gae = gpae.advantage(*samples[:5], gamma, samples.truncated)
    return dae.advantage(gae, samples.expected_reward, samples.done, samples.ratio, gamma, method.beta)


def _over_value(samples: Samples, method: PolicyGradientMethod, gamma: float) -> jax.Array | float:
    """What an estimate of Q(s, a) says beyond `samples.value`: of the lambda-return, the sum of TD errors.

    An advantage is this plus the value less its baseline, and not the return less the baseline, which would be the same
    but for rounding: so where the baseline is the value, it is GAE to the last bit.
    """
    return _traced(samples, method, gamma) if method.action_value == "return" else 0.0


def _counterfactual(samples: Samples, method: PolicyGradientMethod, gamma: float) -> jax.Array:
    own = samples.own
    return coma.counterfactual(own.values[0], own.chances, own.chosen) + _over_value(samples, method, gamma)


def _marginal(samples: Samples, method: PolicyGradientMethod, gamma: float) -> jax.Array:
    return marginal.advantage(*samples.own)


def _multilevel(samples: Samples, method: PolicyGradientMethod, gamma: float) -> jax.Array:
    levels, returns = samples.levels, method.action_value == "return"
    q = samples.value if returns else levels.action_value[:-1]
    return multilevel.advantage(q, levels.baselines, samples.weights) + _over_value(samples, method, gamma)


class Estimator(NamedTuple):
    """advantage: (samples, method, gamma) -> [T, N, B]; critic: its module; reward_model: whether it needs one."""

    advantage: Callable[[Samples, PolicyGradientMethod, float], jax.Array]
    critic: type
    reward_model: bool = False


ESTIMATORS = {
    "gae": Estimator(_traced, ValueCritic),  # Eq. 1: Eq. 5 with V for EQ
    "gpae": Estimator(_traced, CounterfactualCritic),  # Eqs. 5 and 7
    "coma": Estimator(_one_step, CounterfactualCritic),  # Eq. 2
    "dae": Estimator(_difference, ValueCritic, reward_model=True),  # Eq. 3
    "local": Estimator(_traced, LocalCritic),  # IPPO
    "counterfactual": Estimator(_counterfactual, ActionCritic),  # COMA
    "marginal": Estimator(_marginal, ActionCritic),  # ASAE
    "sum": Estimator(_counterfactual, QNetwork),  # PPO-Sum
    "mix": Estimator(_counterfactual, QNetwork),  # PPO-Mix
    "multilevel": Estimator(_multilevel, AttentionCritic),  # MACA
}


def trace_of(method: PolicyGradientMethod):
    """(log_ratio, lam) -> weights, as gpae.advantages.traces."""
    return partial(traces.dt, eta=method.eta) if method.trace == "dt" else TRACES[method.trace]


class Estimates(NamedTuple):
    """advantage: [T, N, B], raw and normalised; target: [T, N, B]; weight: [T, 1, B], what a step counts.

    action_target, state_target: [T, N, B], of Q(s, a) and V(s), where a critic is fitted to them besides
    """

    raw: jax.Array
    advantage: jax.Array
    target: jax.Array
    weight: jax.Array
    action_target: jax.Array | None = None
    state_target: jax.Array | None = None


def estimate(
    method: PolicyGradientMethod,
    gamma: float,
    lam: float,
    window: Window,
    log_prob: jax.Array,
    value: jax.Array,
    weight: jax.Array,
    active: jax.Array | None,
    beside: dict[str, jax.Array | None],
) -> tuple[Estimates, dict[str, jax.Array]]:
    """Advantages and targets (Eq. 11, by which every estimator's critic learns) for the whole batch, and metrics.

    log_prob: [T, N, B], log pi(a | o) of the current policy; value: [T + 1, N, B]
    weight: [T, 1, B], 1 where a step counts, 0 where its window was never written
    active: [T, N, B], 1 where a sample counts in the normalisation of advantages, else 0; None: all count
    beside: the fields of Samples that only some estimators need
    """
    log_ratio = log_prob - window.log_prob
    trace = trace_of(method)(log_ratio, lam)
    ratio = trace_of(method)(log_ratio, 1.0)
    samples = Samples(window.reward, window.done, value[:-1], value[-1], trace, ratio, **beside)
    raw = ESTIMATORS[method.estimator].advantage(samples, method, gamma)

    def target_of(value):
        seen = samples._replace(value=value[:-1], bootstrap=value[-1])
        return gpae.value_target(_traced(seen, method, gamma), value[:-1], log_ratio)

    target, action_target, state_target = target_of(value), None, None

    def average(x):
        return jnp.average(x, weights=jnp.broadcast_to(weight, x.shape))

    def over_active(x):
        return average(x) if active is None else average(x * active) / average(active)

    mean = over_active(raw)
    deviation = jnp.sqrt(over_active((raw - mean) ** 2))
    each = weight[:, 0]
    metrics = {
        "advantage_mean": mean,
        "advantage_std": deviation,
        "advantage_spread_between_agents": average(jnp.std(raw, axis=1, keepdims=True)),
        "value_mean": average(value[:-1]),
        "value_error": average((target - value[:-1]) ** 2),
        "trace_mean": average(trace),
        "individual_distance": ratios.individual_distance(trace, log_ratio, lam, each),
        "joint_distance": ratios.joint_distance(trace, log_ratio, lam, each),
        "truncation_gap": ratios.truncation_gap(trace, log_ratio, lam, each),
    }
    if samples.levels is not None:
        action_target, state_target = target_of(samples.levels.action_value), target_of(samples.levels.state_value)
        metrics |= {f"weight_{level}": average(part) for level, part in zip(LEVELS, samples.weights, strict=True)}
        metrics["correlated_agents"] = average(samples.levels.correlated.sum(2))
    if window.disturbance is not None:
        metrics |= advantage_gaps(raw, window, each)
    normalised = (raw - mean) / (deviation + 1e-8)
    return Estimates(raw, normalised, target, weight, action_target, state_target), metrics


def advantage_gaps(raw: jax.Array, window: Window, weight: jax.Array) -> dict[str, jax.Array]:
    """How much less the drawn agent is credited than the others (section 3.1 and Figure 1(a) of the GPAE paper).

        Delta A_t = mean_{j != i} A^j_t - A^i_t,  i the drawn agent

    over the steps at which its action was replaced, and over those at which it was drawn and let be. Steps at which it
    had no choice, being dead, do not count. 0 where no step counts, and of an agent that has no others.

    raw: [T, N, B], advantages that are not normalised; weight: [T, B], what a step counts
    """
    agents = raw.shape[1]
    drawn = jnp.arange(agents)[:, None] == window.disturbance.agent[:, None]  # [T, N, B]
    own = jnp.sum(jnp.where(drawn, raw, 0.0), axis=1)
    gap = (raw.sum(axis=1) - own) / max(agents - 1, 1) - own
    counts = jnp.any(drawn & has_choice(window), axis=1) * weight * (agents > 1)

    def mean(where):
        return jnp.sum(jnp.where(where, gap, 0.0) * counts) / jnp.maximum(jnp.sum(where * counts), 1.0)

    replaced = window.disturbance.replaced
    return {"advantage_gap": mean(replaced), "advantage_gap_elsewhere": mean(~replaced)}
