"""The report is one page that needs nothing beside it, and every number on it leads to where it came from."""

import re

import pytest

from gpae.config import ConfigError
from gpae.results import aggregate, figures, report


def page(study):
    aggregate.build(study.params, "tiny", study.root)
    figures.build(study.params, "tiny", study.root)
    (path,) = report.build(study.params, "tiny", study.root)
    assert path == study.root / "artifacts" / "tiny" / "report.html"
    return path.read_text()


@pytest.fixture
def study(study):
    study.profile("tiny", ["hopper_3x1"], ["gpae_off", "mappo"], seeds=2)
    return study


def test_the_page_is_whole_and_leads_from_each_number_to_its_job(study):
    job = study.jobs("tiny", method_name="mappo")[0]
    study.measure(
        job,
        lambda s, p: 1080.0 + 20 * s,
        {"training": {"git_commit": "fedcba98765", "git_dirty": True, "wall_seconds": 3600.0}},
    )
    text = page(study)
    assert not re.search(r"https?://|<script|<link[^>]+href=\"(?!data:)|src=\"(?!data:)|@import|url\(", text)
    targets, anchors = set(re.findall(r'href="#([^"]+)"', text)), re.findall(r'id="([^"]+)"', text)
    assert targets <= set(anchors) and len(anchors) == len(set(anchors))
    assert '<a href="#job-mappo-hopper_3x1-seeds-0-1">1090 ± 14</a>' in text
    assert job.evaluation.as_posix() in text and job.evaluation_hash in text
    assert "<code>0123456789</code>" in text and "<code>fedcba9876</code>" in text
    assert "with local changes" in text and "A &lt;processor&gt;" in text and "1.0 h" in text and "12.5 s" in text
    assert f"gpae train {study.jobs('tiny', method_name='gpae_off')[0].selector}" in text
    assert "1 of 2" in text and text.count("data:image/png;base64,") == 2
    assert re.search(r"<b>1</b> <span>.*consistent", text) and "consistent        |d| is within the margin" in text
    assert page(study) == text


def test_with_nothing_measured_it_says_so(study):
    text = page(study)
    assert "Nothing has been measured yet" in text and "0 of 2" in text and "None was measured." in text


def test_a_missing_figure_is_named_with_its_command(study):
    aggregate.build(study.params, "tiny", study.root)
    with pytest.raises(ConfigError, match="table2-tasks.png: no such file; it is made by: gpae plot --profile tiny"):
        report.build(study.params, "tiny", study.root)
