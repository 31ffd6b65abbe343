"""What LAPACK gives and jobs begin with, as digests: run as a script by test_machine.py, a process a machine.

    python beginning.py METHOD/TASK[+] ...         prints a line each; with + of the first update too
"""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

from gpae import plan, runtime
from gpae.config import Params

PARAMS = Params(Path(__file__).parents[2] / "params")
FEW = {"environments": 2, "rollout_steps": 4, "epochs": 1, "buffer_windows": 4, "batch_size": 2, "learning_starts": 8}
FEW |= {"on_policy_windows": 2, "on_policy_batch_size": 2, "chunk_steps": 0}


def short(job: plan.Job) -> plan.Job:
    """The job with few environments and steps; its networks are as large as ever."""
    learner = replace(job.learner, **{name: value for name, value in FEW.items() if hasattr(job.learner, name)})
    return replace(job, learner=learner, teams=tuple(short(team) for team in job.teams))


def digest(tree) -> str:
    import jax
    import numpy as np

    found = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        found.update(np.asarray(leaf).tobytes())
    return found.hexdigest()[:16]


def main() -> None:
    runtime.prepare(1)
    import jax
    import jax.numpy as jnp

    from gpae.training.update import Trainer

    matrix = jax.random.normal(jax.random.PRNGKey(0), (512, 512))
    print("lapack", digest((jnp.linalg.qr(matrix), jnp.linalg.eigh(matrix @ matrix.T))), flush=True)
    for name in sys.argv[1:]:
        method, task = name.rstrip("+").split("/")
        trainer = Trainer(short(plan.job(PARAMS, "paper", method, task, (0,))))
        state = trainer.init(jnp.asarray([0], jnp.int32))
        begun = digest(state)
        print(name, begun, digest(trainer.update(state)) if name.endswith("+") else "", flush=True)


if __name__ == "__main__":
    main()
