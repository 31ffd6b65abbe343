"""A profile's results beside those that are kept: by git's commit, or without git by the digests of the manifest."""

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from gpae.faults import Fault
from gpae.plan import FORMAT

MANIFEST = "ro-crate-metadata.json"
# What evaluations and metrics are made into, below artifacts/<profile>/; the rest is taken as it is.
REBUILT = (
    *("scores.parquet", "summary.parquet", "diagnostics.parquet", "tables", "figures"),
    *("verdicts.csv", "verdicts-text.csv", "report", MANIFEST),
)


class Kept(NamedTuple):
    """source: what keeps the files; digests: {path below the profile's folder: digest}; digest: how that is made"""

    source: str
    digests: dict[str, str]
    digest: Callable[[bytes], str]


def kept(profile: str, root: Path = Path(".")) -> Kept | None:
    """What git's HEAD has, whatever its index says; else what the manifest says; None where neither knows the profile.

    Raises Fault for a manifest that cannot be read.
    """
    place = Path("artifacts", profile)
    names = {"encoding": "utf-8", "errors": "surrogateescape", "capture_output": True, "cwd": root}
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **names)
        listed = subprocess.run(["git", "ls-tree", "-r", "-z", "HEAD", "--", place.as_posix()], **names)
    except OSError:  # no git
        head = listed = None
    if listed and not listed.returncode and listed.stdout:
        rows = [row.split("\t", 1) for row in listed.stdout.split("\0") if row]
        digests = {Path(name).relative_to(place).as_posix(): about.split()[2] for about, name in rows}
        return Kept(f"commit {head.stdout.strip()}", digests, _blob)
    manifest = root / place / MANIFEST
    if not manifest.exists():
        return None
    content = manifest.read_bytes()
    try:
        found = {each["@id"]: each["sha256"] for each in json.loads(content)["@graph"] if "sha256" in each}
    except (KeyError, TypeError, ValueError):
        raise Fault(f"{manifest}: damaged; take it from where this copy came from") from None
    return Kept("the manifest (no commit has them here)", found | {MANIFEST: _sha256(content)}, _sha256)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _blob(content: bytes) -> str:
    """git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def refuse_another_format(profile: str, root: Path = Path(".")) -> None:
    """Raises Fault where evaluations are of another format than today's, which no job of today's finds."""
    found = []
    for path in sorted((root / "artifacts" / profile / "evaluations").rglob("[!.]*.parquet")):
        try:
            about = json.loads((pq.read_schema(path).metadata or {})[b"gpae"])
            found.append((about.get("format", "2 or older"), str(about.get("git_commit", "unknown"))))
        except (AttributeError, KeyError, ValueError, OSError, pa.ArrowException):
            continue  # a damaged file is refused by who reads its rows
    if other := [each for each in found if each[0] != FORMAT]:
        (number, commit), _ = Counter(other).most_common(1)[0]
        raise Fault(
            f"artifacts/{profile}: {len(other)} of {len(found)} evaluations are of format {number}, by commit "
            f"{commit}, and today's code has format {FORMAT}: that commit rebuilds their results, "
            f"make reproduce PROFILE={profile} trains them again"
        )


def compare(before: Kept | None, profile: str, root: Path = Path(".")) -> tuple[bool, list[str]]:
    """Whether every file is the one that was kept, and what is to be said of it."""
    folder = root / "artifacts" / profile
    files = [path for path in folder.rglob("*") if path.is_file()]
    there = {path.relative_to(folder).as_posix(): path for path in files}
    built = [name for name in there if name.split("/")[0] in REBUILT and not _hidden(name)]
    if before is None:
        return True, [f"artifacts/{profile}: rebuilt; no commit and no manifest keeps it, to be compared with"]
    wrong = [f"{name}: missing" for name in before.digests if name not in there]
    wrong += [f"{name}: not kept" for name in built if name not in before.digests]
    for name, digest in before.digests.items():
        if name in there and before.digest(there[name].read_bytes()) != digest:
            wrong.append(f"{name}: other bytes" + ("" if name in built else ", and not rebuilt"))
    taken = sorted({name.split("/")[0] for name in before.digests} - set(REBUILT))
    lines = [f"Rebuilt: {', '.join(REBUILT)}. Taken as they are: {', '.join(taken)}."]
    if wrong:
        lines += [*sorted(wrong), f"{len(wrong)} files of artifacts/{profile} are not those of {before.source}."]
        return False, lines
    return True, [*lines, f"All {len(before.digests)} files of artifacts/{profile} have the bytes of {before.source}."]


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
