"""The page as text: what it may hold, and how large it may be."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from harness.core.outcome import Measured
from reports.html import as_script_data, render
from reports.page import page_data, significant
from reports.view import document
from tests.support.hostile import HOSTILE_NAMES
from tests.support.large_campaign import a_large_campaign_result
from tests.support.results import (
    a_campaign_result,
    a_cell_result,
    a_device,
    a_huge_campaign_result,
    a_measurement,
    a_told_cell_result,
    a_variant,
)

PLAIN = render(document(a_campaign_result()))


class Outline(HTMLParser):
    """Elements, attributes and the text inside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.inside: list[tuple[str, str]] = []
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open in ("script", "style"):
            self.inside.append((self._open, data))
            self._open = ""


def test_no_element_loads_anything() -> None:
    loads = {"src", "srcset", "data", "action", "formaction", "poster", "ping", "style"}
    assert [found for found in Outline(PLAIN).attributes if found[1] in loads] == []


@pytest.mark.parametrize(
    ("fallback", "said"), [("no variable tensors", "no variable tensors"), (None, "the only face of this runtime")]
)
def test_the_interpreter_is_explained_by_what_the_runtime_said(fallback: str | None, said: str) -> None:
    made = a_told_cell_result()
    assert isinstance(made.outcome, Measured)
    told = replace(made, outcome=Measured(measurement=replace(made.outcome.measurement, fallback=fallback)))
    page = render(document(a_campaign_result([told])))
    assert f'<span class="only" title="{said}">Interpreter</span>' in page


def test_cold_starts_are_shown_by_the_median_of_their_sums() -> None:
    page = render(document(a_campaign_result([a_told_cell_result()])))
    assert '<td class="n" data-v="2.1e+07">21.0 ms</td>' in page


def test_an_idle_weight_cache_is_marked() -> None:
    made = a_told_cell_result()
    assert made.cold is not None
    page = render(document(a_campaign_result([replace(made, cold=replace(made.cold, idle=True))])))
    assert '">10.5 ms (idle)</td>' in page


def test_a_source_took_no_time_to_build() -> None:
    built = replace(a_variant("float32"), build_s=0.0)
    page = render(document(a_campaign_result([a_cell_result("float32", built=built)])))
    assert "0.00 ns" not in page


def test_links_stay_in_the_page() -> None:
    assert {value[0] for tag, name, value in Outline(PLAIN).attributes if name == "href" and value} == {"#"}


def test_the_policy_names_the_hash_of_every_script_and_style() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', PLAIN)
    assert policy is not None
    allowed = set(re.findall(r"sha256-[A-Za-z0-9+/=]+", policy[1].replace("&#43;", "+")))
    inside = [text for _, text in Outline(PLAIN).inside if not text.startswith('{"cells"')]
    hashes = {"sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inside}
    assert hashes == allowed
    assert len(hashes) == 3


def test_the_policy_forbids_everything_else() -> None:
    assert "default-src &#39;none&#39;" in PLAIN
    assert "unsafe-inline" not in PLAIN.partition("<style>")[0]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_adds_no_element(name: str) -> None:
    def page(variant: str) -> Outline:
        return Outline(render(document(a_campaign_result([a_cell_result(variant, recipe="int8")]))))

    assert set(page(name).tags) <= set(page("z" * 10_000).tags)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_data_in_the_page_cannot_end_its_element(name: str) -> None:
    text = as_script_data({"name": name})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"name": name}


def test_a_page_can_always_be_encoded() -> None:
    made = document(a_campaign_result([a_cell_result("lone \ud800", recipe="int8")]))
    assert render(made).encode()


def test_a_simulated_campaign_says_so_in_title_and_banner() -> None:
    page = render(document(a_campaign_result(devices=[a_device(simulated=True)])))
    assert "<title>SIMULATED:" in page
    assert "SIMULATED: times are made up." in page


def test_a_measured_campaign_never_says_simulated() -> None:
    assert "SIMULATED" not in PLAIN.partition("<script")[0]


def test_an_empty_campaign_says_that_nothing_was_measured() -> None:
    assert "Nothing was measured" in render(document(a_campaign_result([], models=[])))


def test_missing_parts_leave_the_page_whole() -> None:
    result = a_cell_result("int8")
    bare = replace(result, variant=None, latency=None, load=None, grade=None, comparison=None, size_ratio=None)
    assert "</html>" in render(document(a_campaign_result([bare], devices=[], models=[])))


def test_data_of_the_page_is_columnar_and_shared() -> None:
    made = document(a_campaign_result())
    data = page_data(made)
    names = [data["columns"][cell["ops"]["name"]] for cell in data["cells"]]
    assert all(column == names[0] for column in names)
    assert len({cell["ops"]["name"] for cell in data["cells"]}) == 1


def test_operators_survive_the_columns() -> None:
    made = document(a_campaign_result())
    data = page_data(made)
    cell, ops = data["cells"][0], made["cells"][0]["ops"]
    named = [data["strings"][place] for place in data["columns"][cell["ops"]["name"]]]
    assert named == [op["name"] for op in ops]
    assert data["columns"][cell["ops"]["ns"]] == [significant(op["latency_ns"]) for op in ops]


def test_the_page_holds_no_raw_samples() -> None:
    few = render(document(a_campaign_result([a_cell_result("int8", inferences=10)])))
    many = render(document(a_campaign_result([a_cell_result("int8", inferences=1000)])))
    assert abs(len(many) - len(few)) < 500


@pytest.mark.parametrize(("value", "short"), [(1234567.8, 1235000), (0.123456, 0.1235), (None, None), (5.0, 5)])
def test_numbers_of_the_page_have_four_digits(value: float | None, short: float | None) -> None:
    assert significant(value) == short


def test_two_hundred_cells_fit_in_four_megabytes() -> None:
    assert len(render(document(a_huge_campaign_result())).encode()) < 4_000_000


def test_five_architectures_with_every_recipe_fit_in_six_megabytes() -> None:
    assert len(render(document(a_large_campaign_result())).encode()) < 6_000_000


def test_the_canary_is_shown_from_fastest_to_slowest() -> None:
    assert '<td class="n" data-v="0.005">0.5 %</td>' in PLAIN


def test_a_canary_that_was_not_taken_is_unknown() -> None:
    measurement = a_measurement(launches=1)
    bare = replace(measurement.launches[0], canary_before=None, canary_after=None)
    without = a_cell_result("int8", outcome=Measured(measurement=replace(measurement, launches=(bare,))))
    assert '<td class="n" data-v="">' in render(document(a_campaign_result([without])))


def test_a_reason_that_every_cell_has_is_said_for_the_device() -> None:
    cells = [a_cell_result(name, grade="B", grade_reasons=("no sensor at all",)) for name in ("float32", "int8")]
    shown = re.sub(r' title="[^"]*"', "", render(document(a_campaign_result(cells))).partition("<script")[0])
    assert shown.count("no sensor at all") == 2  # beside the answer and in the section on trust, not once a cell
