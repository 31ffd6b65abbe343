"""A Slurm of one node, run for real by whoever runs the tests: its daemons on loopback, its files in one folder."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PATH = f"{os.environ['PATH']}:/usr/sbin"
MISSING = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name, path=PATH)]
# The GPUs are only counted, so that jobs can ask for them as the profile does; there need be none.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
MinJobAge=60000
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=100000 Gres=gpu:2
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Node:
    """The daemons, from entering to leaving; `environment` lets sbatch and its kin find them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {"PATH": f"{folder}/bin:{PATH}", "SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons: list[subprocess.Popen] = []

    def __enter__(self) -> "Node":
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        # Snakemake's job step takes this variable from the srun that it calls; elsewhere Slurm is under /etc
        srun = self.folder / "bin/srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        controller_port, node_port = free_ports(2)
        configuration = CONFIGURATION.format(
            host=socket.gethostname(),
            controller_port=controller_port,
            node_port=node_port,
            user=getpass.getuser(),
            folder=self.folder,
        )
        (self.folder / "slurm.conf").write_text(configuration)
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n")
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        paths = [f"--{option}={self.folder}/munge.{ending}" for option, ending in files.items()]
        self._start("munged", "--foreground", "--force", *paths)
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D")
        try:
            until(lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T", check=False), 60, self.logs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, *command: str) -> None:
        with open(self.folder / f"{command[0]}.out", "w") as output:
            daemon = subprocess.Popen(
                command, env=os.environ | self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        self.daemons.append(daemon)

    def __exit__(self, *_) -> None:
        self.run("scancel", "--user", getpass.getuser(), check=False)
        until(lambda: not self.run("squeue", "--noheader", check=False), 60)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(timeout=30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def run(self, *command: str, check: bool = True) -> str:
        """What a command of Slurm's printed."""
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=check, timeout=60
        )
        return done.stdout

    def running(self, comment: str) -> dict[str, str]:
        """The jobs under way whose comment, which names rule and wildcards, has this in it: number, comment."""
        lines = self.run("squeue", "--noheader", "--states=RUNNING", "--format=%i %k").splitlines()
        return dict(line.split(" ", 1) for line in lines if comment in line)

    def logs(self) -> str:
        return "\n".join(f"{path.name}\n{path.read_text()[-2000:]}" for path in sorted(self.folder.glob("*.[lo][ou]*")))


def until(there, seconds: float, explain=lambda: "") -> None:
    """Waits for `there()`; fails with `explain()` where it takes longer."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, explain()
        time.sleep(0.05)
