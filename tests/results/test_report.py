"""The page is a folder that needs nothing beside it, and every number on it leads to where it came from."""

import json
import re
from html.parser import HTMLParser

import pytest
import yaml
from pages import build as page
from pages import folder

from gpae.config import ConfigError
from gpae.results import claims, figures, report, untrained
from gpae.results.figures import panels
from gpae.results.report import energy

ABOUT = {"training": {"git_commit": "fedcba98765", "git_dirty": True, "wall_seconds": 3600.0, "cores": 1}}


@pytest.fixture
def study(study):
    study.profile("tiny", ["hopper_3x1"], ["gpae_off", "mappo"], seeds=2)
    return study


class Tags(HTMLParser):
    """Every tag with its attributes; what is opened is closed."""

    EMPTY = {"meta", "link", "img", "br", "input"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


def whole(study, text):
    """Asserts that the page is whole: files in its folder alone, links that end somewhere, headings in order, real
    tables. Returns its anchors."""
    found = Tags(text).tags
    anchors = [about["id"] for _, about in found if "id" in about]
    assert len(anchors) == len(set(anchors))
    for tag, about in found:
        for key in ("src", "href", "data-film"):
            target = about.get(key)
            if target is None or target == "data:,":
                continue
            assert not re.match(r"[a-z]+:|/|\.\.", target), f"{tag} {key}={target}"
            assert target[1:] in anchors if target[0] == "#" else (folder(study) / target).is_file(), target
        assert tag != "img" or about["alt"]
        assert tag != "th" or about["scope"]
    levels = [int(tag[1]) for tag, _ in found if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= level + 1 for level, later in zip(levels, levels[1:], strict=False))
    return anchors


def test_the_page_is_whole_and_leads_from_each_number_to_its_job(study):
    job = study.jobs("tiny", method_name="mappo")[0]
    study.measure(job, lambda s, p: 1080.0 + 20 * s, ABOUT)
    text = page(study, draw=True)
    anchors = whole(study, text)
    assert '<a href="#job-mappo-hopper_3x1-seeds-0-1">1090 ± 14</a>' in text
    assert job.evaluation.as_posix() in text and job.metrics.as_posix() in text
    assert job.evaluation_hash in text and job.training_hash in text
    assert "<code>0123456789</code>" in text and "<code>fedcba9876</code>" in text
    assert "with local changes" in text and "A &lt;processor&gt;" in text and "1.0 h" in text and "12.5 s" in text
    assert (
        "seeds trained together: 0, 1" in text
        and "jax 0.4.38" in text
        and "&#34;system&#34;: &#34;Linux&#34;" in text
        and "&#34;learning_rate&#34;" in text
    )
    assert f"gpae train {study.jobs('tiny', method_name='gpae_off')[0].selector}" in text
    assert "<dd>1 of 2</dd>" in text and len(list(folder(study).glob("table2-*.png"))) == 2
    assert re.search(r'data-verdict="not-shown"[^>]*><span class="badge open">1 not shown</span>', text)
    assert "consistent        the whole interval lies within the margin" in text
    # the cell says its verdict, and leads to the number's row, where the two stand on a line
    cell = re.search(r'<a class="verdict" href="#(number-\d+)"><span class="dot open" title="not shown">', text)[1]
    row = text[text.index(f'id="{cell}"') :]
    assert cell in anchors and '<svg class="strip"' in row[: row.index("</tr>")]
    before = {path: path.read_bytes() for path in study.root.glob("artifacts/tiny/**/*") if path.is_file()}
    report.build(study.params, "tiny", study.root)
    assert before == {path: path.read_bytes() for path in study.root.glob("artifacts/tiny/**/*") if path.is_file()}


def test_what_an_earlier_page_had_and_this_one_has_not_is_gone(study):
    page(study)
    (folder(study) / "stale.png").write_bytes(b"of another page")
    page(study)
    assert not (folder(study) / "stale.png").exists()


def test_with_nothing_measured_it_says_so(study):
    text = page(study)
    whole(study, text)
    assert "Nothing has been measured yet" in text and "<dd>0 of 2</dd>" in text and "None was measured." in text


def test_experiments_share_a_job_that_stands_there_once(study):
    parts = {"methods": ["gpae_off"], "tasks": ["5m_vs_6m"]}
    study.profile("tiny", [], [], experiments={"table2": parts, "table3": parts}, seeds=1)
    (job,) = study.jobs("tiny")
    study.measure(job, lambda s, p: 5, ABOUT)
    text = page(study)
    anchors = whole(study, text)
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
    whole(study, text)
    end = text.index("Across SMAX tasks, GPAE consistently")
    head, sentence = text[text.rindex("<tbody", 0, end) : end], text[end:]
    sentence = sentence[: sentence.index("</details>")]
    here, by_paper = re.findall(r'<span class="badge \w+">([^<]+)</span>', sentence[: sentence.index("<details>")])
    assert (here, by_paper) == ("not shown", "claim holds")
    part = next(row for row in sentence.split("<tr>") if "5m_vs_6m: GPAE (off) − MAPPO" in row)
    assert 'href="#job-gpae_off-5m_vs_6m-seeds-0-1"' in part and '<td class="number">80</td>' in part
    # it can be found by what its rules are about
    assert 'data-paper="gpae"' in head and 'data-verdict="not-shown"' in head
    assert "5m_vs_6m" in re.search(r'data-task="([^"]*)"', head)[1].split()
    assert {"gpae_off", "mappo"} <= set(re.search(r'data-method="([^"]*)"', head)[1].split())


def test_a_label_of_one_table_is_found_under_its_method(study):
    study.profile("tiny", ["5m_vs_6m"], ["gpae_off"], "table4", seeds=2)
    (job,) = study.jobs("tiny")
    label = study.params.experiment("table4").labels["gpae_off"]
    study.measure(job, lambda s, p: 9)
    text = page(study)
    rows = re.findall(
        rf'<tr class="claim" [^>]*data-method="([^"]*)"[^>]*>.*?<td class="task">{re.escape(label)}</td>', text
    )
    assert label != job.method.label and rows and set(rows) == {"gpae_off"}


def test_methods_that_share_a_label_are_told_apart(study):
    study.profile("tiny", ["3m"], ["mappo"], seeds=2)
    other = (study.params.folder / "methods" / "coma.yaml").read_text()
    (study.params.folder / "methods" / "a_coma.yaml").write_text(other)
    text = page(study)
    row = re.search(r'<tr class="claim" [^>]*data-table="table2" [^>]*data-method="([^"]*coma[^"]*)"', text)
    assert "a_coma" not in row[1].split() and ">COMA (a_coma)</option>" in text and ">COMA (coma)</option>" in text


def test_papers_are_those_of_the_claims_files(study):
    folder_of_claims = study.params.folder / "claims"
    for path in folder_of_claims.glob("*"):
        path.unlink()
    (folder_of_claims / "gpae.csv").write_text("paper,table,task,metric,method,mean,std,note\n")
    head = (folder_of_claims / "gpae.csv").read_text()
    (folder_of_claims / "other.csv").write_text(f"{head}other,7,nine_agents,win_rate_percent,Some Method,50.0,1.0,\n")
    about = {"steps": 5, "seeds": 3, "policy": "sampled", "own": "Some"}
    (folder_of_claims / "other.yaml").write_text(yaml.safe_dump(about | {"title": "Another & paper"}))
    (folder_of_claims / "gpae.yaml").write_text(yaml.safe_dump(about))
    text = page(study)
    whole(study, text)
    assert "OTHER: Another &amp; paper" in text and 'id="sentences"' not in text
    assert 'data-table="other-table-7" data-task="nine_agents" data-method="some-method" data-verdict="not-run"' in text
    assert '<option value="some-method">Some Method</option>' in text


def test_every_item_can_be_chosen_by_what_stands_in_the_form(study):
    study.measure(study.jobs("tiny", method_name="mappo")[0], lambda s, p: 1080.0 + 20 * s, ABOUT)
    found = Tags(page(study)).tags
    options, facet = {}, None
    for tag, about in found:
        if tag == "select":
            facet = options.setdefault(about["name"], set())
        elif tag == "option" and about["value"]:
            facet.add(about["value"])
    items = [about for _, about in found if "data-item" in about]
    for name, values in options.items():
        used = {value for about in items for value in about.get(f"data-{name}", "").split()}
        assert used == values, name
    assert set(options) == {"paper", "table", "task", "method", "verdict"}


def test_comparisons_and_tables_without_training_are_those_that_the_tables_step_wrote(study):
    study.profile("tiny", ["3m"], ["gpae_on", "mappo"], "controls", seeds=2)
    for number, job in enumerate(study.jobs("tiny")):
        study.measure(job, lambda s, p, number=number: 8 - 4 * number + s)
    text = page(study)
    whole(study, text)
    assert "Does credit help without reuse?" in text and "+40.0 (" in text
    assert "The paper compares the whole" in text and "not in a paper" in text
    row = next(row for row in text.split("<tr>") if "<td>GPAE (on) − MAPPO</td>" in row)
    assert 'href="#job-gpae_on-3m-seeds-0-1"' in row and 'href="#job-mappo-3m-seeds-0-1"' in row
    for name in untrained.NAMES:
        assert f"<h3>About {name}</h3>" in text
    assert '<td>x|y</td><td class="number">2 <sup>r</sup></td>' in text and "<sup>r</sup> why" in text


def test_curves_are_the_panels_that_matplotlib_draws(study):
    study.profile("tiny", ["hopper_3x1"], ["mappo", "coma"], seeds=2)
    job = study.jobs("tiny", method_name="mappo")[0]
    study.measure(job, lambda s, p: 100.0 * p + 20 * s)
    text = page(study)
    data = json.loads(re.search(r'id="curves">(.*?)</script>', text, re.DOTALL)[1])
    assert set(data) == {f"table2-{kind}" for kind in study.params.experiment("table2").figures}
    (panel,) = data["table2-tasks"]["panels"]
    (shown,) = figures.KINDS["tasks"].panels(study.params, "tiny", "table2", study.root)
    (curve,) = panel["curves"]
    assert curve["steps"] == shown.curves[0].env_steps.tolist() and curve["mean"] == [10.0, 110.0, 210.0]
    assert curve["error"] == [10.0, 10.0, 10.0] and panel["tasks"] == ["hopper_3x1"]
    assert [look["label"] for look in data["table2-tasks"]["methods"]] == ["MAPPO"]
    assert panels.labels(study.params, "tiny", "table2")["coma"] in panel["absent"]


def test_frames_and_films_are_shown_where_they_were_drawn(study):
    assert "<code>gpae frames --profile tiny</code>" in page(study)
    frames = study.root / "artifacts" / "tiny" / "frames"
    frames.mkdir()
    (frames / "mabrax.png").write_bytes(b"a frame")
    (frames / "mabrax.gif").write_bytes(b"a film")
    text = page(study)
    whole(study, text)
    assert "gpae frames" not in text and 'src="frame-mabrax.png" data-film="frame-mabrax.gif"' in text


@pytest.mark.parametrize(
    ("file", "command"), [("figures/table2-tasks.png", "plot"), ("tables/hyperparameters.md", "tables")]
)
def test_a_missing_file_is_named_with_its_command_and_the_old_page_stays(study, file, command):
    text = page(study)
    (study.root / "artifacts" / "tiny" / file).unlink()
    with pytest.raises(ConfigError, match=f"{file}: no such file; it is made by: gpae {command} --profile tiny"):
        report.build(study.params, "tiny", study.root)
    assert (folder(study) / "index.html").read_text() == text


def test_energy_is_time_times_watts():
    about = {"platform": "cpu", "device": "cpu", "cores": 2, "wall_seconds": 1800.0}
    found = energy.estimate(about)
    assert found.seconds == 1800 and found.watt_hours == pytest.approx(0.5 * 2 * 3.5 * 1.56)
    gpu = energy.estimate(about | {"platform": "gpu", "device": "NVIDIA H100 80GB HBM3"})
    assert gpu.watt_hours == pytest.approx(0.5 * (700 + 7) * 1.56) and "H100 SXM" in [it.name for it in gpu.constants]
    assert energy.accelerator("NVIDIA H100 PCIe").value == 350 and energy.accelerator("NVIDIA H200").value == 700
    unknown = energy.estimate(about | {"platform": "gpu", "device": "Abacus 3000"})
    assert unknown.watt_hours is None and energy.total([found, unknown]).watt_hours is None
    assert energy.total([found, gpu]).watt_hours == pytest.approx(found.watt_hours + gpu.watt_hours)


def test_every_verdict_has_a_meaning_and_a_look():
    assert tuple(report.verdicts.MEANING) == claims.VERDICTS and set(claims.VERDICTS) <= set(report.verdicts.LOOK)
