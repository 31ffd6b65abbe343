"""A folder that appears as a whole, as `schema.write_whole` does with a file."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def write_folder(path: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Puts a folder with these files, and no others, in the place of `path`; their paths, sorted."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        for name, content in files.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(content)
        shutil.rmtree(path, ignore_errors=True)
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return [path / name for name in sorted(files)]
