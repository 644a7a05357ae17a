"""The report: one HTML file that needs nothing but a browser, and lets nothing out.

Names in it come from models and configurations that somebody else wrote. They reach the page as escaped text or inside
a JSON block that the script reads with JSON.parse; a hash policy keeps any other script and style from running.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import conditions, device_view, numbers, tables, unmeasured
from reports.delegates import cell_marks, delegate_extent, delegate_words
from reports.names import clipped
from reports.page import page_data, shape_text

if TYPE_CHECKING:
    from jinja2 import Environment

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("format.js", "align.js", "tables.js", "charts.js", "operators.js", "detail.js", "page.js")
VERDICTS = {
    "faster": "▼ faster",
    "slower": "▲ slower",
    "same": "= same",
    "inconclusive": "? inconclusive",
}
QUALITIES = {
    "kept": "✓ outputs kept",
    "reduced": "△ outputs reduced",
    "broken": "✕ OUTPUTS BROKEN",
    "not meaningful": "fidelity not meaningful",
    "unknown": "fidelity unknown",
}


def render(document: Mapping[str, Any]) -> str:
    """The whole page. Raises nothing for odd names; a document without cells gives a page that says so."""
    library = (ASSETS / "echarts.min.js").read_text(encoding="utf-8")
    script = "\n".join((ASSETS / "page" / name).read_text(encoding="utf-8") for name in SCRIPTS)
    style = (ASSETS / "page" / "page.css").read_text(encoding="utf-8")
    return (
        _templates()
        .get_template("page.html")
        .render(
            **document,
            **_arranged(document),
            policy=content_policy(scripts=(library, script), styles=(style,)),
            library=_trusted(library),
            script=_trusted(script),
            style=_trusted(style),
            data=_trusted(as_script_data(page_data(document))),
        )
    )


def as_script_data(value: object) -> str:
    """JSON that cannot end the script element it stands in, whatever strings it holds."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def content_policy(*, scripts: tuple[str, ...], styles: tuple[str, ...]) -> str:
    """A policy that runs these texts and nothing else, and fetches nothing."""
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hashes(texts: tuple[str, ...]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _arranged(document: Mapping[str, Any]) -> dict[str, object]:
    groups, matrices = tables.groups(document), tables.matrices(document)
    said = unmeasured.said(document)
    figures = {matrix.model["model"]: unmeasured.figures(matrix) for matrix in matrices}
    return {
        "matrices": matrices,
        "unmeasured": [shown for shown in figures.values() if shown],
        "measured": [matrix for matrix in matrices if matrix.rows and not figures[matrix.model["model"]]],
        "told": {c["id"] for c in document["cells"] if (c["model"], c["reason"]) in said},
        "groups": groups,
        "front": frozenset().union(*(tables.pareto_front(cells) for cells in groups.values())),
        "broken": tables.broken_variants(document),
        "ships": tables.ships(document),
        "shipped": tables.shipped(document),
        "absent": dict(tables.absent_devices(document)),
        "several_devices": len({cell["device"] for cell in document["cells"]}) > 1,
        "states": device_view.state_of(document["cells"]),
        "condition_names": conditions.columns(cell["conditions"] for cell in document["cells"]),
        "doubts": tables.doubts(document),
        "doubts_of": {device["name"]: device["doubts"] for device in document["devices"]},
        "outcomes": tables.outcome_counts(document),
        "grades": tables.grade_counts(document),
        "simulated": any(device["simulated"] for device in document["devices"]),
        "simulated_devices": {device["name"] for device in document["devices"] if device["simulated"]},
        "blank": Blank(),
        "verdict_texts": VERDICTS,
        "quality_texts": QUALITIES,
    }


class Blank(dict[str, None]):
    """Stands for a part of a cell that is missing: whatever is asked of it is unknown."""

    def __missing__(self, key: str) -> None:
        return None


def _trusted(text: str) -> object:
    """Text that the template must not escape: our own assets, and data already made safe."""
    from markupsafe import Markup

    return Markup(text)


@cache  # compiling the templates takes most of the time of a small page
def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(ASSETS / "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clip": clipped,
        "duration": numbers.duration,
        "times": numbers.times,
        "span": numbers.span,
        "duration_span": numbers.duration_span,
        "canary_spread": _canary_spread,
        "bytes": numbers.size,
        "percent": numbers.percent,
        "rounded": numbers.rounded,
        "shape": shape_text,
        "moment": _moment,
        "group": tables.group_key,
        "sortable": _sortable,
        "unplanned": tables.unplanned,
        "figures_title": unmeasured.title,
        "delegate": delegate_words,
        "extent": delegate_extent,
        "marks": cell_marks,
        "readings": conditions.readings,
        "condition_lines": conditions.known_lines,
        "device_summary": device_view.summary_text,
        "device_lines": device_view.told_lines,
    }
    environment.tests["startswith"] = str.startswith
    environment.tests["longer_than"] = lambda text, most: len(text) > most
    return environment


def _moment(seconds: float | None) -> str:
    return numbers.MISSING if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _sortable(value: float | str | None) -> str:
    """What a column sorts by; an empty text sorts last."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else clipped(str(value))


def _canary_spread(cell: Mapping[str, Any]) -> float | None:
    """How much slower the slowest canary of the cell's blocks was than the fastest, as a share."""
    readings = [launch[key] for launch in cell["launches"] for key in ("canary_before_ns", "canary_after_ns")]
    taken = [reading for reading in readings if reading]
    return max(taken) / min(taken) - 1 if taken else None
