"""params/ read into frozen dataclasses.

Every file is checked when it is read. A mistake is a `ConfigError` of one line: the file, the key, the value that
stands there and what is allowed; it is raised before any work begins.
"""

import json
import re
from dataclasses import asdict, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from gpae import plain_yaml

_frozen = dataclass(frozen=True, config=ConfigDict(extra="forbid"))

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
MOST_SEEDS = 1000
NAME = "[a-z0-9_]+"
Name = Annotated[str, Field(pattern=f"^{NAME}$")]
_MARKUP = r"$\{}<>"  # of TeX, matplotlib's mathematics and HTML
_FORMULAS = "=+-@"  # what a spreadsheet takes for the beginning of one


def printable(text: str) -> str:
    """A text that tables, figures, pages and CSV files print as it is; raises ValueError for any other."""
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("allowed: one line of printable characters, without blanks around it")
    if text[0] in _FORMULAS or set(text) & set(_MARKUP):
        raise ValueError(f"allowed: a text without {' '.join(_MARKUP)}, that does not begin with {' '.join(_FORMULAS)}")
    return text


def _printable_or_empty(text: str) -> str:
    return text and printable(text)


Text = Annotated[str, AfterValidator(printable)]
OptionalText = Annotated[str, AfterValidator(_printable_or_empty)]
Family = Literal["smax", "mabrax", "mpe", "predator_prey"]
Level = Literal["joint", "individual", "correlated"]
LEVELS: tuple[Level, ...] = get_args(Level)
SMAX_HORIZON = 101  # most steps of an episode: the end tests the time before the step


class ConfigError(Exception):
    """A mistake in params/ or on the command line, told in one line."""


def _extra(default: Any) -> Any:
    """A setting that is not in the GPAE paper's protocol: at its default it changes nothing, and `pinned` leaves it
    out, so that files made before it was there keep their names."""
    return field(default=default, metadata={"extra": True})


def pinned(settings: Any) -> dict[str, Any]:
    """What a result depends on of a method, a learner or a network, by name."""
    unused = {
        each.name
        for each in fields(settings)
        if each.metadata.get("extra") and getattr(settings, each.name) == each.default
    }
    return {name: value for name, value in asdict(settings).items() if name not in unused}


@_frozen
class SettingsOverride:
    """What is set otherwise than the family has it."""

    learner: dict[str, Any] = Field(default_factory=dict)
    network: dict[str, Any] = Field(default_factory=dict)


@_frozen
class PolicyGradientMethod:
    """A method of the clipped policy-gradient learner. Equations: Eqs. 1 to 8 of the GPAE paper.

    label: the name that the paper's tables print
    families: the families of tasks it can run
    estimator: GAE and DAE with a critic V(s), GPAE and COMA with a critic EQ(s, a^-i); `local`: GAE with a critic
        V(o^i) (IPPO); with the values of every own action `counterfactual` (COMA with Q), `marginal` (ASAE), and those
        of which the team's is the `sum` (PPO-Sum) or a `mix` (PPO-Mix); with a critic Q(s, a) that any agents' actions
        can be averaged out of `multilevel` (MACA)
    trace, eta: the weight c of Eq. 7 and the bound of DT-ISR (Eq. 8)
    replay_windows: B, the rollout windows in the buffer; 1 is on-policy
    beta: how far DAE's difference rewards reach (Eq. 3)
    action_samples: draws of an agent's own action for DAE's expectation where actions are continuous
    epochs_factor, environments_divisor: controls for what reuse changes besides: epochs times the first, environments
        divided by the second without a replay
    joint_samples: m, draws of the others' actions for ASAE's expectation (Eq. 10 of its paper)
    sequential: each agent's policy has weights of its own, and they are updated one after the other (HAPPO)
    mixer_embedding, hypernet_width, mixer_init_scale: PPO-Mix's mixer
    action_value: what an advantage takes for Q(s, a) before the baseline is taken off it, of COMA with Q and of MACA:
        what the critic says (`network`), or the lambda-return from what it says (`return`), as MACA's code has it
    levels: the baselines that MACA weighs, Eq. 3 of its paper without the others
    sigma: the attention from which on another agent is one of MACA's correlated ones, in units of 1 / N
    attention_residual: the share of the identity in a block's part of the attention rollout
    encoder_blocks, state_embedding: blocks of MACA's critic, entries of its z_s
    head: of MACA's critic, Q of z_s and the actions' distribution: `linear` in both side by side, as its paper and its
        code have it; `bilinear`; or a transformer `decoder` (MACA-Dec)
    weights: of MACA's baselines, by `search` (CMA-ES), as its paper has them, or from the `attention`, as its code
    settings: what its paper sets otherwise than the family, by family; a profile's budget comes after it
    task_settings: what it sets otherwise than that, by task
    """

    label: Text
    algorithm: Literal["policy_gradient"]
    families: tuple[Family, ...]
    estimator: Literal["gae", "gpae", "coma", "dae", "local", "counterfactual", "marginal", "sum", "mix", "multilevel"]
    trace: Literal["dt", "st", "it", "none", "uncut"]
    replay_windows: Count
    eta: NotNegative = 1.05
    beta: Fraction = 0.0
    action_samples: Count = 8
    epochs_factor: Count = 1
    environments_divisor: Count = 1
    joint_samples: Count = _extra(10)
    sequential: bool = _extra(False)
    mixer_embedding: Count = _extra(128)
    hypernet_width: Count = _extra(128)
    mixer_init_scale: Positive = _extra(1.0)
    action_value: Literal["network", "return"] = _extra("network")
    levels: Annotated[tuple[Level, ...], Field(min_length=1)] = _extra(LEVELS)
    sigma: NotNegative = _extra(1.0)
    attention_residual: Fraction = _extra(0.0)
    encoder_blocks: Count = _extra(1)
    state_embedding: Count = _extra(256)
    head: Literal["linear", "bilinear", "decoder"] = _extra("linear")
    weights: Literal["search", "attention"] = _extra("search")
    settings: dict[Family, SettingsOverride] = field(default_factory=dict, hash=False)
    task_settings: dict[Name, SettingsOverride] = field(default_factory=dict, hash=False)


@_frozen
class ValueDecompositionMethod:
    """A method that learns a Q value an agent and acts greedily on it.

    mixer: how the team's value is made of them: each its own (`none`, IQL), `sum` (VDN), `monotonic` (QMIX)
    settings: what its paper sets otherwise than the family, by family; a profile's budget comes after it
    """

    label: Text
    algorithm: Literal["value_decomposition"]
    families: tuple[Family, ...]
    mixer: Literal["none", "sum", "monotonic"]
    settings: dict[Family, SettingsOverride] = field(default_factory=dict, hash=False)


@_frozen
class DopMethod:
    """An actor-critic whose policy takes a step an update and whose critic many, in the manner of PyMARL.

    critic: a weighted sum of the agents' values, learned from old windows too (`decomposed`, DOP), or the value of
        every own action beside what the others do, learned from the newest alone (`counterfactual`, COMA)
    settings: what its paper sets otherwise than the family, by family; a profile's budget comes after it
    """

    label: Text
    algorithm: Literal["dop"]
    families: tuple[Family, ...]
    critic: Literal["decomposed", "counterfactual"] = _extra("decomposed")
    settings: dict[Family, SettingsOverride] = field(default_factory=dict, hash=False)


@_frozen
class CompetitionMethod:
    """Two teams that learn against each other, each by a method of its own; see `gpae.algorithms.competition`.

    teams: the methods' names in params/methods, in the order of the task's teams
    """

    label: Text
    algorithm: Literal["competition"]
    families: tuple[Literal["predator_prey"], ...]
    teams: tuple[Name, Name]


Method = PolicyGradientMethod | ValueDecompositionMethod | DopMethod | CompetitionMethod
METHODS = {
    "policy_gradient": PolicyGradientMethod,
    "value_decomposition": ValueDecompositionMethod,
    "dop": DopMethod,
    "competition": CompetitionMethod,
}
SeedsAxis = Literal["auto", "vmap", "map"]


@_frozen
class Learner:
    """The clipped policy-gradient learner (Appendix G). Lengths in steps, rates dimensionless.

    environments: parallel environments on-policy; a method with B replay windows gets environments / B
    seeds_axis: seeds of a block side by side in one program (`vmap`) or one after the other in it (`map`); `auto` is
        `map` on a CPU and `vmap` elsewhere
    log_ratio_limit: log pi(a | o) - log mu(a | o) is cut to plus or minus this before the surrogate's exponentials
    critic_learning_rate: where it is not the actor's
    critic_beta2, critic_weight_decay: Adam's second decay, and AdamW's of the critic's matrices
    critic_warmup: updates over which the critic's rate rises to its own
    critic_cosine: after that the critic's rate falls along a cosine, to a tenth of itself at the last update
    critic_epsilon: Adam's of the critic, where it is not the actor's
    action_value_coefficient, state_value_coefficient: of the errors of Q(s, a) and V(s) beside that of EQ (MACA)
    value_normalisation: the critic learns targets less their running mean, by their running deviation
    active_masks: a step at which an agent has no choice, being dead, counts neither in the policy's loss nor in the
        normalisation of advantages
    time_limit: an episode that the time limit ends is over like any other (`end`), or its last step's own value stands
        for the return from there (`own_value`, HARL's "proper time limits")
    chunk_steps: recurrent networks learn from pieces of a window, each begun with its own hidden state: of the greatest
        length up to this that divides the window; 0: from whole windows
    """

    environments: Count
    rollout_steps: Count
    learning_rate: Positive
    adam_epsilon: Positive
    anneal_learning_rate: bool
    epochs: Count
    minibatches: Count
    clip: Annotated[float, Field(gt=0, lt=1)]
    gamma: Fraction
    lam: Fraction
    entropy_coefficient: NotNegative
    value_coefficient: Positive
    value_loss: Literal["squared", "huber"]
    value_clip: Positive
    max_gradient_norm: Positive
    log_ratio_limit: Positive
    huber_delta: Positive = 10.0
    seeds_axis: SeedsAxis = "auto"
    critic_learning_rate: Positive | None = _extra(None)
    critic_beta2: Annotated[float, Field(ge=0, lt=1)] = _extra(0.999)
    critic_weight_decay: NotNegative = _extra(0.0)
    critic_warmup: Annotated[int, Field(ge=0)] = _extra(0)
    critic_cosine: bool = _extra(False)
    critic_epsilon: Positive | None = _extra(None)
    action_value_coefficient: Positive = _extra(0.5)
    state_value_coefficient: Positive = _extra(1.0)
    value_normalisation: bool = _extra(False)
    active_masks: bool = _extra(False)
    chunk_steps: Annotated[int, Field(ge=0)] = _extra(0)
    time_limit: Literal["end", "own_value"] = _extra("end")


@_frozen
class ValueLearner:
    """The learner of IQL, VDN and QMIX (JaxMARL 0.1.0's settings). Lengths in steps, rates dimensionless.

    buffer_windows: windows of `rollout_steps` that the replay buffer holds, over all environments
    batch_size: windows in a gradient step
    epsilon_start, epsilon_finish, epsilon_fraction: exploration falls linearly over this fraction of the updates
    epochs: gradient steps an update
    target_update_interval: updates between two copies of the parameters into the target network
    learning_starts: environment steps before the first gradient step
    mixer_embedding, hypernet_width, mixer_init_scale: QMIX's mixer
    """

    environments: Count
    rollout_steps: Count
    buffer_windows: Count
    batch_size: Count
    learning_rate: Positive
    adam_epsilon: Positive
    anneal_learning_rate: bool
    epsilon_start: Fraction
    epsilon_finish: Fraction
    epsilon_fraction: Fraction
    epochs: Count
    max_gradient_norm: Positive
    target_update_interval: Count
    learning_starts: Annotated[int, Field(ge=0)]
    reward_scale: Positive
    gamma: Fraction
    mixer_embedding: Count
    hypernet_width: Count
    mixer_init_scale: Positive
    seeds_axis: SeedsAxis = "auto"


@_frozen
class DopLearner:
    """The learner of DOP. Lengths in steps, rates dimensionless.

    buffer_windows, batch_size: windows in the replay, over all environments, and drawn from it in an update
    on_policy_windows, on_policy_batch_size: the newest windows that count as on-policy; so many are drawn from them for
        the critic, and the actor learns from as many, the newest
    critic_slice: time steps that a gradient step of the critic takes; it goes through its windows once an update, so
        that it has rollout_steps / critic_slice gradient steps, and the actor has one
    rms_decay, rms_epsilon: of RMSProp
    epsilon_start, epsilon_finish, epsilon_fraction: as of `ValueLearner`, the share of uniform actions in the policy
    target_update_interval: gradient steps of the critic, after which the update ends with a copy of its parameters into
        the target network
    lam: of TD(lambda) on the newest windows; tree_lam, tree_steps: of the tree backups of old ones
    off_policy_share: kappa, of the tree backups' error in the critic's loss
    reward_scale: times the rewards, as the critic learns them
    mixer_embedding: units of the hidden layers of k^i(s) and b(s)
    """

    environments: Count
    rollout_steps: Count
    buffer_windows: Count
    batch_size: Count
    on_policy_windows: Count
    on_policy_batch_size: Count
    critic_slice: Count
    learning_rate: Positive
    critic_learning_rate: Positive
    rms_decay: Annotated[float, Field(ge=0, lt=1)]
    rms_epsilon: Positive
    epsilon_start: Fraction
    epsilon_finish: Fraction
    epsilon_fraction: Fraction
    max_gradient_norm: Positive
    target_update_interval: Count
    gamma: Fraction
    lam: Fraction
    tree_lam: Fraction
    tree_steps: Count
    off_policy_share: Fraction
    reward_scale: Positive
    mixer_embedding: Count
    seeds_axis: SeedsAxis = "auto"


@_frozen
class Network:
    """Actor and critic (Appendix D.1): `layers` dense layers, then a GRU where `recurrent`, then `head_layers`.

    width: units of every layer and of the GRU; even, because the EQ critic halves its first layer
    layer_norm: LayerNorm on the inputs and between a dense layer and its relu
    agent_id: what the critic sees carries a one-hot agent id
    critic_scale: the critic's width over the actor's; critic_layers: where it has not the actor's
    style: `harl`: as the code of HARL and of MACA, LayerNorm after relu and after the GRU instead of before relu, a GRU
        with torch's parameters, one first layer for state and joint action in the critic of COMA with Q, and
        sigmoid(x) / 2, from x = 1, for the deviation of continuous policies instead of exp(x), from x = 0
    initialisation: of the dense layers: flax's own, or orthogonal with gain sqrt(2), 1 for a critic's last layer and
        0.01 for the policy's
    """

    width: Annotated[int, Field(ge=2, multiple_of=2)]
    layers: Count
    recurrent: bool
    layer_norm: bool = True
    head_layers: Annotated[int, Field(ge=0)] = 0
    agent_id: bool = True
    critic_scale: Count = _extra(1)
    critic_layers: Count | None = _extra(None)
    style: Literal["gpae", "harl"] = _extra("gpae")
    initialisation: Literal["lecun", "orthogonal"] = _extra("lecun")


@_frozen
class SmaxEnvironment:
    """implementation: this project's own SMAX (`fast`) or JaxMARL 0.1.0's, the reference.

    stop_probability: of a step at which one agent's action is replaced by "stop" (Section 3.1 of the GPAE paper)
    """

    scenario: str
    implementation: Literal["fast", "jaxmarl"]
    see_enemy_actions: bool
    walls_cause_death: bool
    attack_mode: Literal["closest", "random"]
    stop_probability: Fraction = 0.0


@_frozen
class MabraxEnvironment:
    """episode_length: steps."""

    task: str
    backend: Literal["positional", "spring", "generalized"]
    episode_length: Count


@_frozen
class MpeEnvironment:
    """agents: None: as many as the task has, three where it leaves a choice; prey: of simple_tag, running at random.

    episode_length: steps
    velocity_first: a force moves a particle in the step in which it acts, as before PettingZoo 1.23; else one later
    """

    task: str
    actions: Literal["discrete", "continuous"]
    episode_length: Count
    velocity_first: bool
    agents: Count | None = None
    prey: Count | None = None


@_frozen
class PredatorPreyEnvironment:
    """Numbers of the two teams' agents; the rest as of MPE."""

    predators: Count
    prey: Count
    actions: Literal["discrete", "continuous"]
    episode_length: Count
    velocity_first: bool


ENVIRONMENTS = {
    "smax": SmaxEnvironment,
    "mabrax": MabraxEnvironment,
    "mpe": MpeEnvironment,
    "predator_prey": PredatorPreyEnvironment,
}


@_frozen
class PolicyGradientSettings:
    learner: Learner
    network: Network


@_frozen
class ValueDecompositionSettings:
    learner: ValueLearner
    network: Network


@_frozen
class DopSettings:
    learner: DopLearner
    network: Network


@_frozen
class FamilyDefaults:
    """What the papers fix per family of tasks: Appendix G's columns and the environment's settings.

    score: the measure that the tables print
    environment: settings of gpae.environments.registry.make that a task of the family may replace
    value_decomposition, dop: absent where the family's actions are continuous
    """

    label: Text
    score: Literal["win_rate_percent", "episode_return", "capture_rate_percent"]
    environment: dict[str, Any]
    policy_gradient: PolicyGradientSettings
    value_decomposition: ValueDecompositionSettings | None = None
    dop: DopSettings | None = None


@_frozen
class Task:
    """environment: settings of gpae.environments.registry.make beside the family's."""

    label: Text
    family: Family
    environment: dict[str, Any] = Field(default_factory=dict)


@_frozen
class Claims:
    """Where an experiment's numbers stand in params/claims/<paper>.csv."""

    paper: Name
    table: Text


@_frozen
class Layout:
    """Where a method's cells stand in a table. Axes but `task` and `method` are the method's keys of that name.

    quantities: what stands side by side in a cell: `score`, `curve_score` (the learning curve's mean), training
        quantities of the metrics files, `gradient_noise`, which evaluations then measure, or what a training took
        (`gpae.results.costs`)
    best: the best mean of a task and those that are not significantly below it are in bold, as in MACA's tables
    """

    rows: Literal["task", "method", "trace", "eta"] = "task"
    columns: Literal["method", "task", "estimator"] = "method"
    quantities: Annotated[tuple[Name, ...], Field(min_length=1)] = ("score",)
    best: bool = False


@_frozen
class Comparison:
    """What the difference of two methods on the same task answers."""

    question: Text
    method: Name
    other: Name


@_frozen
class Experiment:
    """A table or figure: every method on every task. Experiments share the jobs that several of them need.

    where: where the papers have it; empty where they do not
    why: what it is for, where the title does not say it
    remarks: what must be read beside its numbers
    paper: whose protocol its evaluations follow (params/claims/<paper>.yaml), where it has no claims that say so
    labels: method: the name that this table prints, where it is not the method's own
    figures: learning curves by task and by family (Figures 6 and 4), the advantage gap (Figure 1), the distances of the
        trace weights (Figure 2), two teams' rewards (ASAE's Figure 7), final scores beside curves (the controls), the
        gradient's noise, performance profiles with probabilities of improvement
    comparisons: the pairs of methods that answer a question of their own
    """

    title: Text
    tasks: tuple[Name, ...]
    methods: tuple[Name, ...]
    where: OptionalText = ""
    why: OptionalText = ""
    remarks: tuple[Text, ...] = ()
    claims: Claims | None = None
    paper: Name = "gpae"
    labels: dict[Name, Text] = Field(default_factory=dict)
    layout: Layout = Layout()
    figures: tuple[Literal["tasks", "families", "gap", "ratios", "teams", "scores", "noise", "profiles"], ...] = ()
    comparisons: tuple[Comparison, ...] = ()


@_frozen
class Selection:
    """What a profile runs of an experiment; what is left out is the experiment's own list."""

    tasks: tuple[Name, ...] | None = None
    methods: tuple[Name, ...] | None = None


@_frozen
class Override:
    """What a profile changes of a family's learners and networks to fit its budget."""

    policy_gradient: SettingsOverride = Field(default_factory=SettingsOverride)
    value_decomposition: SettingsOverride = Field(default_factory=SettingsOverride)
    dop: SettingsOverride = Field(default_factory=SettingsOverride)
    total_steps: Count | None = None
    evaluation_interval: Count | None = None

    def of(self, algorithm: str) -> dict[str, Any]:
        """All that changes for an algorithm; the teams of a competition have policy gradients."""
        changes = getattr(self, "policy_gradient" if algorithm == "competition" else algorithm)
        return changes.learner | changes.network


@_frozen
class TaskBudget:
    """What a profile trains a task for, where that is not its family's."""

    total_steps: Count | None = None
    evaluation_interval: Count | None = None


@_frozen
class Profile:
    """A budget and a selection, never other code.

    total_steps, evaluation_interval: environment steps of a run and between two evaluations
    evaluation_episodes: fresh episodes an evaluation, policy and seed
    seeds, first_seed: first_seed .. first_seed + seeds - 1, trained `seed_block` at a time in one job
    cores: threads a job computes with; the bits of a result depend on it
    by_task: budgets of tasks, which come after those of their families in `overrides`
    """

    description: Text
    total_steps: Count
    evaluation_interval: Count
    evaluation_episodes: Count
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)]
    seed_block: Count
    cores: Count
    experiments: dict[Name, Selection]
    first_seed: Annotated[int, Field(ge=0, le=MOST_SEEDS)] = 0
    overrides: dict[Family, Override] = Field(default_factory=dict)
    by_task: dict[Name, TaskBudget] = Field(default_factory=dict)


@_frozen
class Default:
    """profile: what commands take that are given none"""

    profile: Name


T = TypeVar("T")


def _below(kind: Any, part: str | int) -> Any:
    """The type of what stands under `part`: a field's, an entry's of a list or mapping, or that of the `kind` named."""
    fields = getattr(kind, "__dataclass_fields__", {})
    if part in fields:
        return fields[part].type
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    inner = [each for each in get_args(kind) if each is not Ellipsis]
    kinds = {each: getattr(each, "__dataclass_fields__", {}).get("kind") for each in inner}
    named = [each for each, field in kinds.items() if field is not None and part in get_args(field.type)]
    return (named or inner or [kind])[-1]


def _problem(error: ValidationError, kind: type) -> str:
    unknown = ("unexpected_keyword_argument", "extra_forbidden")
    # a misspelt key is also a missing one: the misspelling is the better news
    first = min(error.errors(), key=lambda found: found["type"] not in unknown)
    more = error.error_count() - 1
    key = ".".join(str(part) for part in first["loc"]) or "(the whole file)"
    if first["type"] in unknown:
        for part in first["loc"][:-1]:
            kind = _below(kind, part)
        allowed = ", ".join(getattr(kind, "__dataclass_fields__", {}))
        what = f"unknown key, value {first['input']!r}; allowed: {allowed}"
    elif first["type"] in ("missing", "missing_argument"):
        what = "missing; it must be given"
    else:
        said = first["msg"].removeprefix("Value error, allowed: ")
        what = f"{first['input']!r} is not allowed: {said[0].lower()}{said[1:]}"
    return f"{key}: {what}" + (f" (and {more} more)" if more else "")


def checked(kind: type[T], data: Any, source: str) -> T:
    """`data` as a `kind`; raises ConfigError naming `source`, the key, the value and what is allowed."""
    try:
        text = json.dumps(data, default=str)
    except (TypeError, ValueError, RecursionError) as error:  # keys that are no names, an alias within itself
        raise ConfigError(f"{source}: {' '.join(str(error).split())}; allowed: names and plain values") from None
    try:
        # through JSON, whose strict reading takes lists and mappings but neither "0.2" for 0.2 nor 1 for true
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_problem(error, kind)}") from None


@cache
def _parsed(text: str) -> Any:
    """YAML's data, which nobody changes: the verdicts alone would parse the same hundred files ten thousand times."""
    return plain_yaml.load(text)


def _read_yaml(path: Path) -> Any:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(f"{path}: no such file; there are: {known}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except plain_yaml.Refused as error:
        raise ConfigError(f"{path}: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number of too many digits is a ValueError
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


def check_workflow_profiles(folder: Path) -> None:
    """Raises ConfigError where a config.yaml of snakemake's says another thing to snakemake than to a reader.

    Snakemake reads it by YAML 1.1 and takes the last of two equal keys; it must read what `plain_yaml` reads.
    """
    for path in sorted(folder.glob("*/config.yaml")):
        data = _read_yaml(path)
        if data != yaml.safe_load(path.read_text(encoding="utf-8")):
            raise ConfigError(f"{path}: a value is read otherwise by YAML 1.1 than by 1.2; put it in quotes")


@dataclass(frozen=True)
class Params:
    """The folder params/, read on demand."""

    folder: Path

    def path(self, group: str, name: str) -> Path:
        """params/<group>/<name>.yaml; raises ConfigError for a name that could be another path."""
        if not re.fullmatch(NAME, name.removesuffix("-text") if group == "claims" else name):
            place = self.folder / group
            raise ConfigError(f"{place}: {name!r} is not a name; allowed: lower-case letters, digits and underscores")
        return self.folder / group / f"{name}.yaml"

    def load(self, kind: type[T], group: str, name: str) -> T:
        """params/<group>/<name>.yaml as a `kind`."""
        path = self.path(group, name)
        return checked(kind, _read_yaml(path), str(path))

    def method(self, name: str) -> Method:
        path = self.path("methods", name)
        data = _read_yaml(path)
        algorithm = data.get("algorithm") if isinstance(data, dict) else None
        if algorithm not in list(METHODS):  # what YAML says need not be hashable
            raise ConfigError(f"{path}: algorithm: {algorithm!r} is not allowed: {', '.join(METHODS)}")
        return checked(METHODS[algorithm], data, str(path))

    def task(self, name: str) -> Task:
        return self.load(Task, "tasks", name)

    def family(self, name: str) -> FamilyDefaults:
        return self.load(FamilyDefaults, "families", name)

    def experiment(self, name: str) -> Experiment:
        return self.load(Experiment, "experiments", name)

    def profile(self, name: str) -> Profile:
        return self.load(Profile, "profiles", name)

    def default_profile(self) -> str:
        path = self.folder / "default.yaml"
        return checked(Default, _read_yaml(path), str(path)).profile


def overridden(base: T, changes: dict[str, Any], source: str) -> T:
    """`base` with a profile's changes, checked again as a whole."""
    return checked(type(base), asdict(base) | changes, source)
