"""Locks on file systems without flock, or any; limits of a system; a reader that goes away."""

import errno
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from gpae import faults, locks
from gpae.training.loop import History
from gpae.training.progress import _Events

HOLD = "import sys; from gpae import locks; f = open(sys.argv[1], 'w'); print(locks.take(f), flush=True); input()"


@pytest.mark.parametrize("refusal", [None, errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_two_processes_never_have_a_lock_at_the_same_time(tmp_path, monkeypatch, refusal):
    def absent(*_):
        raise OSError(refusal, os.strerror(refusal))

    hold = HOLD
    if refusal:
        monkeypatch.setattr(locks.fcntl, "flock", absent)
        hold = f"import fcntl\ndef absent(*_): raise OSError({refusal}, 'x')\nfcntl.flock = absent\n{HOLD}"
    path = tmp_path / "x.lock"
    other = subprocess.Popen([sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"True\n"
    with open(path, "w") as file, open(path) as reading:
        assert not locks.take(file) and not locks.take(reading, shared=True)
        other.communicate(b"\n")
        assert locks.take(reading, shared=True)
    with open(path, "w") as file:
        assert locks.take(file, wait=True)
        if refusal:
            monkeypatch.setattr(locks.fcntl, "lockf", absent)
            with pytest.raises(faults.Fault, match="x.lock: this file system has no locks.*mount it with them"):
                locks.take(file)


@pytest.mark.parametrize("number", [errno.EFBIG, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENFILE])
def test_a_limit_of_the_system_is_one_line(number):
    line = faults.line(OSError(number, os.strerror(number), "artifacts"))
    assert line.startswith(f"artifacts: {os.strerror(number)}; ") and "\n" not in line


@pytest.mark.parametrize("make", [lambda path: path.write_text(""), lambda path: path.symlink_to("nowhere")])
def test_artifacts_that_are_no_folder_are_told_in_one_line(tmp_path, make):
    make(tmp_path / "artifacts")
    with pytest.raises(OSError) as raised:
        (tmp_path / "artifacts/smoke/unfinished").mkdir(parents=True, exist_ok=True)
    assert "move it away" in faults.line(raised.value)


def test_tensorboard_on_a_full_disk_is_told_once_and_training_goes_on(tmp_path, capsys, monkeypatch):
    events = _Events([tmp_path / "seed-0", tmp_path / "seed-1"])
    events.add(1, {"loss": np.array([1.0, 2.0])})
    sizes = [next((tmp_path / f"seed-{seed}").iterdir()).stat().st_size for seed in (0, 1)]
    assert min(sizes) > 50
    full = _Events([tmp_path / "full"])
    (tmp_path / "full").mkdir()
    from gpae.training import progress

    class OnFullDisk(progress.EventsWriter):
        def __init__(self, prefix):
            super().__init__(prefix)
            self._py_recordio_writer._writer = open("/dev/full", "wb")

    monkeypatch.setattr(progress, "EventsWriter", OnFullDisk)
    for step in range(100):
        full.add(step, {"loss": np.array([1.0])})
    told = "No space left on device; training goes on without TensorBoard"
    assert capsys.readouterr().err == f"{tmp_path}/full: {told}\n"


def test_nobody_who_reads_ends_no_training():
    program = """
import os, sys
from types import SimpleNamespace
from gpae.training import progress
console = progress._Console(stderr=True)
os.read(0, 1)
for i in range(9): console.print("a line", i)
print("told after", file=sys.stderr)
sys.exit(75)
"""
    read, write = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=write)
    os.close(read), os.close(write)
    process.communicate(b"x")
    assert process.returncode == 75


def test_metrics_are_kept_as_arrays_of_the_updates_so_far():
    history = History(SimpleNamespace(updates=4, seeds=(0, 1)))
    history.append({"loss": np.array([1.0, 2.0])})
    history.append({"loss": np.array([[3.0, 4.0], [5.0, 6.0]])})
    assert history.count == 3 and history.so_far()["loss"].tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert history.so_far()["loss"].base.nbytes == 4 * 2 * 8
