"""A table of text is the same in the file as in the program."""

from gpae.results import grid
from gpae.results.grid import Grid, Text


def test_a_markdown_table_is_read_as_it_was_written(tmp_path):
    written = Grid(
        "name",
        "A title",
        ("word", "a|b", "number"),
        (("humanoid_9|8", "", Text("1.5", mark="r")), ("", Text("2", "of 3"), Text("—"))),
        ("First note.", "Second: a | b."),
        {"r": "a remark", "s": "another"},
        2,
    )
    written.write(tmp_path)
    found = grid.read(tmp_path / "name.md")
    assert found.title == "A title" and found.columns == written.columns and found.left == 2
    assert found.rows == (
        (Text("humanoid_9|8"), Text(""), Text("1.5", mark="r")),
        (Text(""), Text("2 (of 3)"), Text("—")),
    )
    assert found.notes == written.notes and found.marks == written.marks


def test_a_table_without_notes_or_words_is_read_too(tmp_path):
    Grid("name", "A title", ("number",), (("1",),), left=0).write(tmp_path)
    found = grid.read(tmp_path / "name.md")
    assert (found.rows, found.notes, found.marks, found.left) == (((Text("1"),),), (), {}, 0)
