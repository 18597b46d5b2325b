"""Writes docs/commands.md out of the commands' own help: `python docs/commands.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from storygen.cli import cli

HEAD = "# Commands\n\nMade by `python docs/commands.py`; a test compares.\n"


def sections(group: click.Group, before: str) -> Iterator[str]:
    """Each command's help, in the order of its group."""
    for name, command in group.commands.items():
        path = f"{before} {name}"
        if isinstance(command, click.Group):
            yield from sections(command, path)
            continue
        context = click.Context(command, info_name=path, max_content_width=110, terminal_width=110)
        yield f"## {path}\n\n```\n{command.get_help(context)}\n```\n"


def page() -> str:
    return "\n".join((HEAD, *sections(cli, "storygen")))


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(page(), encoding="utf-8")
