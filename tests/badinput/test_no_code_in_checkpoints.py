"""A checkpoint is arrays and JSON: nothing in it is run, whatever stands there."""

import pickle
import sys

import jax
import jax.numpy as jnp
import pytest
from badinputlab import ROOT

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.training import checkpoint

JOB = plan.jobs(Params(ROOT / "params"), "smoke")[0]
TREE = {"a": jnp.arange(600, dtype=jnp.float32), "b": jnp.asarray([True, False])}
RUNS = ("pickle.find_class", "marshal.loads", "os.system", "os.exec", "subprocess.Popen")
HEARD: list[str] = []


def hear(event, arguments):
    if HEARD and event in RUNS:
        HEARD.append(event)


sys.addaudithook(hear)


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


@pytest.fixture
def saved(tmp_path):
    checkpoint.save(tmp_path / "7", JOB, TREE)
    return tmp_path / "7", jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), TREE)


def test_reading_unpickles_nothing_and_starts_nothing(saved):
    checkpoint.restore(saved[0], JOB, saved[1])  # what is imported on the way is imported now
    HEARD[:] = ["listening"]
    try:
        pickle.loads(pickle.dumps(Bomb("/dev/null"))).close()
        assert HEARD == ["listening", "pickle.find_class"]  # it would be heard
        HEARD[:] = ["listening"]
        checkpoint.restore(saved[0], JOB, saved[1])
        assert HEARD == ["listening"]
    finally:
        HEARD.clear()


def test_a_pickle_in_any_of_its_files_is_not_run(saved, tmp_path, record):
    path, like = saved
    mark = tmp_path / "it-ran"
    bomb = pickle.dumps(Bomb(mark))
    pickle.loads(bomb).close()
    assert mark.exists()  # so it would
    mark.unlink()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(bomb)
        try:
            checkpoint.restore(path, JOB, like)
        except ConfigError as error:
            assert "damaged checkpoint" in str(error)
        assert not mark.exists()
        file.write_bytes(whole)
    record("pickle in a checkpoint", len(files))
