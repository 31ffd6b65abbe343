"""What the bits of a result depend on is in its digest of code and in its shape: found out from the imports."""

import ast
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import jax

from gpae import runtime
from gpae.results import provenance

SOURCE = Path(provenance.__file__).parents[2]
RECORDS = {"results/files.py", "results/provenance.py", "results/schema.py", "results/__init__.py", "__init__.py"}
RECORDS |= {"locks.py", "faults.py", "combinations.py", "results/validation.py"}  # and refuse


def _imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, and every name that may be one."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(module: str) -> list[Path]:
    place = SOURCE.joinpath(*module.split("."))
    return [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()]


def _computing() -> set[Path]:
    """The files of the package that training and evaluation run, by their imports."""
    found, ahead = set(), [*_files("gpae.training.loop"), *_files("gpae.training.evaluation")]
    while ahead:
        file = ahead.pop()
        if file not in found:
            found.add(file)
            ahead += [each for module in _imports(file) if module.startswith("gpae") for each in _files(module)]
    return found


def test_every_file_that_a_training_runs_is_in_the_digest_of_code():
    names = {file.relative_to(SOURCE / "gpae").as_posix() for file in _computing()}
    assert len(names) > 60 and "algorithms/dop.py" in names
    beside = {name for name in names if not name.startswith(provenance.COMPUTE)}
    assert beside <= RECORDS  # these write numbers down and change none


def test_every_package_that_a_training_imports_is_recorded():
    installed = metadata.packages_distributions()
    modules = {module.split(".")[0] for file in _computing() for module in _imports(file)} - {"gpae"}
    packages = {installed[module][0].lower() for module in modules if module in installed}
    assert {"jax", "flashbax", "evosax", "brax"} <= packages
    recorded = {package.lower() for package in provenance.PACKAGES}
    writing = {"pandas", "pyarrow", "pydantic"}  # settings are checked, and rows written, without another number
    assert packages - recorded <= writing
    assert packages - {package.lower() for package in provenance.COMPUTING} <= writing | {"rich", "tensorboardx"}


def test_every_option_of_jax_is_harmless_or_recorded():
    off = [name for name, value in jax.config.values.items() if not value and not runtime.HARMLESS.fullmatch(name)]
    assert "jax_enable_x64" in off and "jax_disable_jit" in off and "jax_random_seed_offset" in off
    before = runtime.options()
    assert before["jax_default_prng_impl"] == "threefry2x32" and not set(off) & set(before)
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    try:
        assert runtime.options() == before | {"jax_numpy_dtype_promotion": "strict"}
    finally:
        jax.config.update("jax_numpy_dtype_promotion", "standard")
