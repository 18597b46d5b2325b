"""report.html: one file that opens offline, the data inside it as JSON that scripts only ever put into text nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from storygen.report.cards import escaped
from storygen.report.index import Index

HERE = Path(__file__).parent
SCRIPTS = ("dom.js", "records.js", "figures.js", "page.js")  # in the order in which they need each other


def render(report: Mapping[str, Any], index: Index) -> str:
    """The page. No text of the corpus can leave its JSON: `<`, `>` and `&` are escaped in it."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_read("page.html"))
    return template.render(
        css=_safe("page.css"),
        scripts=[_safe(name) for name in SCRIPTS],
        data=Markup(escaped(report)),
        index=Markup(escaped(index.to_json())),
        report=report,
    )


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _safe(name: str) -> Any:
    """A file of ours, which is not escaped."""
    return Markup(_read(name))
