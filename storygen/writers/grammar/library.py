"""Forms and pools of sentences as the planner wants them, made once a process from the tables."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storygen.table_types import Form, Tables
from storygen.writers.grammar.patterns import Pattern, Pool, parse, spoken


@dataclass(frozen=True, slots=True)
class Beat:
    """One step of a plan. `rank` 0 must stand, the others come in as length allows, low ranks first."""

    name: str
    rank: int = 0
    speech: bool = False  # only the words said: the form names the speaker


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Beats told together; `label` is put before them, `heading` on a line of its own."""

    beats: tuple[Beat, ...]
    label: str = ""
    heading: str = ""
    joined: bool = False  # follows the one before on the next line, without a blank line


@dataclass(frozen=True, slots=True)
class Shape:
    """A form made ready: whole plans to choose from, its own pools, and who tells."""

    id: str
    voice: str
    plans: tuple[tuple[Paragraph, ...], ...]
    pools: Mapping[str, Pool]
    labels: Mapping[str, Pattern]
    speaker: str  # the label to use when a speech cannot be cut out of its sentence
    headed: bool


def lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines() if line.strip()]


def shape(raw: Mapping[str, Any]) -> Shape:
    """A form's table as a `Shape`."""
    return Shape(
        raw["id"],
        raw.get("voice", "third"),
        tuple(plan(line) for line in lines(raw["plan"])),
        {name: Pool(lines(text)) for name, text in raw.get("pools", {}).items()},
        {name: parse(text) for name, text in raw.get("labels", {}).items()},
        raw.get("speaker", ""),
        bool(raw.get("headed", False)),
    )


def plan(line: str) -> tuple[Paragraph, ...]:
    """`open detail:2 | @ask ask! reply! | #later end` as paragraphs."""
    out = []
    for part in line.split("|"):
        label = heading = ""
        joined = False
        beats = []
        for word in part.split():
            if word == "^":
                joined = True
            elif word[0] == "@":
                label = word[1:]
            elif word[0] == "#":
                heading = word[1:]
            else:
                name, _, rank = word.partition(":")
                beats.append(Beat(name.rstrip("!"), int(rank or 0), name.endswith("!")))
        out.append(Paragraph(tuple(beats), label, heading, joined))
    return tuple(out)


class Library:
    """Every pool by its key, parsed when first drawn from."""

    def __init__(self, tables: Tables, root: Path) -> None:
        self.tables = tables
        self._pools: dict[tuple[str, ...], Pool] = {}
        self.generic: dict[str, Pool] = {}
        self.aside: dict[str, Shape] = {}  # forms of the placebo arm
        for path in sorted((root / "generic").glob("*.toml")):
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
            for name, value in raw.items():
                if isinstance(value, str):
                    self.generic[name] = Pool(lines(value))
            for entry in raw.get("form", []):
                self.aside[entry["id"]] = shape(entry)
        self._shapes: dict[str, Shape] = {}

    def shape(self, form: Form) -> Shape:
        found = self._shapes.get(form.id)
        if found is None:
            found = self._shapes[form.id] = shape(form.raw)
        return found

    def pool(self, owner: Any, kind: str, field: str, speech: bool = False) -> Pool:
        """The pool of one field of a table's entry; `speech` keeps the patterns that are mostly spoken words."""
        key = (kind, owner.id, field, "!") if speech else (kind, owner.id, field)
        found = self._pools.get(key)
        if found is None:
            sources = getattr(owner, field)
            if speech:
                sources = [said for said in map(spoken, sources) if said]
            found = self._pools[key] = Pool(sources)
        return found

    def pairs(self, owner: Any, kind: str, field: str) -> tuple[Pool, Pool]:
        """The first and the second halves of a field's "one ==> the other", in the same order."""
        key = (kind, owner.id, field)
        if (*key, "1") not in self._pools:
            halves = [source.split(" ==> ") for source in getattr(owner, field)]
            for k in (0, 1):
                self._pools[*key, str(k + 1)] = Pool(half[k].strip() for half in halves)
        return self._pools[*key, "1"], self._pools[*key, "2"]


def content_version(root: Path) -> str:
    """A short hash of the pools that this writer alone reads."""
    digest = hashlib.sha256()
    for path in sorted([*(root / "generic").glob("*.toml"), *(root / "forms").glob("*.toml")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
