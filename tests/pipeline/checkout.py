"""A copy of this repository in which snakemake, dvc and make run for real."""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from gpae import plan
from gpae.config import Params
from gpae.plan import Job

ROOT = Path(__file__).parents[2]
RESULTS = ("aggregate", "tables", "plot", "frames", "verify", "report")


class Tree:
    """A folder with the repository's tracked files, where commands run as a user runs them."""

    def __init__(self, folder: Path):
        self.folder = folder
        # a test process's own settings of jax are none of a user's
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_", "SNAKEMAKE"))}
        self.environment = kept | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(folder.parent / "dvc-site"),
            **{f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }

    def start(self, *command: str) -> subprocess.Popen:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *command: str, status: int = 0) -> str:
        """What the command printed; fails where its exit status is another."""
        process = self.start(*command)
        try:
            output = process.communicate(timeout=600)[0]
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode == status, f"{' '.join(command)}: {process.returncode}\n{output}"
        return output

    def dry_run(self, *arguments: str) -> list[str]:
        """The commands that `snakemake arguments` would run."""
        return commands(self.run("snakemake", "-n", "-p", *arguments))

    def jobs(self, profile: str) -> list[Job]:
        return plan.jobs(Params(self.folder / "params"), profile)

    def copy(self, folder: Path) -> "Tree":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Tree(folder)

    def commit(self, *paths: str) -> None:
        self.run("git", "add", "--force", "--", *paths)
        self.run("git", "commit", "--quiet", "--message", "test")

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{path}: {old!r}"
        (self.folder / path).write_text(text.replace(old, new))

    def seen(self, pattern: str) -> set[str]:
        """What lies here now; glob passes over a folder that a running command takes away."""
        return set(glob.glob(pattern, root_dir=self.folder))

    def times(self, pattern: str) -> dict[str, int]:
        """When each file was last written."""
        files = [path for path in self.folder.glob(pattern) if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.stat().st_mtime_ns for path in files}


def commands(output: str) -> list[str]:
    return sorted(re.findall(r"\b(gpae \w+ --.*?) &> ", output))


def training(jobs: list[Job]) -> list[str]:
    options = {"train": " --threads 1", "evaluate": ""}
    return sorted(f"gpae {step} {job.selector}{also}" for step, also in options.items() for job in jobs)


def results(profile: str, frames: bool = True) -> list[str]:
    return sorted(f"gpae {step} --profile {profile}" for step in RESULTS if frames or step != "frames")
