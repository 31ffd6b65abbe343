"""The page in a real browser: Debian's Chromium, without a network."""

import re
import shutil

import pages
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from study import Study

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("no chromium here: apt-get install chromium", allow_module_level=True)
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
WIDTHS = {"phone": 360, "tablet": 768, "desk": 1400}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two tables and a figure of three methods, not all of them run, with a film."""
    study = Study(tmp_path_factory.mktemp("page"))
    methods = ["gpae_off", "gpae_on", "mappo", "coma"]
    chosen = {
        "table2": {"tasks": ["3m", "hopper_3x1"], "methods": methods},
        "figure1": {"methods": methods},
        "controls": {"tasks": ["3m"], "methods": methods[:3]},
    }
    study.profile("tiny", [], [], experiments=chosen, seeds=3)
    levels = {"gpae_off": 8, "gpae_on": 6, "mappo": 4}
    for job in study.jobs("tiny"):
        if level := levels.get(job.method_name):
            scale = 1 if job.score == "win_rate_percent" else 150
            study.measure(job, lambda s, p, level=level, scale=scale: scale * (level * p // 2 + s % 2))
    frames = study.root / "artifacts" / "tiny" / "frames"
    frames.mkdir()
    for name, colour in (("figure3.png", "navy"), ("smax.png", "navy"), ("smax.gif", "olive")):
        Image.new("RGB", (640, 320), colour).save(frames / name)
    pages.build(study)
    return study


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, study):
    """Opens the page; at the end nothing was said on the console, and nothing asked for from outside the folder."""
    folder, contexts, said, asked = pages.folder(study), [], [], []

    def opened(width=1400, anchor="", **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        page.goto((folder / "index.html").as_uri() + anchor)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert all(url.startswith((folder.as_uri() + "/", "data:")) for url in asked) and asked


def claims(page):
    """The rows of numbers, orderings and sentences that are not filtered away."""
    return page.locator(".claim:not(.off)")


def test_it_loads_without_an_error_and_takes_nothing_from_outside(visit, study):
    page = visit()
    assert page.locator("h1").inner_text() == "What was measured, beside what the papers print"
    # a plot in every panel that has a curve
    assert page.locator(".plot canvas").count() == page.locator(".panel", has=page.locator(".plot")).count() > 5
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_a_task_alone(visit):
    page = visit()
    everything = claims(page).count()
    page.locator("#by-task").select_option("hopper_3x1")
    left = claims(page).evaluate_all("rows => rows.map(row => row.dataset.task.split(' '))")
    assert 0 < len(left) < everything and all("hopper_3x1" in tasks for tasks in left)
    assert page.locator("#shown").inner_text() == f"{len(left)} of {everything} numbers, orderings and sentences"
    rows = page.locator("#table2 table.results tbody th.task:visible")
    assert rows.all_inner_texts() == ["hopper_3x1"]
    assert not page.locator("#figure1").is_visible() and not page.locator('nav a[href="#figure1"]').is_visible()
    shown = page.locator("#table2 .panel:visible h3").all_inner_texts()
    assert shown and all("SMAX" not in title and title != "3m" for title in shown)
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".off")).to_have_count(0)
    assert claims(page).count() == everything and page.locator("#figure1").is_visible()


def test_a_method_alone(visit):
    page = visit()
    heads = page.locator("#table2 table.results thead th:visible")
    before = heads.count()
    page.locator("#by-method").select_option("mappo")
    assert heads.all_inner_texts() == ["Task", "Steps", "MAPPO"] and before > 3
    keys = page.locator("#table2 .keys").first.locator("label:visible")
    assert [text.strip() for text in keys.all_inner_texts()] == ["MAPPO"]
    jobs = page.locator("#jobs [data-method]:visible")
    assert {row.get_attribute("data-method") for row in jobs.all()} == {"mappo"}


def test_a_paper_a_table_and_a_verdict_together(visit):
    page = visit()
    page.locator("#by-paper").select_option("gpae")
    page.locator("#by-table").select_option("table2")
    page.locator("#by-verdict").select_option("not-run")
    rows = claims(page).evaluate_all("rows => rows.map(row => ({...row.dataset}))")
    assert rows
    for row in rows:
        assert (row["paper"], row["verdict"]) == ("gpae", "not-run") and "table2" in row["table"].split()
    assert not page.locator("#controls").is_visible() and page.locator("#claims").is_visible()


def test_a_count_of_verdicts_leads_to_them(visit):
    page = visit()
    button = page.locator(".choose[data-verdict=differs]").first
    count = int(re.match(r"\d+", button.inner_text())[0])
    button.click()
    assert page.locator("#by-verdict").input_value() == "differs" and page.locator("#by-paper").input_value() == "gpae"
    assert claims(page).filter(has=page.locator("th.task")).count() == count
    assert claims(page).first.is_visible()


def test_curves_are_switched_by_pointer_and_by_keyboard(visit):
    page = visit()
    figure = page.locator("#table2 .charts").first
    canvas, box = figure.locator("canvas").first, figure.get_by_label("GPAE (off)")
    whole = canvas.screenshot()
    box.click()
    page.wait_for_timeout(100)
    assert canvas.screenshot() != whole and not box.is_checked()
    box.focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(100)
    assert canvas.screenshot() == whole and box.is_checked()


def test_values_are_read_under_the_pointer_and_by_arrow_keys(visit):
    page = visit()
    plot = page.locator("#table2 .plot").first
    plot.scroll_into_view_if_needed()
    values = plot.locator(".values")
    assert not values.is_visible()
    place = plot.locator(".u-over").bounding_box()
    page.mouse.move(place["x"] + place["width"] - 4, place["y"] + 60)
    values.wait_for(state="visible")
    text = values.inner_text()
    assert "steps" in text and re.search(r"GPAE \(off\)\s+83.33 ± 3.333", text) and re.search(r"MAPPO\s+43.33", text)
    page.mouse.move(2, 2)
    values.wait_for(state="hidden")
    plot.focus()
    page.keyboard.press("ArrowRight")
    assert values.inner_text().startswith("0 steps")
    page.keyboard.press("ArrowRight")
    assert not values.inner_text().startswith("0 steps") and "steps" in values.inner_text()
    page.locator("#theme").focus()
    values.wait_for(state="hidden")


def test_the_numbers_of_a_figure_are_there_as_a_table(visit):
    page = visit()
    figure = page.locator("#table2 .charts").first
    figure.get_by_text("The numbers").click()
    row = figure.locator("tr", has_text="GPAE (off)").filter(has_text="83.33").first
    assert row.is_visible() and "3.333" in row.inner_text()


def test_every_link_leads_to_something_that_is_then_seen(visit):
    page = visit(anchor="#job-mappo-3m-seeds-0-1")
    assert page.locator("#job-mappo-3m-seeds-0-1").is_visible()
    targets = page.evaluate("[...new Set([...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.hash))]")
    assert len(targets) > 30
    lost = page.evaluate(
        """async (targets) => {
            const lost = [];
            for (const hash of targets) {
                location.hash = hash;
                await new Promise(done => setTimeout(done));
                const place = document.getElementById(hash.slice(1))?.getBoundingClientRect();
                if (!place || !place.height) lost.push(hash);
            }
            return lost;
        }""",
        targets,
    )
    assert lost == []


def test_a_link_to_what_is_filtered_away_shows_it(visit):
    page = visit()
    page.locator("#by-method").select_option("mappo")
    assert not page.locator("#figure1").get_by_text("GPAE (on)").first.is_visible()
    page.evaluate("location.hash = '#job-gpae_on-3m-seeds-0-1'")
    expect(page.locator("[name=method]").first).to_have_value("")
    assert page.locator("#job-gpae_on-3m-seeds-0-1").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_it_fits(visit, width, theme):
    page = visit(width, color_scheme=theme, reduced_motion="reduce")
    page.evaluate("document.querySelectorAll('details').forEach(part => (part.open = true))")
    page.wait_for_timeout(100)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 27)"
    assert dark == (theme == "dark")


@pytest.mark.parametrize(("width", "theme"), [(1400, "dark"), (360, "light")])
def test_it_can_be_read_by_everybody(visit, width, theme):
    page = visit(width, color_scheme=theme, reduced_motion="reduce")
    # of every list a few: the others look alike, and would take minutes
    page.evaluate("""() => {
        document.querySelectorAll('details').forEach(part => {
            if (part.dataset.group === undefined || part.open) part.open = true;
            else part.remove();
        });
        for (const one of ['tr', '.claim', '.jobs tbody', 'option'])
            document.querySelectorAll(`${one}:nth-of-type(n+4)`).forEach(further => further.remove());
    }""")
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": rules, "preload": False})
    assert found.violations_count == 0, found.generate_report()


def test_the_theme_can_be_chosen(visit):
    page = visit(color_scheme="light")
    plot = page.locator("#table2 .plot").first
    before = plot.screenshot()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 27)"
    page.wait_for_timeout(100)
    assert plot.screenshot() != before and page.get_by_role("button", name="Light").is_visible()


def test_a_film_plays_when_asked(visit):
    page = visit()
    film = page.locator("figure.film", has=page.locator("[data-film]"))
    still = film.locator("img").get_attribute("src")
    film.get_by_role("button", name="Play").click()
    assert film.locator("img").get_attribute("src") == "frame-smax.gif" != still
    film.get_by_role("button", name="Stop").click()
    assert film.locator("img").get_attribute("src") == still


def test_in_print_all_is_there_and_curves_are_images(visit):
    page = visit(width=794, color_scheme="dark")  # A4
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("#filter, nav, .charts").filter(visible=True).count()
    assert page.locator(".still img").first.is_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 794
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 3
    assert len(page.pdf(format="A4", page_ranges="1-2")) > 20_000


def test_without_scripts_all_is_there(visit):
    page = visit(java_script_enabled=False)
    assert page.locator(".still img").first.is_visible() and not page.locator("#filter").is_visible()
    assert page.get_by_role("heading", name="Where the numbers come from").is_visible()
