"""The Parquet files of results: their columns, declared once, checked whenever a file is written or read.

A column's meaning and limits stand in its field's metadata, so a file explains itself. The file's own metadata has
`gpae`, JSON of where the numbers came from, and `sha256` of all its bytes, taken with zeros in the digest's own place:
whatever bit is flipped, the file is refused, and so is one without.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gpae.config import ConfigError
from gpae.results.files import read_regular, write_whole

POLICIES = ("sampled", "greedy")
REMEDY = "remove it and make it again, or take it from git"
_DIGEST, _ZEROS = b"sha256", b"0" * 64
_PLACE = _DIGEST + b"\x18\x40"  # Thrift's mark and the length, before 64 bytes; JSON has no such character


def _column(name: str, kind: pa.DataType, meaning: str, least: int | None = None, **rules: str) -> pa.Field:
    limits = {} if least is None else {"least": str(least)}
    return pa.field(name, kind, nullable=rules.pop("null", "") == "allowed", metadata={"is": meaning} | limits | rules)


def _schema(fields: list[pa.Field], key: str, **rules: str) -> pa.Schema:
    return pa.schema(fields, metadata={"key": key} | rules)


_CELL = [
    _column("profile", pa.string(), "name in params/profiles"),
    _column("task", pa.string(), "name in params/tasks"),
    _column("method", pa.string(), "name in params/methods"),
]
_SEED = _column("seed", pa.int32(), "random seed of the training", 0)
_POINT = [
    _column("evaluation", pa.int32(), "index of the evaluation point, 0 = before training", 0),
    _column("env_steps", pa.int64(), "environment steps taken in training by one seed", 0),
    _column("policy", pa.string(), "actions sampled from the policy, or its mode", allowed=",".join(POLICIES)),
]

EVALUATION = _schema(
    _CELL
    + [_SEED]
    + _POINT
    + [
        _column("episode", pa.int32(), "index of the episode in its evaluation", 0),
        _column("return", pa.float64(), "undiscounted sum of the team's rewards"),
        _column("length", pa.int32(), "environment steps", 1),
        _column("won", pa.bool_(), "whether the team won; null where a task has no winner", null="allowed"),
    ],
    key="seed,evaluation,policy,episode",
)
"""One row an episode, one file a job."""

PURSUIT = _schema(
    [*EVALUATION, _column("captured", pa.float64(), "the share of the prey that was caught, 0 to 1")],
    key="seed,evaluation,policy,episode",
)
"""The same of predators against prey."""

METRICS = _schema(
    _CELL
    + [
        _SEED,
        _column("update", pa.int32(), "index of the learner's update", 0),
        _column("env_steps", pa.int64(), "environment steps taken in training by one seed", 0),
    ],
    key="seed,update",
    more="float64",
)
"""One row an update and seed, one file a job; beside these any float64 quantities, null where there was none."""

SCORES = _schema(
    _CELL
    + [_SEED]
    + _POINT
    + [
        _column("score", pa.float64(), "win rate in percent, or mean return, over the episodes"),
        _column("episodes", pa.int32(), "episodes of the evaluation", 1),
        _column("source", pa.string(), "the evaluation Parquet that the score was made from"),
    ],
    key="task,method,seed,evaluation,policy",
)
"""One row a job, seed, evaluation point and policy."""

SUMMARY = _schema(
    _CELL
    + _POINT
    + [
        _column("seeds", pa.int32(), "number of seeds", 1),
        _column("mean", pa.float64(), "mean over seeds"),
        _column("std", pa.float64(), "standard deviation over seeds, n - 1; null for one seed", null="allowed"),
        _column("sem", pa.float64(), "standard error of the mean; null for one seed", null="allowed"),
        _column("iqm", pa.float64(), "interquartile mean over seeds"),
        _column("low", pa.float64(), "lower end of the IQM's 95% bootstrap interval; as std", null="allowed"),
        _column("high", pa.float64(), "upper end of the IQM's 95% bootstrap interval; as std", null="allowed"),
    ],
    key="task,method,evaluation,policy",
)
"""One row a task, method, evaluation point and policy."""

DIAGNOSTICS = _schema(
    _CELL
    + [
        _SEED,
        _column("quantity", pa.string(), "a quantity of METRICS; those of episodes are per episode"),
        _column("evaluation", pa.int32(), "index of the evaluation point that the updates lead up to", 1),
        _column("env_steps", pa.int64(), "environment steps taken in training by one seed, up to that point", 0),
        _column("updates", pa.int32(), "updates since the point before in which there was such a quantity", 1),
        _column("value", pa.float64(), "mean over these updates; of episodes over the episodes that ended in them"),
    ],
    key="task,method,seed,quantity,evaluation",
)
"""One row a task, method, seed, quantity and evaluation point after the first."""


def evaluation(score: str) -> pa.Schema:
    """What an evaluation's file has, by what a task is scored with."""
    return PURSUIT if score == "capture_rate_percent" else EVALUATION


def _expected(found: pa.Schema, schema: pa.Schema) -> pa.Schema:
    """`schema`, with the quantities of `found` where it takes more columns."""
    more = [name for name in found.names if name not in schema.names] if b"more" in schema.metadata else []
    return pa.schema([*schema, *(pa.field(name, pa.float64()) for name in more)], metadata=schema.metadata)


def _check(table: pa.Table, schema: pa.Schema, path: Path) -> None:
    expected = _expected(table.schema, schema)
    missing = [name for name in expected.names if name not in table.column_names]
    extra = [name for name in table.column_names if name not in expected.names]
    if missing or extra or table.column_names != expected.names:
        what = [f"{word} columns {', '.join(names)}" for word, names in (("no", missing), ("unknown", extra)) if names]
        allowed = ", ".join(expected.names)
        raise ConfigError(f"{path}: {' and '.join(what) or 'columns in another order'}; allowed: {allowed}")
    for field, column in zip(expected, table.columns, strict=True):
        rules, name = field.metadata or {}, field.name
        if column.type != field.type:
            raise ConfigError(f"{path}: column {name}: type {column.type}; allowed: {field.type}")
        if not field.nullable and column.null_count:
            raise ConfigError(f"{path}: column {name}: {column.null_count} missing values; allowed: none")
        wrong = pa.scalar(False)
        if pa.types.is_floating(column.type):
            wrong, allowed = pc.invert(pc.is_finite(column)), "finite numbers"
        elif b"least" in rules:
            wrong, allowed = pc.less(column, int(rules[b"least"])), f"{rules[b'least'].decode()} and above"
        elif b"allowed" in rules:
            choices = rules[b"allowed"].decode().split(",")
            wrong, allowed = pc.invert(pc.is_in(column, pa.array(choices))), ", ".join(choices)
        if pc.any(wrong).as_py():
            raise ConfigError(f"{path}: column {name}: value {column.filter(wrong)[0]}; allowed: {allowed}")
    key = schema.metadata[b"key"].decode().split(",")
    if table.group_by(key).aggregate([]).num_rows != table.num_rows:
        raise ConfigError(f"{path}: several rows with the same {', '.join(key)}; allowed: one each")


def _like(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    return str(kind)


def _table(data: Mapping[str, Any] | pd.DataFrame | pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    """`data` with the types of `schema`, where that loses nothing; NaN becomes null."""
    if isinstance(data, pa.Table):
        data = data.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    values = {name: np.asarray(column) for name, column in data.items()}
    lengths = sorted({len(column) for column in values.values() if column.ndim})
    if len(lengths) != 1:
        raise ConfigError(f"{path}: columns of lengths {lengths}; allowed: one length")
    columns = {}
    for name, column in values.items():
        kind = schema.field(name).type if name in schema.names else pa.float64()
        try:
            array = pa.array(np.broadcast_to(column, lengths), from_pandas=True)
            if array.null_count < len(array) and _like(array.type) != _like(kind):
                raise pa.ArrowInvalid(f"type {array.type}")
            columns[name] = array.cast(kind)
        except pa.ArrowException as error:
            what = " ".join(str(error).split())
            raise ConfigError(f"{path}: column {name}: {what}; allowed: {kind}") from None
    names = [name for name in schema.names if name in columns] + [name for name in columns if name not in schema.names]
    return pa.table({name: columns[name] for name in names})


def encode(
    data: Mapping[str, Any] | pd.DataFrame | pa.Table, path: Path, schema: pa.Schema, metadata: Mapping[str, Any]
) -> bytes:
    """Columns as the bytes of a Parquet file, the same for the same content.

    data: columns of one length; in a mapping a scalar (the profile, say) stands for a whole column. Any order.
    path: what to call it; schema: EVALUATION, PURSUIT, METRICS, SCORES, SUMMARY or DIAGNOSTICS
    metadata: what JSON can hold, kept under the file's metadata key `gpae`
    Raises ConfigError where the columns, their types or their values are not the schema's.
    """
    table = _table(data, schema, path)
    _check(table, schema, path)
    try:
        text = json.dumps(metadata, sort_keys=True, allow_nan=False)
    except ValueError:
        raise ConfigError(f"{path}: metadata: a value is not a number; allowed: finite numbers") from None
    about = schema.metadata | {b"gpae": text.encode()}
    table = table.cast(_expected(table.schema, schema)).replace_schema_metadata(about)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_DIGEST: _ZEROS})  # in the file alone: pyarrow writes a schema's own twice
    content = sink.getvalue().to_pybytes()
    return content.replace(_PLACE + _ZEROS, _PLACE + _digest(content))


def write(
    data: Mapping[str, Any] | pd.DataFrame | pa.Table, path: Path, schema: pa.Schema, metadata: Mapping[str, Any]
) -> Path:
    """Writes what `encode` makes of it: whole or not at all."""
    return write_whole(path, encode(data, path, schema, metadata))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


class Bounds(NamedTuple):
    """Of a file that may be anybody's, so that it cannot unpack to more than its job has: rows, columns, and the bytes
    of a cell before compression."""

    rows: int
    columns: int
    cell: int


_ENCODINGS = {"PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY", "BIT_PACKED"}  # each cell by itself
_LONGEST = 256  # characters of a text


def _fits(file: pq.ParquetFile, bounds: Bounds) -> None:
    """Raises ValueError where a file says that it has more; nothing of it has been unpacked yet."""
    about = file.metadata
    groups = [about.row_group(index) for index in range(about.num_row_groups)]
    rows = max(about.num_rows, sum(group.num_rows for group in groups))
    if rows > bounds.rows:
        raise ValueError(f"{rows} rows; allowed: {bounds.rows}")
    if about.num_columns > bounds.columns:
        raise ValueError(f"{about.num_columns} columns; allowed: {bounds.columns}")
    for index in range(about.num_columns):
        if about.schema.column(index).max_repetition_level:
            raise ValueError(f"column {about.schema.column(index).path}: lists; allowed: plain values")
    for column in (group.column(index) for group in groups for index in range(group.num_columns)):
        most = bounds.cell * bounds.rows + 4096  # headers, dictionaries
        if strange := sorted(set(column.encodings) - _ENCODINGS):
            raise ValueError(f"column {column.path_in_schema}: encoding {strange[0]}; allowed: {', '.join(_ENCODINGS)}")
        if max(column.total_uncompressed_size, column.total_compressed_size) > most:
            size = column.total_uncompressed_size
            raise ValueError(f"column {column.path_in_schema}: {size} bytes; allowed: {most} for {bounds.rows} rows")


def _plain(table: pa.Table) -> pa.Table:
    """Texts that were read as dictionaries, so that a long one is not repeated before it is seen."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(index)
            texts = [text or "" for chunk in column.chunks for text in chunk.dictionary.to_pylist()]
            if (longest := max(map(len, texts), default=0)) > _LONGEST:
                raise ValueError(f"column {field.name}: a text of {longest} characters; allowed: {_LONGEST}")
            table = table.set_column(index, field.name, column.cast(field.type.value_type))
    return table


def _whole(content: bytes, path: Path, schema: pa.Schema, bounds: Bounds | None) -> pa.Table:
    """The table in a file's bytes; raises ArrowException, OSError or ValueError where they are not those that were
    written, ConfigError where they are more than `bounds`."""
    columns = pq.ParquetFile(pa.BufferReader(content)).schema
    paths = {columns.column(index).path for index in range(len(columns))}  # of what is nested: more than its name
    texts = [field.name for field in schema if pa.types.is_string(field.type) and field.name in paths]
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts, page_checksum_verification=True)
    digest = (file.metadata.metadata or {}).get(_DIGEST)
    if digest is None:
        raise pa.ArrowInvalid("no digest of its bytes")
    if content.count(digest) != 1 or _digest(content.replace(digest, _ZEROS)) != digest:
        raise pa.ArrowInvalid("its bytes are not those that were written")
    try:
        if bounds is not None:
            _fits(file, bounds)
        return _plain(file.read())
    except ValueError as error:
        if isinstance(error, pa.ArrowException):
            raise
        raise ConfigError(f"{path}: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def read(path: Path, schema: pa.Schema) -> tuple[pd.DataFrame, dict[str, Any]]:
    """(rows, metadata) of a file that `write` made; `won` comes as pandas' nullable boolean.

    Raises ConfigError where the file is absent, damaged or not of this schema.
    """
    return decode(read_regular(path), path, schema)


def decode(
    content: bytes, path: Path, schema: pa.Schema, bounds: Bounds | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """As `read`, of a file's bytes; path: what to call it; bounds: what it may have."""
    try:
        table = _whole(content, path, schema, bounds)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ConfigError(f"{path}: damaged, or not Parquet: {' '.join(str(error).split())}; {REMEDY}") from None
    _check(table, schema, path)
    try:
        metadata = json.loads((table.schema.metadata or {})[b"gpae"], parse_constant=_no_constant)
        if not isinstance(metadata, dict):
            raise ValueError
    except (KeyError, TypeError, ValueError, RecursionError):
        what = "damaged, or not written by gpae: no metadata under the key 'gpae'"
        raise ConfigError(f"{path}: {what}; {REMEDY}") from None
    return table.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get), metadata
