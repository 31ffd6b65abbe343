"""A profile's results held against their manifest, byte by byte, without git: what is not as the manifest says."""

import hashlib
import json
from pathlib import Path
from typing import Any

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.plan import Job
from gpae.results.files import read_regular
from gpae.results.report.crate import crate_path, kept


def check(params: Params, profile: str, root: Path = Path(".")) -> tuple[list[str], list[str]]:
    """(a line for each thing that is not as the manifest says, what was compared and what is not here to be).

    Files by size and digest, those too that the manifest does not name; checkpoints, which a clone has not, by the
    digest of their arrays where they are here. Raises ConfigError where there is no manifest.
    """
    folder = root / "artifacts" / profile
    named = _entities(root / crate_path(profile))
    files = {name: about for name, about in named.items() if about.get("@type") == "File"}
    wrong = [line for name, about in files.items() if (line := _file(folder, root, name, about))]
    unnamed = sorted(path for path in kept(folder) if path.relative_to(folder).as_posix() not in files)
    wrong += [f"{path}: not in the manifest" for path in unnamed]
    arrays = {name: about for name, about in named.items() if name.startswith("checkpoints/")}
    here = {name: about for name, about in arrays.items() if (folder / name).exists()}
    jobs = {job.checkpoints: job for job in plan.jobs(params, profile)}
    wrong += [line for name, about in here.items() if (line := _checkpoint(folder, root, name, about, jobs))]
    lines = [f"{len(files)} files and {len(here)} checkpoints compared with {crate_path(profile)}"]
    if absent := len(arrays) - len(here):
        lines.append(f"{absent} checkpoints are not here; dvc pull brings them")
    return wrong, lines


def _entities(path: Path) -> dict[str, dict[str, Any]]:
    try:
        graph = json.loads(read_regular(path))["@graph"]
        return {str(entity["@id"]): entity for entity in graph}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ConfigError(f"{path}: damaged: no list of files; make it again with: gpae report") from None


def _file(folder: Path, root: Path, name: str, about: dict[str, Any]) -> str:
    path = folder / name
    if not path.resolve().is_relative_to(root.resolve()):
        return f"{name}: outside of this checkout"
    try:
        content = read_regular(path)
    except ConfigError as error:
        return str(error)
    if hashlib.sha256(content).hexdigest() != about.get("sha256") or str(len(content)) != about.get("contentSize"):
        return f"{path}: other bytes than the manifest says"
    return ""


def _checkpoint(folder: Path, root: Path, name: str, about: dict[str, Any], jobs: dict[Path, Job]) -> str:
    from gpae.training import checkpoint

    path = folder / name
    job = jobs.get(path.parent.relative_to(root))
    if job is None:
        return f"{path}: of no planned job"
    try:
        found = checkpoint.verified_digest(path, job)
    except ConfigError as error:
        return str(error)
    return "" if found == about.get("sha256") else f"{path}: other arrays than the manifest says"
