"""Writes docs/commands.md out of the commands' own help: `python docs/commands.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from storygen.cli import cli

HEAD = "# Commands\n\nMade by `python docs/commands.py`; a test compares.\n"


def sections(group: click.Group, above: click.Context) -> Iterator[str]:
    """Each command's help, in the order of its group."""
    for name, command in group.commands.items():
        context = click.Context(command, parent=above, info_name=name, max_content_width=110, terminal_width=110)
        if isinstance(command, click.Group):
            yield from sections(command, context)
        else:
            yield f"## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"


def page() -> str:
    whole = click.Context(cli, info_name="storygen", **cli.context_settings)
    return "\n".join((HEAD, *sections(cli, whole)))


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(page(), encoding="utf-8")
