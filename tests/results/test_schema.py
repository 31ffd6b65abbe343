"""The results' Parquet files: what is written comes back, and nothing else is taken."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpae.config import ConfigError
from gpae.results.schema import EVALUATION, METRICS, SCORES, read, write

CELL = {"profile": "quick", "task": "3m", "method": "mappo"}


def sealed(table, path):
    """Any table as a file whose digest is right, as somebody who wants to be believed would make it."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"sha256": "0" * 64})
    content = sink.getvalue().to_pybytes()
    path.write_bytes(content.replace(b"0" * 64, hashlib.sha256(content).hexdigest().encode()))


def episodes(**changes):
    return (
        CELL
        | {
            "seed": np.array([0, 0, 1, 1]),
            "evaluation": 0,
            "env_steps": 2048,
            "policy": ["sampled", "greedy"] * 2,
            "episode": 3,
            "return": np.array([1.5, 2.0, 0.25, 0.0], np.float32),
            "length": 20,
            "won": [True, False, True, False],
        }
        | changes
    )


def test_what_is_written_comes_back_with_its_metadata(tmp_path):
    path = write(episodes(), tmp_path / "a" / "e.parquet", EVALUATION, {"git_commit": "abc", "cores": 2})
    rows, metadata = read(path, EVALUATION)
    assert metadata == {"git_commit": "abc", "cores": 2}
    assert list(rows.columns) == EVALUATION.names
    assert rows["return"].tolist() == [1.5, 2.0, 0.25, 0.0] and rows["won"].tolist() == [True, False, True, False]
    assert rows["seed"].dtype == np.int32 and rows["env_steps"].dtype == np.int64
    assert [p.name for p in path.parent.iterdir()] == ["e.parquet"]


def test_a_task_without_winner_has_null_in_won(tmp_path):
    rows, _ = read(write(episodes(won=None), tmp_path / "e.parquet", EVALUATION, {}), EVALUATION)
    assert rows["won"].isna().all()


def test_the_same_content_has_the_same_bytes_whatever_container_it_came_in(tmp_path):
    first = write(episodes(), tmp_path / "1.parquet", EVALUATION, {"b": 1, "a": 2})
    frame, _ = read(first, EVALUATION)
    second = write(frame[frame.columns[::-1]], tmp_path / "2.parquet", EVALUATION, {"a": 2, "b": 1})
    third = write(pa.Table.from_pandas(frame), tmp_path / "3.parquet", EVALUATION, {"a": 2, "b": 1})
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_metadata_may_look_like_a_digest_that_is_not_taken_yet(tmp_path):
    path = write(episodes(), tmp_path / "e.parquet", EVALUATION, {"a": "0" * 64, "z": "0" * 200})
    assert read(path, EVALUATION)[1] == {"a": "0" * 64, "z": "0" * 200}


def test_metrics_take_any_quantity_and_keep_where_there_was_none(tmp_path):
    keys = CELL | {"seed": [0, 1], "update": 7, "env_steps": 1024}
    path = write(keys | {"entropy": [0.5, np.nan]}, tmp_path / "m.parquet", METRICS, {})
    rows, _ = read(path, METRICS)
    assert rows["entropy"].tolist()[0] == 0.5 and np.isnan(rows["entropy"][1])
    assert pq.read_table(path)["entropy"].null_count == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0}, "column length: value 0; allowed: 1 and above"),
        ({"policy": "random"}, "column policy: value random; allowed: sampled, greedy"),
        ({"seed": -1}, "column seed: value -1; allowed: 0 and above"),
        ({"return": [1.0, np.inf, 0.0, 0.0]}, "column return: value inf; allowed: finite numbers"),
        ({"return": [1.0, np.nan, 0.0, 0.0]}, "column return: 1 missing values; allowed: none"),
        ({"policy": "greedy"}, "several rows with the same seed, evaluation, policy, episode; allowed: one each"),
        ({"seed": [0.5, 0.5, 1.0, 1.0]}, "column seed: Float value 0.500000 was truncated"),
        ({"task": 3}, "column task: type int64; allowed: string"),
        ({"won": ["yes"] * 4}, "column won: type string; allowed: bool"),
        ({"reward": 1.0}, "unknown columns reward; allowed: profile, task"),
        ({"length": [1, 2]}, r"columns of lengths \[2, 4\]; allowed: one length"),
    ],
)
def test_rows_that_cannot_be_are_not_written(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        write(episodes(**changes), tmp_path / "e.parquet", EVALUATION, {})
    assert "\n" not in str(error.value) and str(tmp_path / "e.parquet") in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_missing_column_is_named(tmp_path):
    rows = {name: values for name, values in episodes().items() if name != "return"}
    with pytest.raises(ConfigError, match="no columns return; allowed"):
        write(rows, tmp_path / "e.parquet", EVALUATION, {})


def test_files_that_gpae_did_not_write_so_are_refused(tmp_path):
    path = tmp_path / "e.parquet"
    with pytest.raises(ConfigError, match="no such file"):
        read(path, EVALUATION)
    path.write_bytes(b"not Parquet at all")
    with pytest.raises(ConfigError, match="damaged, or not Parquet"):
        read(path, EVALUATION)
    write(episodes(), path, EVALUATION, {})
    with pytest.raises(ConfigError, match="no columns update; allowed"):
        read(path, METRICS)
    with pytest.raises(ConfigError, match="no columns score, episodes, source and unknown columns episode, return"):
        read(path, SCORES)
    table = pq.read_table(path)
    pq.write_table(table, path)
    with pytest.raises(ConfigError, match="no digest of its bytes"):
        read(path, EVALUATION)
    sealed(table.replace_schema_metadata(None), path)
    with pytest.raises(ConfigError, match="no metadata under the key 'gpae'"):
        read(path, EVALUATION)
    sealed(table.set_column(table.column_names.index("seed"), "seed", table["seed"].cast(pa.int64())), path)
    with pytest.raises(ConfigError, match="column seed: type int64; allowed: int32"):
        read(path, EVALUATION)


NO_METADATA = ["[" * 100_000, '{"a": NaN}', "[]", "3", '{"a": 1', "null", '{"a":' * 5000 + "1" + "}" * 5000]


@pytest.mark.parametrize("about", NO_METADATA)
def test_metadata_that_is_none_is_refused(tmp_path, about):
    path = write(episodes(), tmp_path / "e.parquet", EVALUATION, {})
    table = pq.read_table(path)
    sealed(table.replace_schema_metadata({"gpae": about, "key": "seed"}), path)
    with pytest.raises(ConfigError, match="no metadata under the key 'gpae'"):
        read(path, EVALUATION)


def test_a_number_that_is_none_is_not_written_into_metadata(tmp_path):
    with pytest.raises(ConfigError, match="metadata: a value is not a number"):
        write(episodes(), tmp_path / "e.parquet", EVALUATION, {"noise": [np.nan]})
    assert not list(tmp_path.iterdir())


def test_damage_anywhere_is_seen(tmp_path):
    path = write(episodes(), tmp_path / "e.parquet", EVALUATION, {})
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 150)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(ConfigError, match="damaged"):
            read(path, EVALUATION)
