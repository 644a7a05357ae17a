"""The formats of a report, by name."""

from collections.abc import Callable, Mapping

from reports import exports, html

Document = Mapping[str, object]

EXTENSIONS: Mapping[str, str] = {
    "html": "html",
    "json": "json",
    "csv": "csv",
    "markdown": "md",
    "trace": "trace.json",
}
_RENDERERS: Mapping[str, Callable[[dict[str, object]], str]] = {
    "html": html.render,
    "json": exports.json_text,
    "csv": exports.csv_text,
    "markdown": exports.markdown_text,
    "trace": exports.trace_text,
}


def render(document: dict[str, object], name: str) -> str:
    """A document as text in the format called name, one of EXTENSIONS."""
    return _RENDERERS[name](document)
