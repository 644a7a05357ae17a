"""The report in a real browser, offline: nothing fetched, nothing refused, all of it works and agrees with the JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from harness.core.campaign import CampaignResult, CellResult
from harness.core.launch import OpRecord, OpTable
from harness.core.outcome import Failed
from reports.html import render
from reports.names import clipped
from reports.view import document
from tests.support.fleet import PLACES, a_fleet_result
from tests.support.hostile import HOSTILE_NAMES
from tests.support.interactions import ACTS, settle, time_act
from tests.support.large_campaign import a_large_campaign_result
from tests.support.results import (
    LINUX,
    NO_DEVICE,
    a_campaign_result,
    a_cell_result,
    a_device,
    a_rich_campaign_result,
    a_told_cell_result,
    a_variant,
    some_cells,
    some_ops,
    some_unmeasured_cells,
)

Scheme = Literal["light", "dark"]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CONTRAST = Path(__file__).parents[1] / "support" / "contrast.js"
CHARTS = ("pareto", "ratio", "ops", "launches", "memory")


@dataclass
class Visit:
    """A page with all that it said and asked for."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        return [text.strip() for text in self.page.locator(selector).all_text_contents()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def rich_page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """One page for tests that only look."""
    with_page = visit(browser, tmp_path_factory.mktemp("rich"), a_rich_campaign_result())
    yield with_page
    with_page.page.context.close()


def visit(
    browser: Browser, folder: Path, result: CampaignResult, *, scheme: Scheme = "light", width: int = 1280
) -> Visit:
    file = folder / "report.html"
    file.write_text(render(document(result)), encoding="utf-8")
    context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": width, "height": 900})
    context.set_default_timeout(10_000)
    made = Visit(page=context.new_page(), address=file.as_uri())
    made.page.on("console", lambda message: made.complaints.append(message.text))
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    made.page.on("dialog", lambda dialog: made.complaints.append(f"dialog {dialog.message}"))
    made.page.on("request", lambda request: made.requests.append(request.url))
    made.page.goto(made.address)
    settle(made.page)
    return made


def rows(page: Page, table: str = "#cells-table") -> list[list[str]]:
    """Texts of the rows that are shown."""
    shown: list[list[str]] = page.eval_on_selector_all(
        f"{table} tbody tr:not([hidden])",
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))",
    )
    return shown


def sort_values(page: Page, column: int) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "#cells-table tbody tr", f"rows => rows.map(row => row.cells[{column}].dataset.v)"
    )
    return found


def test_the_page_is_quiet_and_asks_for_nothing(rich_page: Visit) -> None:
    assert (rich_page.complaints, rich_page.requests) == ([], [rich_page.address])


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_drawn_and_described(rich_page: Visit, chart: str) -> None:
    place = rich_page.page.locator(f"#chart-{chart}")
    assert place.locator("svg path").count() > 5
    assert place.get_attribute("aria-label")


def test_every_chart_has_a_table_beside_it(rich_page: Visit) -> None:
    for section in ("tradeoff", "operators", "launches", "memory"):
        assert rich_page.page.locator(f"#{section} table tbody tr").count() > 0


def test_numbers_are_those_of_the_document(rich_page: Visit) -> None:
    cells = document(a_rich_campaign_result())["cells"]
    shown = rich_page.page.eval_on_selector_all(
        "#cells-table tbody tr",
        "rows => rows.map(row => [row.dataset.cell, row.cells[4].dataset.v, row.cells[8].dataset.v])",
    )
    for cell, (cell_id, ratio, median) in zip(cells, shown, strict=True):
        assert cell_id == cell["id"]
        for text, part, key in ((ratio, "vs_float", "latency_ratio"), (median, "latency_ns", "median")):
            value = cell[part][key] if cell[part] else None
            assert (float(text) if text else None) == (None if value is None else pytest.approx(value, rel=1e-5))


def test_a_heading_sorts_up_and_then_down(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_rich_campaign_result()).page
    heading = page.locator("#cells-table thead th", has_text="Median")
    for direction, order in (("ascending", 1), ("descending", -1)):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == direction
        values = sort_values(page, 8)
        numbers = [float(value) for value in values if value]
        assert all(order * a <= order * b for a, b in pairwise(numbers))
        assert values[-1] == ""  # the failed cell has none, and stays last
    page.context.close()


def test_a_heading_sorts_from_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_rich_campaign_result()).page
    page.locator("#cells-table thead th button", has_text="Variant").focus()
    page.keyboard.press("Enter")
    names = [row[1] for row in rows(page)]
    assert names == sorted(names)
    page.context.close()


def test_filters_narrow_the_table_and_count(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_rich_campaign_result()).page
    page.fill("#find", "mobilenet builtin")
    assert {(row[0], "builtin" in row[2]) for row in rows(page)} == {("mobilenet_v2", True)}
    page.select_option("#by-outcome", "failed")
    assert [row[1] for row in rows(page)] == ["dynamic-int8"]
    assert page.locator("#shown").text_content() == "1 of 54 cells"
    page.context.close()


def test_the_menu_turns_charts_and_tables_to_another_group(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_rich_campaign_result()).page
    before = page.locator("#chart-pareto").inner_html()
    page.select_option("#focus", label="mobilenet_v2 · local · cpu")
    assert page.locator("#chart-pareto").inner_html() != before
    assert [row[0] for row in rows(page, "#load table")] == [
        "float32", "float16", "dynamic-int8", "int8", "sparse-50", "palette-4",
    ]  # fmt: skip
    page.context.close()


def test_source_and_answer_are_compared_first(rich_page: Visit) -> None:
    assert rich_page.texts("#ops-caption .side") == ["A digits float32 on local cpu", "B digits int8 on local cpu"]


def test_another_pair_is_compared_when_chosen(browser: Browser, tmp_path: Path) -> None:
    result = a_rich_campaign_result()
    page = visit(browser, tmp_path, result).page
    cells = {(c["variant"], c["compute_unit"]): c for c in document(result)["cells"] if c["model"] == "digits"}
    a, b = cells["float16", "cpu"], cells["int16x8", "cpu/builtin"]
    page.select_option("#op-a", a["id"])
    page.select_option("#op-b", b["id"])
    for row, left, right in zip(rows(page, "#ops-table"), a["ops"], b["ops"], strict=True):
        assert row[1] == left["name"]
        for text, op in ((row[4], left), (row[5], right)):
            assert (
                text == "folded"
                if op["latency_ns"] is None
                else float(text) == pytest.approx(op["latency_ns"] / 1e3, rel=5e-3)
            )
    page.context.close()


def test_operators_of_one_side_alone_are_shown(browser: Browser, tmp_path: Path) -> None:
    """Quantising adds operators at both ends and renames one in the middle."""
    page = visit(browser, tmp_path, a_campaign_result([a_cell_result("float32", ops=some_ops(6)), quantised()])).page
    found = [(row[1], row[2]) for row in rows(page, "#ops-table")]
    assert found[0] == ("quantize/in only in B", "QUANTIZE")
    assert found[-1] == ("dequantize/out only in B", "DEQUANTIZE")
    assert found[3][0] == "model/block_0/add_2B: renamed"
    assert len(found) == 8
    page.context.close()


def quantised() -> CellResult:
    table = some_ops(6)
    first, third = table.ops[0], table.ops[2]
    ops = (
        replace(first, name="quantize/in", type="QUANTIZE"),
        *table.ops[:2],
        replace(third, name="renamed"),
        *table.ops[3:],
        replace(first, name="dequantize/out", type="DEQUANTIZE"),
    )
    return a_cell_result("int8", ops=numbered(table, ops))


def numbered(table: OpTable, ops: tuple[OpRecord, ...]) -> OpTable:
    return replace(table, ops=tuple(replace(op, index=i) for i, op in enumerate(ops)))


def test_doubt_of_the_mapping_is_said(browser: Browser, tmp_path: Path) -> None:
    doubtful = replace(some_ops(6), approximate=True, mapping_cost=2.0)
    page = visit(
        browser, tmp_path, a_campaign_result([a_cell_result("float32"), a_cell_result("int8", ops=doubtful)])
    ).page
    assert "B: mapping approximate" in (page.locator("#op-notes .doubt").text_content() or "")
    page.context.close()


def test_operators_that_cover_little_of_the_run_are_doubted(browser: Browser, tmp_path: Path) -> None:
    short = replace(some_ops(6), coverage=0.06)
    cells = [a_cell_result("float32"), a_cell_result("int8", ops=short)]
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    assert "B: its operators cover only 6 % of the run" in (page.locator("#op-notes .doubt").text_content() or "")
    page.context.close()


def test_time_below_the_profiler_clock_is_no_zero(browser: Browser, tmp_path: Path) -> None:
    table = some_ops(6)
    ops = (replace(table.ops[0], latency_ns=0.0), *table.ops[1:])
    coarse = replace(table, ops=ops, resolution_ns=1000.0)
    cells = [a_cell_result("float32"), a_cell_result("int8", ops=coarse)]
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    first = page.locator("#ops-table tbody tr").first.locator("td").all_text_contents()
    assert (first[5].split()[:2], first[6]) == (["<", "1"], "\u2013")
    page.context.close()


def test_shares_are_those_of_the_document(browser: Browser, tmp_path: Path) -> None:
    """And there are none where little of the run was seen."""
    cells = [a_cell_result("float32"), a_cell_result("int8", ops=replace(some_ops(6), coverage=0.5))]
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    ops = document(a_campaign_result(cells))["cells"][0]["ops"]
    for row, op in zip(rows(page, "#ops-table"), ops, strict=True):
        assert (row[7], row[8]) == ("\u2013" if op["share"] is None else f"{100 * op['share']:.1f} %", "\u2013")
    page.context.close()


def test_a_sum_with_times_below_the_clock_is_a_least(browser: Browser, tmp_path: Path) -> None:
    table = some_ops(6)
    coarse = replace(table, ops=(replace(table.ops[0], latency_ns=0.0), *table.ops[1:]), resolution_ns=1e5)
    page = visit(browser, tmp_path, a_campaign_result([a_cell_result("float32", ops=coarse)])).page
    total = page.locator("#ops-table tfoot td").all_text_contents()
    assert (total[3].split()[0], total[5]) == ("\u2265", "\u2013")
    page.context.close()


def test_first_shown_is_a_group_whose_operators_can_be_told_apart(browser: Browser, tmp_path: Path) -> None:
    short = replace(some_ops(6), coverage=0.06)
    cells = [
        a_cell_result("float32", model="tiny", ops=short),
        a_cell_result("int8", model="tiny", ops=short),
        a_cell_result("int16x8", model="tiny"),  # long enough, but not what is compared first
        a_cell_result("float32", model="large"),
    ]
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    assert "large" in (page.locator("#focus option:checked").text_content() or "")
    page.context.close()


def test_first_shown_is_rather_a_group_whose_source_was_not_disturbed(browser: Browser, tmp_path: Path) -> None:
    cells = [
        a_cell_result("float32", model="noisy", grade="D"),
        a_cell_result("int8", model="noisy"),
        a_cell_result("float32", model="calm"),
    ]
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    assert "calm" in (page.locator("#focus option:checked").text_content() or "")
    page.context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_what_was_left_out_breaks_long_names_and_no_short_words(browser: Browser, tmp_path: Path, width: int) -> None:
    cells = [a_cell_result("float32"), a_cell_result("n" * 28, recipe="int8", outcome=Failed(error="x" * 200))]
    page = visit(browser, tmp_path, a_campaign_result(cells), width=width).page
    page.locator("#left-out").scroll_into_view_if_needed()
    heights = page.eval_on_selector_all("#left-out thead th", "heads => heads.map(head => head.offsetHeight)")
    assert max(heights) < 40  # one line
    within = "all => all.every(one => one.offsetWidth <= one.parentElement.clientWidth)"
    assert page.eval_on_selector_all("#left-out tbody .name", within)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def detail_of(page: Page, variant: str) -> str:
    page.locator("#cells-table [data-open]", has_text=variant).first.click()
    return page.locator("#detail").inner_text()


def test_a_cell_opens_with_all_that_is_known_of_it(browser: Browser, tmp_path: Path) -> None:
    cells = [a_cell_result("float32"), a_told_cell_result()]
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    text = detail_of(page, "int8")
    for part in (
        "the Interpreter API because Variable tensors not yet supported",
        "XNNPACK 48/65 in 18",
        "CONV_2D accounts for 91 %.",
        "SOFTMAX: left as in the source",
        "Notes on the variant",
        "using it",
        "10.5 ms (0.500\u00d7)",
    ):
        assert part in text
    page.keyboard.press("Escape")
    assert page.locator("#detail").is_hidden()
    page.context.close()


def test_a_cell_is_compared_with_its_source_from_its_details(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_rich_campaign_result()).page
    detail_of(page, "uint8")
    page.locator("#detail button", has_text="Compare").click()
    assert [text.split()[2] for text in page.locator("#ops-caption .side").all_text_contents()] == ["float32", "uint8"]
    page.context.close()


def test_every_cell_that_was_timed_is_explained(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_campaign_result([a_cell_result("float32"), a_told_cell_result()])).page
    explained = rows(page, "#why table")
    assert [row[0] for row in explained] == ["float32", "int8"]
    assert explained[1][3].endswith("CONV_2D accounts for 91 %.")
    page.context.close()


def test_words_of_others_in_the_details_are_text(browser: Browser, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>{b|x}"
    shown = visit(browser, tmp_path, a_campaign_result([a_cell_result("float32"), a_told_cell_result(text=hostile)]))
    assert hostile in detail_of(shown.page, "int8")
    assert (shown.complaints, shown.page.locator("img").count()) == ([], 0)
    shown.page.context.close()


def test_what_moves_the_screen_is_made_visible_in_the_explanation(browser: Browser, tmp_path: Path) -> None:
    cells = [a_cell_result("float32"), a_told_cell_result(text="name\u202egnp")]
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    text = detail_of(page, "int8")
    assert "name\ufffdgnp" in text
    assert "\u202e" not in text
    page.context.close()


def test_an_idle_weight_cache_is_told_in_the_details(browser: Browser, tmp_path: Path) -> None:
    made = a_told_cell_result()
    assert made.cold is not None
    idle = replace(made, cold=replace(made.cold, idle=True))
    page = visit(browser, tmp_path, a_campaign_result([a_cell_result("float32"), idle])).page
    assert "the cache is idle" in detail_of(page, "int8")
    page.context.close()


@pytest.mark.thorough
def test_a_large_campaign_answers_every_act(browser: Browser, tmp_path: Path) -> None:
    """Five architectures, 32 recipes: every act ends in a drawn frame, and turns what it is to turn."""
    shown = visit(browser, tmp_path, a_large_campaign_result(launches=3))
    for act in ACTS.values():
        time_act(shown.page, act)
        settle(shown.page)
    assert shown.complaints == []
    assert "resnet_v2_101" in (shown.page.locator("#ops-caption .side.a").text_content() or "")
    assert len(rows(shown.page, "#ops-table")) == 80
    shown.page.locator("#ops-more").click()
    assert len(rows(shown.page, "#ops-table")) > 200
    shown.page.context.close()


def test_a_link_of_the_contents_leads_to_its_section_on_a_long_page(browser: Browser, tmp_path: Path) -> None:
    visited = visit(browser, tmp_path, a_large_campaign_result(recipes=("float32", "int8"), launches=2))
    for section in ("trust", "memory", "operators"):
        visited.page.click(f"nav a[href='#{section}']")
        visited.page.wait_for_function(
            "id => Math.abs(document.getElementById(id).getBoundingClientRect().top - 70) <= 70",
            arg=section,
        )
    visited.page.context.close()


def test_hostile_names_are_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    ops = some_ops(len(HOSTILE_NAMES))
    named = [replace(op, name=name, kernels=(name,)) for op, name in zip(ops.ops, HOSTILE_NAMES, strict=True)]
    ops = replace(ops, ops=tuple(named))
    cells = [cell for name in HOSTILE_NAMES for cell in hostile_cells(name, ops)]
    shown = visit(browser, tmp_path, a_campaign_result(cells))
    clean = [name.encode("utf-8", "replace").decode() for name in HOSTILE_NAMES]
    short = [clipped(name, 32) for name in clean]
    assert {tuple(row[:2]) for row in rows(shown.page)} >= set(zip(short, short, strict=True))
    assert sorted(row[1] for row in rows(shown.page, "#ops-table")) == sorted(clipped(name, 90) for name in clean)
    assert (shown.complaints, shown.requests) == ([], [shown.address])
    assert shown.page.locator("img").count() == 0
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 1280
    shown.page.context.close()


def hostile_cells(name: str, ops: OpTable) -> list[CellResult]:
    """A model by a name: its source, a variant by the same name, and one whose failure says it."""
    variant = a_variant(name, model=name, recipe="int8", notes=(name,))
    failed = replace(a_cell_result("uint8", model=name), latency=None, load=None)
    return [
        a_cell_result("float32", model=name, ops=ops),
        a_cell_result(name, model=name, recipe="int8", ops=ops, built=variant),
        replace(failed, outcome=Failed(error=name, stderr_tail=name)),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_paint_page_and_charts(browser: Browser, tmp_path: Path, scheme: Scheme) -> None:
    shown = visit(browser, tmp_path, a_rich_campaign_result(), scheme=scheme)
    ground, ink = shown.page.evaluate(
        "(() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; })()"
    )
    assert (brightness(ground) > brightness(ink)) == (scheme == "light")
    assert shown.page.locator("#chart-pareto").screenshot() != shown.page.locator("#chart-memory").screenshot()
    assert len(shown.page.screenshot()) > 20_000
    shown.page.context.close()


def brightness(colour: str) -> int:
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


def test_the_theme_can_be_turned(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_campaign_result()).page
    button = page.locator("#theme")
    themes = []
    for _ in range(3):
        button.click()
        themes.append((button.text_content(), page.evaluate("document.documentElement.dataset.theme")))
    assert themes == [("Theme: light", "light"), ("Theme: dark", "dark"), ("Theme: automatic", "light")]
    page.context.close()


def test_it_prints_with_its_tables(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_rich_campaign_result(), scheme="dark").page
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.table:not([open])").count() == 0
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.table[open]").count() == 0
    page.context.close()


def test_a_phone_scrolls_tables_and_not_the_page(browser: Browser, tmp_path: Path) -> None:
    shown = visit(browser, tmp_path, a_rich_campaign_result(), width=390)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert shown.complaints == []
    shown.page.context.close()


def test_a_simulated_banner_stays_in_sight(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_campaign_result(devices=[a_device(simulated=True)])).page
    page.evaluate("window.scrollTo({ top: 1e6, behavior: 'instant' })")
    box = page.get_by_role("alert").bounding_box()
    assert box is not None
    assert box["y"] == 0
    assert page.title().startswith("SIMULATED")
    page.context.close()


def test_an_empty_campaign_is_a_page_without_complaints(browser: Browser, tmp_path: Path) -> None:
    shown = visit(browser, tmp_path, a_campaign_result([], models=[]))
    assert shown.complaints == []
    assert "Nothing was measured" in shown.page.inner_text("#answer")
    shown.page.context.close()


def test_where_nothing_was_measured_no_empty_box_stands(browser: Browser, tmp_path: Path) -> None:
    cells = [a_cell_result(name, outcome=Failed(error="crashed")) for name in ("float32", "int8")]
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    boxes = [page.locator(f"#chart-{chart}").bounding_box() for chart in CHARTS]
    assert all(box is not None and box["height"] < 100 for box in boxes)
    assert page.locator("#ops-table").is_hidden()
    assert page.locator("#op-pair").is_hidden()
    page.context.close()


def test_what_no_device_can_run_is_shown_by_size_and_fidelity(browser: Browser, tmp_path: Path) -> None:
    shown = visit(browser, tmp_path, a_campaign_result(some_unmeasured_cells()))
    card = shown.page.inner_text("#answer .answer")
    assert f"not measured: {NO_DEVICE}; the smallest whose outputs are kept is int8" in card
    assert f"computed by {LINUX}" in card
    told = f"Not measured: {NO_DEVICE}. These are sizes and fidelity by {LINUX}, not latencies."
    assert told in (shown.page.locator("#sizes").text_content() or "")
    assert [text.strip() for text in shown.page.locator("#sizes thead th").all_text_contents()] == [
        "Variant", "Size", "Zip", "Weights", "SNR", "Top-1 same", "Accuracy", "Target", "Outputs",
    ]  # fmt: skip
    assert rows(shown.page, "#sizes table")[3][-2:] == ["iOS18", "\u2715 OUTPUTS BROKEN"]
    assert shown.page.locator("#matrix").count() == 0
    assert shown.complaints == []
    shown.page.context.close()


def test_sizes_sort_and_open_the_cell_with_its_target(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_campaign_result(some_unmeasured_cells(("float32", "float16", "int8")))).page
    page.locator("#sizes thead button", has_text="Size").click()
    assert [row[0] for row in rows(page, "#sizes table")] == ["int8", "float16", "float32 source"]
    page.locator("#sizes [data-open]").first.click()
    assert page.locator("#detail dt", has_text="Target").locator("+ dd").text_content() == "iOS18"
    assert page.locator("#detail dt", has_text="Compared by").locator("+ dd").text_content() == LINUX
    page.context.close()


def test_charts_of_what_no_device_can_run_say_that_nothing_was_timed(browser: Browser, tmp_path: Path) -> None:
    cells = (*some_cells(("float32", "int8"), ["cpu"]), *some_unmeasured_cells())
    shown = visit(browser, tmp_path, a_campaign_result(cells))
    shown.page.select_option("#focus", label="program \u00b7 local \u00b7 cpu")
    settle(shown.page)
    assert shown.page.locator("#chart-pareto").text_content() == "No latency was measured here."
    assert shown.page.locator("#chart-ratio svg").count() == 0
    assert shown.complaints == []
    shown.page.context.close()


def test_a_device_that_runs_nothing_of_a_model_says_why_once(browser: Browser, tmp_path: Path) -> None:
    cells = (
        *some_cells(("float32", "int8"), ["cpu"]),
        *some_unmeasured_cells(("float32", "int8"), model="digits", device="board"),
    )
    page = visit(browser, tmp_path, a_campaign_result(cells)).page
    assert page.locator("#matrix td.skipped").all_text_contents() == [f"skipped: {NO_DEVICE}"]
    assert page.locator("#sizes").count() == 0
    page.context.close()


def test_sizes_scroll_on_a_phone_and_not_the_page(browser: Browser, tmp_path: Path) -> None:
    shown = visit(browser, tmp_path, a_campaign_result(some_unmeasured_cells()), width=390)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    shown.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_what_no_device_can_run_stands_out(browser: Browser, tmp_path: Path, scheme: Scheme) -> None:
    page = visit(browser, tmp_path, a_campaign_result(some_unmeasured_cells()), scheme=scheme).page
    assert page.evaluate(CONTRAST.read_text(encoding="utf-8")) == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Browser, tmp_path: Path, scheme: Scheme) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1, over every text that is on screen."""
    page = visit(browser, tmp_path, a_rich_campaign_result(), scheme=scheme).page
    assert page.evaluate(CONTRAST.read_text(encoding="utf-8")) == []
    page.context.close()


@pytest.fixture(scope="module")
def fleet_page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """Devices of several families, one page for tests that only look."""
    with_page = visit(browser, tmp_path_factory.mktemp("fleet"), a_fleet_result(), width=1400)
    yield with_page
    with_page.page.context.close()


def first_table(page: Page) -> list[list[str]]:
    """Of what to ship, the rows of the first model."""
    found: list[list[str]] = page.locator("#answer .ship").first.evaluate(
        "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return found


def test_several_devices_have_one_table_of_what_to_ship(fleet_page: Visit) -> None:
    found = [(row[0], row[1], row[2].split()[0]) for row in first_table(fleet_page.page)]
    assert found[:2] == [("local", "cpu", "int8"), ("local", "cpu:4", "int8")]
    assert ("pixel8", "gpu", "dynamic-int8") in found
    assert found[-1] == ("galaxy", "\u2013", "not")
    assert len(found) == len(PLACES) + 1


def test_a_table_that_goes_on_beyond_its_edge_says_so_until_it_is_scrolled(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_fleet_result(models=("digits",)), width=1400).page
    table, sign = page.locator("#matrix .scroll"), page.locator("#matrix .beyond")
    assert sign.is_visible()
    table.evaluate("place => { place.scrollLeft = 1e5; }")
    sign.wait_for(state="hidden")
    table.evaluate("place => { place.scrollLeft = 0; }")
    sign.wait_for(state="visible")
    page.context.close()


def test_a_table_that_fits_has_no_sign(rich_page: Visit) -> None:
    assert rich_page.page.locator("#load .beyond").count() == 0


def test_launches_without_samples_say_why(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_fleet_result(), width=1400).page
    assert page.locator("#launch-notes").text_content() == ""
    page.select_option("#focus", label="digits \u00b7 pixel8 \u00b7 gpu")
    settle(page)
    assert "benchmark_model 2.16.1 keeps no single samples" in (page.locator("#launch-notes").text_content() or "")
    assert "steps of 1.00 \u00b5s" in (page.locator("#launch-notes").text_content() or "")
    assert page.locator("#chart-launches svg path").count() > 5
    assert rows(page, "#launches table")[0][-3:] == ["\u2013"] * 3
    page.context.close()


def test_a_cell_of_a_phone_opens_with_the_state_of_the_phone(browser: Browser, tmp_path: Path) -> None:
    page = visit(browser, tmp_path, a_fleet_result(), width=1400).page
    page.locator("#cells-table tr", has_text="pixel8").locator("[data-open]").first.click()
    text = page.locator("#detail").inner_text()
    for part in (
        "82 % \u2192 72 %",
        "0 (none) \u2192 1 (light)",
        "governor: refused: no root",
        "keeps no single samples",
    ):
        assert part in text
    page.context.close()


@pytest.mark.parametrize("width", [390, 1400])
def test_several_devices_scroll_their_tables_and_not_the_page(browser: Browser, tmp_path: Path, width: int) -> None:
    shown = visit(browser, tmp_path, a_fleet_result(), width=width)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    assert (shown.complaints, shown.requests) == ([], [shown.address])
    shown.page.context.close()


@pytest.mark.parametrize("name", [" ".join(HOSTILE_NAMES[:-1]), HOSTILE_NAMES[-1]], ids=["short ones", "long"])
def test_hostile_words_of_a_device_are_shown_as_text(browser: Browser, tmp_path: Path, name: str) -> None:
    shown = visit(browser, tmp_path, a_fleet_result(models=("digits",), hostile=name))
    page = shown.page
    page.locator("#cells-table tr", has_text="pixel8").locator("[data-open]").first.click()
    assert (shown.complaints, shown.requests) == ([], [shown.address])
    assert page.locator("img").count() == 0
    assert "\u202e" not in page.locator("body").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_several_devices_stands_out(browser: Browser, tmp_path: Path, scheme: Scheme) -> None:
    page = visit(browser, tmp_path, a_fleet_result(models=("digits",)), scheme=scheme).page
    assert page.evaluate(CONTRAST.read_text(encoding="utf-8")) == []
    page.context.close()
