"""A small study: the project's own parameters with a profile of the paper's length, episodes and metrics made by hand.

The numbers are data for statistics, tables and figures; they stand for no training.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from gpae import plan
from gpae.config import Params
from gpae.plan import Job
from gpae.results import provenance, schema

PARAMS = Path(__file__).parents[2] / "params"
EPISODES = 10


class Study:
    """params/ and artifacts/ in a folder of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(PARAMS, root / "params")
        self.params = Params(root / "params")
        self.trainings: dict[Path, dict] = {}

    def profile(
        self, name: str, tasks: list[str], methods: list[str], experiment: str = "table2", **changes: object
    ) -> None:
        settings = {
            "description": "The paper's length, without training",
            "total_steps": 10_000_000,
            "evaluation_interval": 5_000_000,
            "evaluation_episodes": EPISODES,
            "seeds": 3,
            "seed_block": 2,
            "cores": 1,
            "experiments": {experiment: {"tasks": tasks, "methods": methods}},
        }
        (self.root / "params" / "profiles" / f"{name}.yaml").write_text(yaml.safe_dump(settings | changes))

    def jobs(self, profile: str, **chosen: str) -> list[Job]:
        found = plan.jobs(self.params, profile)
        return [job for job in found if all(getattr(job, key) == value for key, value in chosen.items())]

    def measure(
        self,
        job: Job,
        score: Callable[[int, int], float],
        about: dict | None = None,
        greedy: Callable[[int, int], float] | None = None,
    ) -> Path:
        """Writes the job's evaluation: score(seed, evaluation) is how many episodes are won, or their mean return.

        greedy: the same of the greedy policy, where it is another's
        """
        points = [
            (seed, point, update * job.steps_per_update, policy, episode)
            for seed in job.seeds
            for point, update in enumerate(job.evaluation_updates)
            for policy in job.policies
            for episode in range(job.evaluation_episodes)
        ]
        seed, point, steps, policy, episode = map(np.array, zip(*points, strict=True))
        of = {"sampled": score, "greedy": greedy or score}
        rows = zip(seed.tolist(), point.tolist(), policy.tolist(), strict=True)
        value = np.array([of[way](s, p) for s, p, way in rows], float)
        wins = job.score == "win_rate_percent"
        columns = {
            "profile": job.profile,
            "task": job.task_name,
            "method": job.method_name,
            "seed": seed,
            "evaluation": point,
            "env_steps": steps,
            "policy": policy,
            "episode": episode,
            "return": value if not wins else np.where(episode < value, 2.0, 0.5),
            "length": 20,
            "won": episode < value if wins else None,
        }
        about = about or {}
        about = origin(job) | about | {"training": self._training(job, about.get("training"))}
        return schema.write(columns, self.root / job.evaluation, schema.EVALUATION, about)

    def watch(self, job: Job, about: dict | None = None, **quantities: Callable[[int, int], float]) -> Path:
        """Writes the job's metrics: quantities are functions of seed and update."""
        rows = [(seed, update) for update in range(1, job.updates + 1) for seed in job.seeds]
        seed, update = map(np.array, zip(*rows, strict=True))
        columns = {
            "profile": job.profile,
            "task": job.task_name,
            "method": job.method_name,
            "seed": seed,
            "update": update,
            "env_steps": update * job.steps_per_update,
        }
        columns |= {name: np.array([of(s, u) for s, u in rows], float) for name, of in quantities.items()}
        return schema.write(columns, self.root / job.metrics, schema.METRICS, self._training(job, about))

    def _training(self, job: Job, about: dict | None) -> dict:
        """What a job's two files say of its training."""
        known = self.trainings.get(job.metrics, origin(job) | {"wall_seconds": 3600.0})
        self.trainings[job.metrics] = known | (about or {})
        return self.trainings[job.metrics]


def origin(job: Job) -> dict:
    """What a file says of where it came from."""
    return {
        "format": plan.FORMAT,
        "code": "0123456789abcdef",
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "git_dirty": False,
        "evaluation_hash": job.evaluation_hash,
        "training_hash": job.training_hash,
        "versions": dict.fromkeys(provenance.PACKAGES, "1.0") | {"gpae": "0.1.0", "jax": "0.4.38"},
        "python": "3.11.9",
        "system": "Linux",
        "platform": "cpu",
        "device": "cpu",
        "cores": 1,
        "processor": "A <processor>",
        "processors": 2,
        "wall_seconds": 12.5,
        "finished": "2026-01-01T00:00:00+00:00",
    }
