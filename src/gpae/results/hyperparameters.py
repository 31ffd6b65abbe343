"""The hyperparameter tables of the GPAE paper's Appendix G, printed from params/.

The text of the paper at hand has the names of these parameters and few of their values. A mark says where a value
comes from; the comments in params/ say it in more words.
"""

from dataclasses import asdict, dataclass
from typing import Any

from gpae.config import Override, Params
from gpae.results.grid import Grid, Text

RELEASE, CHOSEN, JAXMARL = "r", "c", "j"
MARKS = {
    RELEASE: "not in the paper's text; as in the authors' release (commit 5ba93c4)",
    CHOSEN: "stated nowhere; chosen here",
    JAXMARL: "not in the paper's text; as in JaxMARL 0.1.0, on whose learners the paper's are based",
}


@dataclass(frozen=True)
class Parameter:
    """name: as Appendix G has it, where it has it; key: in params/; mark: a key of MARKS, empty: the paper says it."""

    name: str
    key: str
    mark: str = ""


POLICY_GRADIENT = (
    Parameter("Training timesteps", "total_steps"),
    Parameter("Parallel environments", "environments", RELEASE),
    Parameter("Rollout steps", "rollout_steps", RELEASE),
    Parameter("Adam learning rate", "learning_rate", RELEASE),
    Parameter("Adam epsilon", "adam_epsilon", RELEASE),
    Parameter("Anneal learning rate", "anneal_learning_rate"),
    Parameter("Update epochs", "epochs", RELEASE),
    Parameter("Minibatches", "minibatches", RELEASE),
    Parameter("Clip range", "clip", RELEASE),
    Parameter("γ", "gamma", RELEASE),
    Parameter("λ", "lam", RELEASE),
    Parameter("η (GPAE)", "eta"),
    Parameter("β (DAE)", "beta", CHOSEN),
    Parameter("Action samples (DAE, continuous actions)", "action_samples", CHOSEN),
    Parameter("Entropy coefficient", "entropy_coefficient", RELEASE),
    Parameter("Value loss", "value_loss", RELEASE),
    Parameter("Threshold of the Huber loss", "huber_delta", RELEASE),
    Parameter("Value coefficient", "value_coefficient", RELEASE),
    Parameter("Value clip", "value_clip", RELEASE),
    Parameter("Gradient norm", "max_gradient_norm", RELEASE),
    Parameter("Limit of log ratios", "log_ratio_limit", RELEASE),
    Parameter("Reuse batches (off-policy)", "replay_windows", CHOSEN),
    Parameter("Hidden layers", "layers", RELEASE),
    Parameter("Layer width", "width", RELEASE),
    Parameter("GRU", "recurrent", RELEASE),
    Parameter("Layers after the GRU", "head_layers", RELEASE),
    Parameter("LayerNorm", "layer_norm", RELEASE),
    Parameter("Agent id in the critic's state", "agent_id", RELEASE),
)
VALUE_DECOMPOSITION = (
    Parameter("Training timesteps", "total_steps"),
    Parameter("Parallel environments", "environments", JAXMARL),
    Parameter("Rollout steps", "rollout_steps", JAXMARL),
    Parameter("Adam learning rate", "learning_rate", JAXMARL),
    Parameter("Adam epsilon", "adam_epsilon", JAXMARL),
    Parameter("Anneal learning rate", "anneal_learning_rate"),
    Parameter("Buffer size (windows)", "buffer_windows", JAXMARL),
    Parameter("Buffer batch size (windows)", "batch_size", JAXMARL),
    Parameter("Learning starts (steps)", "learning_starts", JAXMARL),
    Parameter("ε start", "epsilon_start", JAXMARL),
    Parameter("ε decay (share of the updates)", "epsilon_fraction", JAXMARL),
    Parameter("ε finish", "epsilon_finish", JAXMARL),
    Parameter("Hidden size", "width", JAXMARL),
    Parameter("Hidden layers", "layers", JAXMARL),
    Parameter("GRU", "recurrent", JAXMARL),
    Parameter("Layers after the GRU", "head_layers", JAXMARL),
    Parameter("LayerNorm", "layer_norm", JAXMARL),
    Parameter("Agent id in the observation", "agent_id", JAXMARL),
    Parameter("Update epochs", "epochs", JAXMARL),
    Parameter("Gradient norm", "max_gradient_norm", JAXMARL),
    Parameter("Updates between target networks", "target_update_interval", JAXMARL),
    Parameter("Reward scale", "reward_scale", JAXMARL),
    Parameter("γ", "gamma", JAXMARL),
    Parameter("Mixer embedding width (QMIX)", "mixer_embedding", JAXMARL),
    Parameter("Mixer hypernet width (QMIX)", "hypernet_width", JAXMARL),
    Parameter("Mixer initial scale (QMIX)", "mixer_init_scale", JAXMARL),
)
TABLES = {
    "policy_gradient": (
        "hyperparameters",
        "Hyperparameters of the policy-gradient methods",
        POLICY_GRADIENT,
        (
            "With B reuse batches a method gets 1 / B of the environments, so that an update's batch keeps its size.",
            "Activation: relu, in the code.",
        ),
    ),
    "value_decomposition": (
        "hyperparameters-value-decomposition",
        "Hyperparameters of QMIX, VDN and IQL",
        VALUE_DECOMPOSITION,
        (),
    ),
}
PROTOCOL = "paper"  # the profile whose budget is the paper's


def settings(params: Params, family: str, algorithm: str) -> dict[str, Any] | None:
    """What an algorithm is run with on a family under the paper's protocol; None where it is not."""
    chosen = getattr(params.family(family), algorithm)
    if chosen is None:
        return None
    budget = params.profile(PROTOCOL)
    changes = budget.overrides.get(family, Override())
    methods = {
        "eta": params.method("gpae_off").eta,
        "replay_windows": params.method("gpae_off").replay_windows,
        "beta": params.method("dae").beta,
        "action_samples": params.method("dae").action_samples,
    }
    of_method = methods if algorithm == "policy_gradient" else {}
    steps = {"total_steps": changes.total_steps or budget.total_steps}
    return asdict(chosen.learner) | asdict(chosen.network) | of_method | steps | changes.of(algorithm)


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, bool | str) else f"{value:,}" if isinstance(value, int) else f"{value:g}"


def grid(params: Params, profile: str, algorithm: str) -> Grid:
    """A row a parameter, a column a family that the algorithm runs on."""
    name, title, parameters, notes = TABLES[algorithm]
    budget = params.profile(profile)
    columns = {family: settings(params, family, algorithm) for family in ("smax", "mabrax")}
    columns = {family: values for family, values in columns.items() if values}
    rows = []
    for parameter in parameters:
        places = []
        for family, values in columns.items():
            changes = budget.overrides.get(family, Override())
            here = {"total_steps": changes.total_steps or budget.total_steps} | changes.of(algorithm)
            value = values[parameter.key]
            other = here.get(parameter.key, value)
            places.append(Text(_shown(value), f"here {_shown(other)}" if other != value else "", parameter.mark))
        rows.append((parameter.name, *places))
    used = {parameter.mark for parameter in parameters}
    return Grid(
        name,
        title,
        ("Parameter", *(params.family(family).label for family in columns)),
        tuple(rows),
        (f"The paper's protocol; in brackets what profile {profile} changes.", *notes),
        {mark: remark for mark, remark in MARKS.items() if mark in used},
        left=1,
    )


def grids(params: Params, profile: str) -> list[Grid]:
    """Appendix G's two tables."""
    return [grid(params, profile, algorithm) for algorithm in TABLES]
