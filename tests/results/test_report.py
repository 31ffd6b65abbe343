"""The report is one page that needs nothing beside it, and every number on it leads to where it came from."""

import re

import pytest

from gpae.config import ConfigError
from gpae.results import aggregate, figures, report, tables, untrained
from gpae.results.grid import Grid, Text
from gpae.results.schema import write_whole

ABOUT = {"training": {"git_commit": "fedcba98765", "git_dirty": True, "wall_seconds": 3600.0}}


def page(study, draw=False):
    """The report; to save seconds, what needs no training stands in its tables as words, and what is not to `draw`
    is a few bytes."""
    aggregate.build(study.params, "tiny", study.root)
    tables.build(study.params, "tiny", study.root)
    for name in untrained.NAMES:
        grid = Grid(name, f"About {name}", ("a", "b"), (("x|y", Text("2", mark="r")),), ("A note.",), {"r": "why"}, 1)
        grid.write(study.root / "artifacts" / "tiny" / "tables")
    if draw:
        figures.build(study.params, "tiny", study.root)
    else:
        for experiment in study.params.profile("tiny").experiments:
            for name in figures.captions(study.params, "tiny", experiment):
                write_whole(study.root / figures.place("tiny", name, "png"), b"a figure")
    (path,) = report.build(study.params, "tiny", study.root)
    assert path == study.root / "artifacts" / "tiny" / "report.html"
    return path.read_text()


@pytest.fixture
def study(study):
    study.profile("tiny", ["hopper_3x1"], ["gpae_off", "mappo"], seeds=2)
    return study


def linked(text):
    """Asserts that the page needs nothing beside it and that every link on it ends somewhere."""
    assert not re.search(r"https?://|<script|<link[^>]+href=\"(?!data:)|src=\"(?!data:)|@import|url\(", text)
    targets, anchors = set(re.findall(r'href="#([^"]+)"', text)), re.findall(r'id="([^"]+)"', text)
    assert targets <= set(anchors) and len(anchors) == len(set(anchors))
    return anchors


def test_the_page_is_whole_and_leads_from_each_number_to_its_job(study):
    job = study.jobs("tiny", method_name="mappo")[0]
    study.measure(job, lambda s, p: 1080.0 + 20 * s, ABOUT)
    text = page(study, draw=True)
    linked(text)
    assert '<a href="#job-mappo-hopper_3x1-seeds-0-1">1090 ± 14</a>' in text
    assert job.evaluation.as_posix() in text and job.evaluation_hash in text
    assert "<code>0123456789</code>" in text and "<code>fedcba9876</code>" in text
    assert "with local changes" in text and "A &lt;processor&gt;" in text and "1.0 h" in text and "12.5 s" in text
    assert f"gpae train {study.jobs('tiny', method_name='gpae_off')[0].selector}" in text
    assert "<dd>1 of 2</dd>" in text and text.count("data:image/png;base64,") == 2
    assert re.search(r'Numbers</th><td><span class="badge good">1 consistent</span>', text)
    assert "consistent        |d| is within the margin" in text
    assert report.build(study.params, "tiny", study.root)[0].read_text() == text


def test_with_nothing_measured_it_says_so(study):
    text = page(study)
    assert "Nothing has been measured yet" in text and "<dd>0 of 2</dd>" in text and "None was measured." in text


def test_experiments_share_a_job_that_stands_there_once(study):
    parts = {"methods": ["gpae_off"], "tasks": ["5m_vs_6m"]}
    study.profile("tiny", [], [], experiments={"table2": parts, "table3": parts}, seeds=1)
    (job,) = study.jobs("tiny")
    study.measure(job, lambda s, p: 5, ABOUT)
    text = page(study)
    anchors = linked(text)
    assert [name for name in anchors if name.startswith("job-")] == ["job-gpae_off-5m_vs_6m-seeds-0"]
    assert '<a href="#table2">table2</a>, <a href="#table3">table3</a>' in text
    assert {"table2", "table3", "sentences", "untrained"} <= set(anchors)
    # what both tables say of the IQM is said once
    assert text.count("interquartile mean over seeds, with") == 1


def test_a_sentence_is_shown_with_its_parts_and_both_verdicts(study):
    study.profile("tiny", ["5m_vs_6m"], ["gpae_off", "mappo"], seeds=2)
    for method, wins in (("gpae_off", 9), ("mappo", 1)):
        study.measure(study.jobs("tiny", method_name=method)[0], lambda s, p, wins=wins: wins)
    text = page(study)
    linked(text)
    sentence = text[text.index("Across SMAX tasks, GPAE consistently") :]
    sentence = sentence[: sentence.index("</tbody></table></div></details>")]
    here, by_paper = re.findall(r'<span class="badge \w+">([^<]+)</span>', sentence[: sentence.index("<details>")])
    assert (here, by_paper) == ("not shown", "claim holds")
    part = next(row for row in sentence.split("<tr>") if "5m_vs_6m: GPAE (off) − MAPPO" in row)
    assert 'href="#job-gpae_off-5m_vs_6m-seeds-0-1"' in part and '<td class="number">80</td>' in part


def test_comparisons_and_tables_without_training_are_those_that_the_tables_step_wrote(study):
    study.profile("tiny", ["3m"], ["gpae_on", "mappo"], "controls", seeds=2)
    for number, job in enumerate(study.jobs("tiny")):
        study.measure(job, lambda s, p, number=number: 8 - 4 * number + s)
    text = page(study)
    linked(text)
    assert "Does credit help without reuse?" in text and "GPAE (on) − MAPPO" in text and "+40.0 (" in text
    assert "The paper compares the whole" in text and "not in the paper" in text
    for name in untrained.NAMES:
        assert f"<h3>About {name}</h3>" in text
    assert '<td>x|y</td><td class="number">2 <sup>r</sup></td>' in text and "<sup>r</sup> why" in text


def test_frames_are_shown_where_they_were_drawn(study):
    assert "<code>gpae frames --profile tiny</code>" in page(study)
    frames = study.root / "artifacts" / "tiny" / "frames"
    frames.mkdir()
    (frames / "figure3.png").write_bytes(b"a frame")
    text = page(study)
    assert "gpae frames" not in text and 'src="data:image/png;base64,YSBmcmFtZQ=="' in text


@pytest.mark.parametrize(
    ("file", "command"), [("figures/table2-tasks.png", "plot"), ("tables/hyperparameters.md", "tables")]
)
def test_a_missing_file_is_named_with_its_command(study, file, command):
    page(study)
    (study.root / "artifacts" / "tiny" / file).unlink()
    with pytest.raises(ConfigError, match=f"{file}: no such file; it is made by: gpae {command} --profile tiny"):
        report.build(study.params, "tiny", study.root)
