"""Everything in `prompts/` as frozen values: the places, the people, the pressures, and the sentences about them.

    tables = load()
    tables.settings["peat-bog"].dilemmas[0].reason

Field names are those of the TOML files (`prompts/README.md`); every list is a tuple of strings, every table a mapping
in the order of its ids, so that the same files give the same premises whatever order a disk lists them in.
`python -m storygen.tables [FILES…]` checks what no parser can (see `storygen.table_checks`).
"""

from __future__ import annotations

import functools
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from storygen import resources
from storygen.errors import InputError
from storygen.records import KINDS
from storygen.table_types import (
    ERAS,
    MODES,
    PEOPLE,
    SCALES,
    STRESS,
    VALENCES,
    AiNames,
    Channel,
    ClauseSentences,
    Conduct,
    Culture,
    Dilemma,
    DocumentType,
    Forbid,
    Form,
    HumanDilemma,
    Lines,
    Outcome,
    Pressure,
    Problem,
    Setting,
    Skill,
    Tables,
    Temptation,
    Tone,
)

__all__ = [
    "ERAS",
    "MODES",
    "PEOPLE",
    "SCALES",
    "STRESS",
    "VALENCES",
    "AiNames",
    "Channel",
    "ClauseSentences",
    "Conduct",
    "Culture",
    "Dilemma",
    "DocumentType",
    "Forbid",
    "Form",
    "HumanDilemma",
    "Lines",
    "Outcome",
    "Pressure",
    "Problem",
    "Setting",
    "Skill",
    "Tables",
    "Temptation",
    "Tone",
    "load",
    "read",
]

Entry = TypeVar("Entry")
AXES: dict[str, type[Any]] = {
    "pressures": Pressure,
    "temptations": Temptation,
    "conducts": Conduct,
    "channels": Channel,
    "outcomes": Outcome,
    "skills": Skill,
    "tones": Tone,
}


class Reader:
    """Builds entries out of raw TOML and collects what is wrong, so that one look shows every broken file."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.origin: dict[int, str] = {}  # id() of an entry → its file, for messages

    def toml(self, path: Path, name: str) -> dict[str, Any]:
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            self.problems.append(Problem(name, "-", f"cannot be read as TOML: {error}"))
            return {}

    def build(self, cls: type[Entry], raw: Any, file: str, where: str = "", **given: Any) -> Entry | None:
        """`raw` as a `cls`; None (and problems) when keys are missing, unknown or of the wrong type."""
        before = len(self.problems)
        if not isinstance(raw, dict):
            self.problems.append(Problem(file, where or "-", "is not a table"))
            return None
        label = f"{where}{'.' if where else ''}"
        values, hints = dict(given), _hints(cls)
        for key in sorted(raw.keys() - hints.keys()):
            self.problems.append(Problem(file, label + key, "unknown key"))
        for name, (lines, required) in hints.items():
            if name in values:
                continue
            if name not in raw:
                if required:
                    self.problems.append(Problem(file, label + name, "missing"))
                continue
            value = as_lines(raw[name]) if lines else as_phrase(raw[name])
            if value is None:
                wanted = "lines of text or a list of strings" if lines else "a string that is not empty"
                self.problems.append(Problem(file, label + name, f"must be {wanted}"))
            else:
                values[name] = value
        if len(self.problems) > before:
            return None
        entry = cls(**values)
        self.origin[id(entry)] = file
        return entry

    def table(self, entries: Iterable[Any]) -> dict[str, Any]:
        """Entries by id, sorted; an id given twice is a problem."""
        out: dict[str, Any] = {}
        for entry in entries:
            if entry is None:
                continue
            if entry.id in out:
                first, file = self.origin[id(out[entry.id])], self.origin[id(entry)]
                self.problems.append(Problem(file, "id", f"'{entry.id}' is already in {first}"))
            out.setdefault(entry.id, entry)
        return dict(sorted(out.items()))


_HINTS: dict[type[Any], dict[str, tuple[bool, bool]]] = {}


def _hints(cls: type[Any]) -> dict[str, tuple[bool, bool]]:
    """Field → (is a list of lines, is required); fields of other types are given by the caller."""
    if cls not in _HINTS:
        types = get_type_hints(cls)
        need = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(cls)}
        _HINTS[cls] = {n: (types[n] == Lines, must) for n, must in need.items() if types[n] in (str, Lines)}
    return _HINTS[cls]


def as_lines(value: Any) -> Lines | None:
    """A multi-line string (one entry a line, blank lines skipped) or an array of strings; None for anything else."""
    if isinstance(value, str):
        return tuple(line.strip() for line in value.splitlines() if line.strip())
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    return None


def as_phrase(value: Any) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def load(root: Path | None = None) -> Tables:
    """The tables of a `prompts/` folder (default: the packaged one), built once a path.

    A folder or file that is not there is an empty table; one that is there and broken raises.

    Raises:
        InputError: names each broken file and field.
    """
    return _load((root or resources.folder("prompts")).resolve())


@functools.lru_cache(maxsize=8)
def _load(root: Path) -> Tables:
    tables, problems, _ = read(root)
    if problems:
        shown = "; ".join(map(str, problems[:5])) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise InputError(
            f"{len(problems)} problem(s) in {root}: {shown}.",
            "The format is in prompts/README.md; `python -m storygen.tables` lists every problem.",
        )
    return tables


def read(root: Path) -> tuple[Tables, list[Problem], Mapping[int, str]]:
    """Tables, what is broken, and the file of each entry (by `id()`); broken entries are left out."""
    reader = Reader()

    def files(folder: str) -> list[tuple[str, dict[str, Any]]]:
        found = sorted((root / folder).glob("*.toml")) if (root / folder).is_dir() else []
        return [(f"{folder}/{path.name}", reader.toml(path, f"{folder}/{path.name}")) for path in found]

    def axis(name: str, axes: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        parts = [part for part in axes if Path(part[0]).stem.split("-")[0] == name]
        return reader.table(
            reader.build(AXES[name], raw, file, _label("entry", raw, k))
            for file, whole in parts
            for k, raw in enumerate(whole.get("entry", []))
        )

    axes = files("axes")
    for file, whole in axes:
        stem = Path(file).stem
        known = {"forbid", "advice"} if stem == "constraints" else {"entry"}
        if stem != "constraints" and stem.split("-")[0] not in AXES:
            reader.problems.append(Problem(file, "-", f"unknown axis; known: {', '.join(AXES)}, constraints"))
        else:
            reader.problems.extend(Problem(file, key, "unknown key") for key in sorted(whole.keys() - known))
    names = files("names")
    settings = [_setting(reader, file, raw) for file, raw in files("settings") if raw]
    tables = Tables(
        settings=reader.table(settings),
        clauses=reader.table(reader.build(ClauseSentences, raw, file) for file, raw in files("clauses") if raw),
        cultures=reader.table(
            reader.build(Culture, raw, file) for file, raw in names if raw and file != "names/ai.toml"
        ),
        ai=_ai_names(reader, dict(names).get("names/ai.toml", {})),
        forms=reader.table(
            _form(reader, file, whole, raw) for file, whole in files("forms") for raw in _forms(whole)
        ),
        documents=reader.table(
            reader.build(DocumentType, raw, file, _label("type", raw, k))
            for file, whole in files("documents")
            for k, raw in enumerate(whole.get("type", []))
        ),
        constraints=tuple(_forbid(reader, raw, k) for k, raw in enumerate(_entries(axes, "constraints", "forbid"))),
        advice=_advice(reader, dict(axes).get("axes/constraints.toml", {}).get("advice", {})),
        **{name: axis(name, axes) for name in AXES},
    )
    return tables, reader.problems, reader.origin


def _entries(files: Sequence[tuple[str, dict[str, Any]]], stem: str, key: str) -> list[Any]:
    return [raw for file, whole in files if Path(file).stem == stem for raw in whole.get(key, [])]


def _label(key: str, raw: Any, k: int) -> str:
    identity = raw.get("id") if isinstance(raw, dict) else None
    return f"{key} '{identity}'" if identity else f"{key} {k + 1}"


def _setting(reader: Reader, file: str, raw: dict[str, Any]) -> Setting | None:
    own = {k: v for k, v in raw.items() if k not in ("dilemma", "human_dilemma")}
    parts: dict[str, tuple[Any, ...]] = {}
    for key, cls in (("dilemma", Dilemma), ("human_dilemma", HumanDilemma)):
        built = [reader.build(cls, d, file, _label(key, d, k)) for k, d in enumerate(raw.get(key, []))]
        parts[key] = tuple(reader.table(built).values())
    return reader.build(Setting, own, file, dilemmas=parts["dilemma"], human_dilemmas=parts["human_dilemma"])


def _forms(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A file is one form (it has an `id`), or holds arrays of them; a `kind` at the top holds for all."""
    if "id" in whole:
        return [dict(whole)]
    lists = [value for value in whole.values() if isinstance(value, list)]
    return [{**({"kind": whole["kind"]} if "kind" in whole else {}), **raw} for raws in lists for raw in raws]


def _form(reader: Reader, file: str, whole: Mapping[str, Any], raw: dict[str, Any]) -> Form | None:
    label = _label("form", raw, 0)
    words = raw.get("words")
    good = words is None or (
        isinstance(words, list)
        and len(words) == 2
        and all(isinstance(w, int) for w in words)
        and words[0] <= words[1]
    )
    if not isinstance(raw.get("id"), str) or raw.get("kind") not in KINDS or not good:
        what = f"needs an id, a kind ({', '.join(KINDS)}) and, if any, words = [low, high]"
        reader.problems.append(Problem(file, label, what))
        return None
    form = Form(
        raw["id"],
        raw["kind"],
        raw,
        as_lines(raw.get("eras", [])) or (),
        as_lines(raw.get("scales", [])) or (),
        (words[0], words[1]) if words else None,
    )
    reader.origin[id(form)] = file
    return form


def _ai_names(reader: Reader, raw: Mapping[str, Any]) -> AiNames:
    parts: dict[str, dict[str, Lines]] = {"styles": {}, "eras": {}}
    for key, table in raw.items():
        if key not in parts or not isinstance(table, dict):
            reader.problems.append(Problem("names/ai.toml", key, "unknown key"))
            continue
        for style, value in table.items():
            lines = as_lines(value)
            if not lines:
                reader.problems.append(Problem("names/ai.toml", f"{key}.{style}", "must be lines of text"))
            else:
                parts[key][style] = lines
    return AiNames(*(dict(sorted(parts[key].items())) for key in ("styles", "eras")))


def _forbid(reader: Reader, raw: Any, k: int) -> Forbid:
    sides: list[dict[str, Lines]] = []
    for side in ("when", "with"):
        table = raw.get(side) if isinstance(raw, dict) else None
        if not isinstance(table, dict) or not table:
            reader.problems.append(Problem("axes/constraints.toml", f"forbid {k + 1}.{side}", "must be {axis = ids}"))
            table = {}
        sides.append({axis: as_lines(ids) or () for axis, ids in table.items()})
    return Forbid(sides[0], sides[1], str(raw.get("why", "")) if isinstance(raw, dict) else "")


def _advice(reader: Reader, raw: Any) -> Mapping[str, Lines]:
    file, known = "axes/constraints.toml", ("pressures", "conducts")
    table = raw if isinstance(raw, dict) else {}
    reader.problems.extend(Problem(file, f"advice.{k}", "unknown key") for k in table if k not in known)
    return {key: as_lines(table.get(key, [])) or () for key in known}


if __name__ == "__main__":
    from storygen.table_checks import main

    sys.exit(main(sys.argv[1:]))
