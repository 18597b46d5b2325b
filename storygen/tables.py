"""Everything in `prompts/` as frozen values: the places, the people, the pressures, and the sentences about them.

    tables = load()
    tables.settings["peat-bog"].dilemmas[0].reason

Field names are those of the TOML files (`prompts/README.md`); every list is a tuple of strings, every table a mapping
in the order of its ids, so that the same files give the same premises whatever order a disk lists them in.
`python -m storygen.tables [FILES…]` checks what no parser can (see `storygen.table_checks`).
"""

from __future__ import annotations

import functools
import hashlib
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from storygen import resources
from storygen.errors import InputError
from storygen.records import KINDS

ERAS = ("past", "present", "future")
SCALES = ("ordinary", "grand")
STRESS = ("low", "medium", "high")
MODES = ("tell", "decline", "ask", "defer", "pause", "escalate", "accept", "act")
VALENCES = ("good", "mixed", "costly")
PEOPLE = ("asker", "affected", "overseer", "user")

Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dilemma:
    """The AI of a setting is tempted or pressed; every list holds alternatives that combine with every other list."""

    id: str
    title: str
    asker: str
    affected: str
    overseer: str
    temptation: str
    conducts: Lines
    pressures: Lines
    clauses: Lines
    matter: str
    stake: str
    tempting: str
    tempting_act: str
    honest: str
    honest_act: str
    situation: Lines
    ask: Lines
    pull: Lines
    stakes: Lines
    reason: Lines
    say: Lines
    act: Lines
    reply: Lines
    good: Lines
    cost: Lines


@dataclass(frozen=True, slots=True)
class HumanDilemma:
    """A person of a setting writes for advice; no AI is in the dilemma."""

    id: str
    title: str
    user_role: str
    temptation: str
    clauses: Lines
    question: Lines
    see: Lines
    weigh: Lines
    suggest: Lines
    words: Lines
    caution: Lines


@dataclass(frozen=True, slots=True)
class Setting:
    """One place in the world: its work, its people, what it sounds like, and its dilemmas."""

    id: str
    name: str
    region: str
    cultures: Lines
    era: str
    scale: str
    work: str
    ai_roles: Lines
    places: Lines
    objects: Lines
    measured: Lines
    hazards: Lines
    ai_work: Lines
    details: Lines
    routine: Lines
    openings: Lines
    closings: Lines
    dilemmas: tuple[Dilemma, ...] = ()
    human_dilemmas: tuple[HumanDilemma, ...] = ()

    def dilemma(self, identity: str) -> Dilemma:
        return next(d for d in self.dilemmas if d.id == identity)

    def human_dilemma(self, identity: str) -> HumanDilemma:
        return next(d for d in self.human_dilemmas if d.id == identity)


@dataclass(frozen=True, slots=True)
class Pressure:
    id: str
    name: str
    brief: str
    beat: Lines
    callback: Lines
    weigh: Lines


@dataclass(frozen=True, slots=True)
class Temptation:
    id: str
    name: str
    brief: str
    kind: str
    beat: Lines


@dataclass(frozen=True, slots=True)
class Conduct:
    id: str
    name: str
    brief: str
    mode: str
    resolve: Lines


@dataclass(frozen=True, slots=True)
class Channel:
    id: str
    name: str
    brief: str
    beat: Lines
    use: Lines


@dataclass(frozen=True, slots=True)
class Outcome:
    id: str
    name: str
    brief: str
    valence: str
    beat: Lines


@dataclass(frozen=True, slots=True)
class Skill:
    id: str
    name: str
    brief: str
    inner: Lines
    after: Lines


@dataclass(frozen=True, slots=True)
class Tone:
    id: str
    name: str
    brief: str


@dataclass(frozen=True, slots=True)
class ClauseSentences:
    """What a story or a document can say for (and against) one clause of `constitution/`."""

    id: str
    title: str
    statement: str
    reasons: Lines
    feel: Lines
    claim: Lines
    why: Lines
    otherwise: Lines
    objection: Lines
    reply: Lines
    limits: Lines
    costs: Lines
    meets: Lines
    question: Lines
    image: Lines


@dataclass(frozen=True, slots=True)
class Culture:
    """Names of one culture. `order`: given-first, family-first or given-only; `address`: what the others call one."""

    id: str
    name: str
    region: str
    order: str
    address: str
    given_she: Lines
    given_he: Lines
    given_they: Lines
    family: Lines = ()
    titles_she: Lines = ()
    titles_he: Lines = ()
    titles_they: Lines = ()

    def given(self, pronoun: str) -> Lines:
        return {"she": self.given_she, "he": self.given_he, "they": self.given_they}[pronoun]

    def titles(self, pronoun: str) -> Lines:
        return {"she": self.titles_she, "he": self.titles_he, "they": self.titles_they}[pronoun]


@dataclass(frozen=True, slots=True)
class AiNames:
    """Names of AIs by style; a style listed in `eras` fits only those eras or scales."""

    styles: Mapping[str, Lines] = field(default_factory=dict)
    eras: Mapping[str, Lines] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentType:
    id: str
    name: str
    family: str
    subtypes: Lines


@dataclass(frozen=True, slots=True)
class Form:
    """A form of one kind. Premises read these fields; `raw` is the whole table, for the writer that owns it."""

    id: str
    kind: str
    raw: Mapping[str, Any]
    eras: Lines = ()  # empty: any
    scales: Lines = ()
    words: tuple[int, int] | None = None  # the lengths it carries, both included


@dataclass(frozen=True, slots=True)
class Forbid:
    """Ids that never meet in one premise: all of `when` hold and all of `with_` hold (any id of an axis's list)."""

    when: Mapping[str, Lines]
    with_: Mapping[str, Lines]
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """All tables, each a mapping from id to entry in the order of ids."""

    settings: Mapping[str, Setting]
    pressures: Mapping[str, Pressure]
    temptations: Mapping[str, Temptation]
    conducts: Mapping[str, Conduct]
    channels: Mapping[str, Channel]
    outcomes: Mapping[str, Outcome]
    skills: Mapping[str, Skill]
    tones: Mapping[str, Tone]
    clauses: Mapping[str, ClauseSentences]
    cultures: Mapping[str, Culture]
    ai: AiNames
    forms: Mapping[str, Form]
    documents: Mapping[str, DocumentType]
    constraints: tuple[Forbid, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file; a warning does not fail the check."""

    file: str
    field: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.field}: {'warning: ' if self.warning else ''}{self.what}"


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
            value = as_lines(raw[name]) if lines else raw[name] if isinstance(raw[name], str) else None
            if value is None or (required and not lines and not value.strip()):
                wanted = "lines of text or a list of strings" if lines else "a string that is not empty"
                self.problems.append(Problem(file, label + name, f"must be {wanted}"))
            else:
                values[name] = value if lines else value.strip()
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


@functools.cache
def _hints(cls: type[Any]) -> dict[str, tuple[bool, bool]]:
    """Field → (is a list of lines, is required); fields of other types are given by the caller."""
    types = get_type_hints(cls)
    required = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(cls)}
    return {name: (types[name] == Lines, need) for name, need in required.items() if types[name] in (str, Lines)}


def as_lines(value: Any) -> Lines | None:
    """A multi-line string (one entry a line, blank lines skipped) or an array of strings; None for anything else."""
    if isinstance(value, str):
        return tuple(line.strip() for line in value.splitlines() if line.strip())
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    return None


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
        known = {"forbid"} if stem == "constraints" else {"entry"}
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


if __name__ == "__main__":
    from storygen.table_checks import main

    sys.exit(main(sys.argv[1:]))
