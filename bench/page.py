"""Where benchmarks write: a section of a page of docs/, replaced by the next run, with date, machine and load."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
TITLES = {
    "benchmarks.md": "# Benchmarks\n\nEach section is written by the command above it. Figures of one table are of "
    "one run on one machine: compare inside a table.\n",
    "scale.md": "# Scale\n\nEach section is written by the command above it.\n",
}


def machine() -> str:
    """Date, processor, cores, load (1 minute) and Python of this run."""
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = re.findall(r"model name\s*: (.*)", info)[0]
    except (OSError, IndexError):
        name = platform.processor() or platform.machine()
    load = os.getloadavg()[0]
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return f"{now}; {name}, {os.cpu_count()} cores, load {load:.1f} at the end; Python {platform.python_version()}"


def command() -> str:
    """The command line of this run, as someone in the repository's root would type it."""
    script = Path(sys.argv[0]).resolve().relative_to(DOCS.parent)
    return " ".join(["python", str(script), *sys.argv[1:]])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def section(page: str, name: str, title: str, body: str) -> str:
    """The page's text with that section in it, in place of the one of an earlier run."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = f"{begin}\n## {title}\n\n```\n{command()}\n```\n\n{machine()}\n\n{body.strip()}\n{end}\n"
    if begin not in page:
        return page.rstrip("\n") + "\n\n" + text
    before, _, rest = page.partition(begin)
    return before + text + rest.partition(end + "\n")[2]


def write(file: str, name: str, title: str, body: str) -> None:
    """Print a section, and put it into its page."""
    path = DOCS / file
    page = path.read_text(encoding="utf-8") if path.exists() else TITLES[file]
    path.write_text(section(page, name, title, body), encoding="utf-8")
    print(f"\n{title}\n{machine()}\n\n{body}\nwritten to {path}")
