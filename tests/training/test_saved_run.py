"""Whatever is made faster, the curves stay: the numbers of small trainings that were saved once."""

import numpy as np
import pandas as pd
import pytest
import saved_run

TOLERANCE = 1e-4  # rounding: an update as one program and as several differed by 2e-6 after six of them


SOON = ("mappo", "gpae_off")
CASES = [
    pytest.param(method, task, marks=() if method in SOON else pytest.mark.slow) for method, task in saved_run.JOBS
]


@pytest.mark.parametrize("method,task", CASES)
def test_a_saved_run_gives_the_same_curves(method, task):
    saved = pd.read_csv(saved_run.FILE).query("method == @method and task == @task")
    found = saved_run.run(method, task)
    key = ["method", "task", "update", "metric"]
    both = saved.merge(found, on=key, how="outer", suffixes=("_saved", "_now"), validate="one_to_one")
    assert not both.isna().any(axis=None), both[both.isna().any(axis=1)]
    now, then = both["value_now"].to_numpy(), both["value_saved"].to_numpy()
    np.testing.assert_allclose(now, then, rtol=TOLERANCE, atol=TOLERANCE)
