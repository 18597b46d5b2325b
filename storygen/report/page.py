"""report.html: one file that opens offline, the data inside it as JSON that scripts only ever put into text nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent
ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def render(report: Mapping[str, Any]) -> str:
    """The page. No text of the corpus can leave its JSON: `<`, `>` and `&` are escaped in it."""
    data = json.dumps(report, ensure_ascii=False, separators=(",", ":")).translate(ESCAPES)
    data = "".join(c if not 0xD800 <= ord(c) <= 0xDFFF else "\\ufffd" for c in data) if not _encodes(data) else data
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_read("page.html"))
    return template.render(
        title=f"storygen report: {report['folder']}",
        css=_safe("page.css"),
        libraries=[_safe("vendor/d3.min.js"), _safe("vendor/plot.min.js")],
        script=_safe("page.js"),
        data=Markup(data),
        report=report,
    )


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _safe(name: str) -> Any:
    """A file of ours, which is not escaped."""
    return Markup(_read(name))
