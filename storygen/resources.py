"""Where the files that travel with the package are: `prompts/`, `constitution/`, `storygen/data/`."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_ASSETS = _PACKAGE / "assets"


def folder(name: str) -> Path:
    """`prompts` or `constitution`: inside an installed wheel, else beside the package in a checkout."""
    packaged = _ASSETS / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def data(name: str) -> Path:
    """A binary or table of `storygen/data/` (the bank, the plot model, sentinels)."""
    return _PACKAGE / "data" / name
