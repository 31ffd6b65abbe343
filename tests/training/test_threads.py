"""The bits of a result depend on the number of threads that a job states, not on the machine's cores."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, sys
from gpae import runtime
runtime.prepare(int(sys.argv[1]))
import jax, jax.numpy as jnp, numpy as np
x = jax.random.normal(jax.random.PRNGKey(0), (2048, 2048))
y = jax.jit(lambda x: (x @ x.T) @ x + jnp.sum(jnp.tanh(x)))(x)
print(hashlib.sha256(np.asarray(y).tobytes()).hexdigest())
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores to tell")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_one_core_or_two_give_the_same_bits(threads):
    cores = sorted(os.sched_getaffinity(0))[:2]
    seen = {
        subprocess.run(
            ["taskset", "-c", ",".join(map(str, cores[:count])), sys.executable, "-c", PROGRAM, threads],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in (1, 2)
    }
    assert len(seen) == 1 and seen != {""}
