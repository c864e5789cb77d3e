"""The compare page in a real browser: what is seen and pressed, set against the records."""

import json

import numpy as np
import pytest

from feedrun.cli import compare
from feedrun.compare import page as html
from feedrun.compare import thinning
from feedrun.maths import stats
from feedrun.records import find, store, sweeps
from scripts import browser
from tests import children, made

api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.chromium() is None, reason="no Chromium (make tools installs it)"),
    # Greenlets of playwright are collected while warnings are errors.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SEEDS, STEPS = 5, 60
RATES = (0.01, 0.1, 1.0)


def loss(rate, seed):
    """The logged losses of one run: they span many decades and differ a little by seed."""
    steps = np.arange(STEPS)
    return np.exp(-steps * rate / 3) * (2 + seed / 10)


def outputs(folder):
    """Three rates with five seeds each, and a failed, a stopped, a queued and a smoke run."""
    jobs = []
    for number, (rate, seed) in enumerate((r, s) for r in RATES for s in range(SEEDS)):
        jobs.append(_run(folder, number, rate, seed))
    made.record(folder, id="broken", config=_config(0.5), state="failed", minute=70)
    halted = made.record(folder, id="halted", config=_config(0.2), state="unfinished", minute=71)
    _log(halted, loss(0.2, 0)[:20])
    made.record(folder, id="tiny", config=_config(1.0) | {"steps": 5}, scale="smoke", minute=72)
    jobs.append(sweeps.Job("late", "made", folder / "made" / "late", {"rate": "1.0", "seed": "9"}))
    sweeps.write(sweeps.Sweep(folder / "sweeps" / "rates-1", "rates", [], jobs, None))
    other = made.record(folder, id="one", experiment="größe 結果", minute=73)
    _log(other, loss(0.1, 0))


def _config(rate):
    return {"rate": rate, "steps": STEPS}


def _run(folder, number, rate, seed):
    values = loss(rate, seed)
    summary = {"error": float(values[-1]), "time": float(rate * seed)}
    claim = made.CLAIM | {"value": summary["error"], "low": summary["error"]}
    made_at = made.record(
        folder, id=f"run{number:02d}", config=_config(rate), seed=seed, minute=number,
        summary=summary, claims=[claim, claim | {"name": "rival", "origin": "rival"}],
    )  # fmt: skip
    _log(made_at, values)
    (made_at / "figures").mkdir()
    (made_at / "figures" / "bars.png").write_bytes(_png())
    job = {"rate": str(rate), "seed": str(seed)}
    return sweeps.Job(f"run{number:02d}", "made", made_at, job)


def _log(folder, values):
    with open(folder / "metrics.jsonl", "w") as rows:
        for step, value in enumerate(values):
            row = {"step": 10 * step, "time": step / 4, "loss": float(value), "half": value / 2}
            rows.write(json.dumps(row) + "\n")


def _png():
    import io

    from matplotlib.figure import Figure

    figure, target = Figure(figsize=(2, 1)), io.BytesIO()
    figure.subplots().bar([0, 1], [1, 2])
    figure.savefig(target, dpi=50)
    return target.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the records and the page made of them."""
    place = tmp_path_factory.mktemp("compare")
    outputs(place / "outputs")
    assert compare.main([str(place / "outputs"), "--out", str(place / "compare.html")]) == 0
    return place


@pytest.fixture(scope="module")
def running():
    api.expect.set_options(timeout=1000 * children.PATIENCE)
    with browser.browser() as one:
        yield one


@pytest.fixture
def visit(running, folder):
    """Open the page with some choices; afterwards: no error, and nothing asked of anybody."""
    opened = []

    def visit(choices="", **context):
        context = {"viewport": {"width": 1280, "height": 800}, **context}
        page = running.new_context(**context).new_page()
        page.set_default_timeout(1000 * children.PATIENCE)
        heard, asked = [], []
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        opened.append((page, heard, asked))
        browser.visit(page, folder / "compare.html", choices)
        return page

    yield visit
    own = (folder / "compare.html").as_uri()
    for page, heard, asked in opened:
        assert heard == []
        assert all(url.split("#")[0] == own or url.startswith(("blob:", "data:")) for url in asked)
        page.context.close()


def reading(page, metric):
    """What the chart of a metric says at its last point, read with the keyboard."""
    panel = page.locator(".panel", has=page.locator(f"h3:text-is('{metric}')"))
    panel.locator(".plot").focus()
    page.keyboard.press("End")
    return panel.locator(".tip").inner_text()


def table(page):
    """The cells of the table of runs, row by row."""
    rows = page.locator("#run-table tbody tr").all()
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]


def four(value):
    return f"{value:.4g}"


def test_the_overview_counts_every_state(visit):
    page = visit()
    facts = page.locator("#facts").inner_text()
    assert "19 runs: 16 complete, 1 failed, 1 stopped, 1 queued" in facts
    assert "broken failed: RuntimeError: it broke" in page.locator("#faults").inner_text()
    smoke = page.locator("#groups-table tr", has_text="smoke").inner_text()
    assert "counts for nothing" in smoke


def test_means_and_intervals_are_those_of_the_records(visit):
    page = visit("#f=rate%3D0.1")  # one group
    ends = np.array([loss(0.1, seed)[-1] for seed in range(SEEDS)])
    low, high = stats.mean_interval(ends)
    page.get_by_role("button", name="logarithmic y axis for loss").click()  # by itself it is linear
    page.get_by_role("button", name="logarithmic y axis for loss").click()
    text = reading(page, "loss")
    assert f"{four(ends.mean())} [{four(low)}, {four(high)}] at step 590" in text
    assert "mean of 5 runs, 95% interval" in text
    (row,) = table(page)
    assert any(
        four(ends.mean()) in cell and four(low) in cell and four(high) in cell for cell in row
    )


def test_on_a_log_axis_the_band_is_positive(visit):
    page = visit("#f=rate%3D1&ly=loss")
    ends = np.array([loss(1.0, seed)[-1] for seed in range(SEEDS)])
    half = stats.mean_interval(ends)[1] - ends.mean()
    low, high = (ends.mean() * np.exp(sign * half / ends.mean()) for sign in (-1, 1))
    spoken = reading(page, "loss").replace("e-", "e-0")  # Python writes two digits of an exponent
    assert all(four(value) in spoken for value in (ends.mean(), low, high))


def test_the_log_axis_is_switched_and_kept_in_the_address(visit):
    page = visit()
    switch = page.get_by_role("button", name="logarithmic y axis for loss")
    before = switch.get_attribute("aria-pressed")
    switch.click()
    assert switch.get_attribute("aria-pressed") != before
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert switch.get_attribute("aria-pressed") != before
    page.locator("[data-focus=lx]").click()
    assert page.locator("[data-focus=lx]").get_attribute("aria-pressed") == "true"


def test_a_time_axis_reads_the_same_values(visit):
    page = visit("#f=rate%3D0.1&x=time")
    ends = np.array([loss(0.1, seed)[-1] for seed in range(SEEDS)])
    assert four(ends.mean()) in reading(page, "loss")
    assert f"at {(STEPS - 1) / 4:g} s" in reading(page, "loss")


def test_smoothing_is_the_moving_average_it_says(visit):
    page = visit("#f=rate%3D0.1&s=0.9")
    mean = np.mean([loss(0.1, seed) for seed in range(SEEDS)], axis=0)
    total = weight = 0.0
    for value in mean:
        total, weight = 0.9 * total + 0.1 * value, 0.9 * weight + 0.1
    assert four(total / weight) in reading(page, "loss")


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("rate<=0.1 seed=3", {"run03", "run08"}),
        ("state=failed", {"broken"}),
        ("-complete", {"broken", "halted", "late"}),
        ("smoke", {"tiny"}),
        ("rate>0.1 error<1e-7", {f"run{n}" for n in range(10, 15)}),
    ],
)
def test_the_filter_keeps_what_it_names(visit, words, ids):
    page = visit("#t=runs")
    page.get_by_label("Filter").fill(words)
    api.expect(page.locator("#filtered")).to_contain_text(" of ")
    assert set(page.locator("#run-table tbody .id").all_inner_texts()) == ids


def test_an_unknown_column_is_said_and_nothing_is_hidden(visit):
    page = visit("#t=runs")
    page.get_by_label("Filter").fill("rtae=1")
    api.expect(page.locator("#filtered")).to_have_text("no column rtae")
    assert len(table(page)) == 19


def test_a_filter_drops_no_seed_from_a_mean(visit):
    whole = reading(visit("#f=rate%3D0.1"), "loss")
    assert reading(visit("#f=rate%3D0.1+seed%3D3"), "loss") == whole


def test_a_header_sorts_up_then_down_then_not(visit):
    page = visit("#t=runs")
    head = page.locator("#run-table th", has_text="error")
    errors = [loss(rate, seed)[-1] for rate in RATES for seed in range(SEEDS)] + [0.1]
    for direction, order in (("ascending", sorted(errors)), ("descending", sorted(errors)[::-1])):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == direction
        shown = [float(cell) for row in table(page) for cell in row[-3:-2] if cell != "–"]
        np.testing.assert_allclose(shown, order, rtol=1e-3)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "none"


def test_a_group_opens_to_its_single_runs(visit):
    page = visit("#f=rate%3D0.01")
    assert len(table(page)) == 1
    page.locator("#run-table .opener").click()
    rows = table(page)
    assert [row[0] for row in rows[1:]] == [f"run{n:02d}" for n in range(SEEDS)]
    errors = [loss(0.01, seed)[-1] for seed in range(SEEDS)]
    assert [row[-3] for row in rows[1:]] == [four(error) for error in errors]
    assert page.locator("#run-table .opener").get_attribute("aria-expanded") == "true"
    assert page.evaluate("panels.get('loss').drawn.length") == 1 + SEEDS  # the mean and each run
    assert page.evaluate("document.activeElement.className") == "opener"  # focus stays


def test_a_click_on_a_line_opens_its_group(visit):
    page = visit("#f=rate%3D0.01&m=loss")
    over = page.locator(".panel .u-over")
    over.scroll_into_view_if_needed()
    box, left, top = over.bounding_box(), 300, 0
    top = page.evaluate(
        f"(() => {{ const {{ plot, drawn }} = panels.get('loss'), i = plot.posToIdx({left});"
        "return plot.valToPos(plot.data[drawn[0].place][i], 'y'); })()"
    )
    page.mouse.move(box["x"] + left, box["y"] + top)
    assert "rate=0.01" in page.locator(".panel .tip").inner_text()
    page.mouse.click(box["x"] + left, box["y"] + top)
    assert page.evaluate("panels.get('loss').drawn.length") == 1 + SEEDS


def test_dragging_zooms_and_the_button_shows_all_again(visit):
    page = visit("#m=loss")
    page.locator(".panel").evaluate("panel => panel.scrollIntoView({ block: 'center' })")
    box = page.locator(".panel .u-over").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 60, steps=4)
    page.mouse.up()
    reach = (
        "(() => { const { min, max } = panels.get('loss').plot.scales.x; return [min, max]; })()"
    )
    low, high = page.evaluate(reach)
    assert 0 < low < high < 590
    assert page.evaluate("opened().size") == 0  # the end of a drag is no click
    page.get_by_role("button", name="Show all").click()
    browser.settle(page)
    assert page.evaluate(reach) == [0, 590]


def test_failed_and_stopped_runs_are_drawn_but_in_no_mean(visit):
    page = visit("#f=rate%3D0.2")
    text = reading(page, "loss")
    assert "stopped, not in the mean" in text and four(loss(0.2, 0)[19]) in text


def test_claims_stand_side_by_side(visit):
    page = visit("#f=rate%3D1+-smoke")
    header = page.locator("#claim-table thead").inner_text()
    cells = page.locator("#claim-table tbody tr").first.inner_text()
    assert "rate=1" in header and "✓ holds" in cells and "<= 0.5" in cells
    page.get_by_label("Show").select_option("differ")
    assert "No such claim" in page.locator("#claim-table").inner_text()


def test_figures_are_seen_and_enlarged(visit):
    page = visit("#f=rate%3D0.1")
    page.locator("#figures").scroll_into_view_if_needed()
    images = page.locator("#figure-grid img")
    assert images.count() == SEEDS
    api.expect(images.first).to_have_js_property("naturalWidth", 100)
    page.locator("#figure-grid button").first.click()
    assert page.locator("dialog[open] img").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_provenance_links_to_every_record(visit, folder):
    page = visit()
    assert "jax 0.10.2" in page.locator("#origin-same").inner_text()
    links = page.locator("#origin-table tbody a").all()
    assert len(links) == 18  # all but the queued one
    for link in links:
        target = page.evaluate("a => decodeURI(new URL(a.href).pathname)", link.element_handle())
        assert store.Path(target, "run.json").exists()


def test_the_other_experiment_has_its_own_page(visit):
    page = visit()
    page.get_by_role("tab", name="größe 結果").click()
    assert page.locator("#title").inner_text() == "größe 結果"
    assert four(loss(0.1, 0)[-1]) in reading(page, "loss")


def test_theme_follows_the_system_until_chosen(visit):
    dark, light = visit(color_scheme="dark"), visit(color_scheme="light")
    shade = "getComputedStyle(document.body).backgroundColor"
    assert (dark.evaluate(shade), light.evaluate(shade)) == (
        "rgb(21, 23, 28)",
        "rgb(252, 252, 251)",
    )
    button = light.locator("#theme")
    button.click()
    button.click()
    assert button.inner_text() == "Theme: dark"
    assert light.evaluate(shade) == "rgb(21, 23, 28)"


def test_everything_can_be_reached_with_the_keyboard(visit):
    page = visit("#f=rate%3D0.1")
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                "return [e.id || e.dataset.focus || e.className || e.tagName, s.outlineStyle]; })()"
            )
        )
    names = [name for name, _ in seen]
    for wanted in ("skip", "theme", "filter", "lx", "plot", "sort error", "open 1", "sy", "cl"):
        assert any(wanted in name for name in names), wanted
    assert [name for name, outline in seen if outline == "none" and name != "BODY"] == []


def test_a_phone_has_no_sideways_scroll(visit):
    page = visit(viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    plots = page.locator(".panel .plot").all()
    assert all(plot.bounding_box()["width"] <= 390 for plot in plots)


def test_on_paper_it_is_light_and_without_controls(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(252, 252, 251)"
    for control in ("#filter", "#curve-controls", "#theme", "nav"):
        assert not page.locator(control).is_visible()
    assert page.locator("#run-table").is_visible() and page.locator("#panels").is_visible()


def test_a_watched_page_reloads_itself_and_keeps_what_was_chosen(running, tmp_path):
    def write():
        found = find.gather([tmp_path / "outputs"])
        text, _ = html.build(found, tmp_path, read=thinning.read, live=0.5)
        (tmp_path / "page.html").write_text(text, encoding="utf-8")

    made.record(tmp_path / "outputs", id="a")
    write()
    page = running.new_page()
    page.set_default_timeout(1000 * children.PATIENCE)
    browser.visit(page, tmp_path / "page.html", "#t=runs&th=dark")
    page.get_by_label("every 0.5 s").check()
    made.record(tmp_path / "outputs", id="b", seed=1, minute=1)
    write()
    api.expect(page.locator("#facts")).to_contain_text("2 runs: 2 complete")
    # The page reloads twice a second: only expectations that look again are safe.
    api.expect(page.locator("#run-table tbody .id")).to_have_text(["a", "b"])
    api.expect(page.locator("#theme")).to_have_text("Theme: dark")
    api.expect(page.get_by_label("every 0.5 s")).to_be_checked()
    page.close()


def test_pictures_of_the_page(visit, folder):
    """Kept in the test's folder for whoever wants to look."""
    for name, context in {
        "light": {}, "dark": {"color_scheme": "dark"},
        "phone": {"viewport": {"width": 390, "height": 844}},
    }.items():  # fmt: skip
        target = folder / f"{name}.png"
        visit(**context).screenshot(path=str(target), full_page=True)
        assert target.stat().st_size > 20_000
