"""params/ read into frozen dataclasses.

Every file is checked when it is read. A mistake is a `ConfigError` of one line: the file, the key, the value that
stands there and what is allowed; it is raised before any work begins.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

_frozen = dataclass(frozen=True, config=ConfigDict(extra="forbid"))

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Family = Literal["smax", "mabrax", "mpe"]


class ConfigError(Exception):
    """A mistake in params/ or on the command line, told in one line."""


@_frozen
class Method:
    """A row of the papers' tables. Equations: Eqs. 1, 5, 7, 8 of the GPAE paper.

    label: the name that the paper's tables print
    families: the families of tasks it can run
    estimator: `gae` (a critic V(s)) or `gpae` (a critic EQ(s, a^-i))
    trace, eta: the weight c of Eq. 7 and the bound of DT-ISR (Eq. 8)
    replay_windows: B, the rollout windows in the buffer; 1 is on-policy
    """

    label: str
    algorithm: Literal["policy_gradient"]
    families: tuple[Family, ...]
    estimator: Literal["gae", "gpae"]
    trace: Literal["dt", "st", "it", "none"]
    replay_windows: Count
    eta: NotNegative = 1.05


@_frozen
class Learner:
    """The clipped policy-gradient learner (Appendix G). Lengths in steps, rates dimensionless.

    environments: parallel environments on-policy; a method with B replay windows gets environments / B
    seeds_axis: seeds of a block side by side in one program (`vmap`) or one after the other in it (`map`); `auto` is
        `map` on a CPU and `vmap` elsewhere
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
    huber_delta: Positive = 10.0
    seeds_axis: Literal["auto", "vmap", "map"] = "auto"


@_frozen
class Network:
    """Actor and critic (Appendix D.1): `layers` dense layers, then a GRU where `recurrent`, then `head_layers`.

    width: units of every layer and of the GRU; even, because the EQ critic halves its first layer
    layer_norm: LayerNorm on the inputs and between a dense layer and its relu
    agent_id: the critic's state carries a one-hot agent id
    """

    width: Annotated[int, Field(ge=2, multiple_of=2)]
    layers: Count
    recurrent: bool
    layer_norm: bool = True
    head_layers: Annotated[int, Field(ge=0)] = 0
    agent_id: bool = True


@_frozen
class SmaxEnvironment:
    """implementation: this project's own SMAX (`fast`) or JaxMARL 0.1.0's, the reference."""

    scenario: str
    implementation: Literal["fast", "jaxmarl"]
    see_enemy_actions: bool
    walls_cause_death: bool
    attack_mode: Literal["closest", "random"]


@_frozen
class MabraxEnvironment:
    """episode_length: steps."""

    task: str
    backend: Literal["positional", "spring", "generalized"]
    episode_length: Count


@_frozen
class MpeEnvironment:
    task: str
    actions: Literal["discrete", "continuous"]
    agents: Count = 3


ENVIRONMENTS = {"smax": SmaxEnvironment, "mabrax": MabraxEnvironment, "mpe": MpeEnvironment}


@_frozen
class FamilyDefaults:
    """What the paper fixes per family of tasks: Appendix G's columns and the environment's settings.

    score: the measure that the tables print
    environment: settings of gpae.environments.registry.make that a task of the family may replace
    """

    label: str
    score: Literal["win_rate_percent", "episode_return"]
    environment: dict[str, Any]
    learner: Learner
    network: Network


@_frozen
class Task:
    """environment: settings of gpae.environments.registry.make beside the family's."""

    label: str
    family: Family
    environment: dict[str, Any] = Field(default_factory=dict)


@_frozen
class Claims:
    """Where an experiment's numbers stand in params/claims/<paper>.csv."""

    paper: Name
    table: str


@_frozen
class Experiment:
    """A table or figure: every method on every task."""

    title: str
    tasks: tuple[Name, ...]
    methods: tuple[Name, ...]
    claims: Claims | None = None


@_frozen
class Selection:
    """What a profile runs of an experiment; what is left out is the experiment's own list."""

    tasks: tuple[Name, ...] | None = None
    methods: tuple[Name, ...] | None = None


@_frozen
class Override:
    """What a profile changes of a family's learner and network to fit its budget."""

    learner: dict[str, Any] = Field(default_factory=dict)
    network: dict[str, Any] = Field(default_factory=dict)
    total_steps: Count | None = None
    evaluation_interval: Count | None = None


@_frozen
class Profile:
    """A budget and a selection, never other code.

    total_steps, evaluation_interval: environment steps of a run and between two evaluations
    evaluation_episodes: fresh episodes an evaluation, policy and seed
    seeds: 0 .. seeds - 1, trained `seed_block` at a time in one job
    cores: threads a job computes with; the bits of a result depend on it
    """

    description: str
    total_steps: Count
    evaluation_interval: Count
    evaluation_episodes: Count
    seeds: Count
    seed_block: Count
    cores: Count
    experiments: dict[Name, Selection]
    overrides: dict[Family, Override] = Field(default_factory=dict)


T = TypeVar("T")


def _problem(error: ValidationError, kind: type) -> str:
    unknown = ("unexpected_keyword_argument", "extra_forbidden")
    # a misspelt key is also a missing one: the misspelling is the better news
    first = min(error.errors(), key=lambda found: found["type"] not in unknown)
    more = error.error_count() - 1
    key = ".".join(str(part) for part in first["loc"]) or "(the whole file)"
    if first["type"] in unknown:
        for part in first["loc"][:-1]:
            fields = getattr(kind, "__dataclass_fields__", {})
            kind = fields[part].type if part in fields else (get_args(kind) or (kind,))[-1]
        allowed = ", ".join(getattr(kind, "__dataclass_fields__", {}))
        what = f"unknown key, value {first['input']!r}; allowed: {allowed}"
    elif first["type"] in ("missing", "missing_argument"):
        what = "missing; it must be given"
    else:
        what = f"{first['input']!r} is not allowed: {first['msg'][0].lower()}{first['msg'][1:]}"
    return f"{key}: {what}" + (f" (and {more} more)" if more else "")


def checked(kind: type[T], data: Any, source: str) -> T:
    """`data` as a `kind`; raises ConfigError naming `source`, the key, the value and what is allowed."""
    try:
        # through JSON, whose strict reading takes lists and mappings but neither "0.2" for 0.2 nor 1 for true
        return TypeAdapter(kind).validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_problem(error, kind)}") from None


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(f"{path}: no such file; there are: {known}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


@dataclass(frozen=True)
class Params:
    """The folder params/, read on demand."""

    folder: Path

    def _load(self, kind: type[T], group: str, name: str) -> T:
        path = self.folder / group / f"{name}.yaml"
        return checked(kind, _read_yaml(path), str(path))

    def method(self, name: str) -> Method:
        return self._load(Method, "methods", name)

    def task(self, name: str) -> Task:
        return self._load(Task, "tasks", name)

    def family(self, name: str) -> FamilyDefaults:
        return self._load(FamilyDefaults, "families", name)

    def experiment(self, name: str) -> Experiment:
        return self._load(Experiment, "experiments", name)

    def profile(self, name: str) -> Profile:
        return self._load(Profile, "profiles", name)

    def default_profile(self) -> str:
        path = self.folder / "default.yaml"
        return checked(dict[Literal["profile"], Name], _read_yaml(path), str(path))["profile"]


def overridden(base: T, changes: dict[str, Any], source: str) -> T:
    """`base` with a profile's changes, checked again as a whole."""
    return checked(type(base), asdict(base) | changes, source)
