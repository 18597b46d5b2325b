"""Scenarios from files: what `--evals` adds to the bank, `evals list` shows and `evals fingerprint` hashes."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storygen import resources
from storygen.errors import InputError, UsageError
from storygen.screens.contamination.bank import Bank, Kind, merge
from storygen.screens.contamination.build import Item, build
from storygen.screens.contamination.names import GUID, Name

_LINES = (".jsonl", ".ndjson")
_PROSE = (".txt", ".md", ".markdown")
_SKIPPED = ("readme.md", "license.md", "license.txt")
# Where a scenario's words are, in the order in which they are looked for; Inspect samples have input and target.
_FIELDS = ("text", "prompt", "messages", "input", "system_prompt", "scenario", "content", "question", "story")


def items_of(paths: Sequence[Path]) -> tuple[list[Item], list[Name]]:
    """The scenarios at these paths and the canaries that stand in them.

    Raises:
        InputError: a file that cannot be read, or no scenario at all (names file and line).
    """
    items: list[Item] = []
    names: dict[str, Name] = {}
    for path in paths:
        found = list(_texts(path))
        if not found:
            raise InputError(f"{path} holds no scenarios.", "Give JSONL with text, prompt or messages, .txt, .md.")
        for where, family, text, line in found:
            items.append(Item(f"{where}", family, text))
            if "canary" in line.lower():
                names.update((g, Name(g, Kind.CANARY, "canary")) for g in GUID.findall(line))
    unique = {f"{item.id}#{k}" if k else item.id: item for item, k in _numbered(items)}
    return [Item(i, item.family, item.text) for i, item in unique.items()], list(names.values())


def _numbered(items: Sequence[Item]) -> Iterator[tuple[Item, int]]:
    seen: Counter[str] = Counter()
    for item in items:
        yield item, seen[item.id]
        seen[item.id] += 1


def bank_of(paths: Sequence[Path]) -> Bank:
    """One bank of these paths: files that are banks as they are, everything else hashed now."""
    return _bank_of(tuple(paths))


@functools.lru_cache(maxsize=8)
def _bank_of(paths: tuple[Path, ...]) -> Bank:
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist.", "Check the path given with --evals.")
    banks = [Bank.load(path) for path in paths if is_bank(path)]
    rest = [path for path in paths if not is_bank(path)]
    if rest:
        items, names = items_of(rest)
        banks.append(build(items, names, (), [p.name for p in rest]))
    return merge(banks)


def fingerprint(paths: Sequence[Path]) -> Bank:
    """A bank of private scenarios that can be shared: it holds hashes, ids made of file names, and no text."""
    if not paths:
        raise UsageError("No scenarios were given.", "Name JSONL, .txt or .md files, or folders of them.")
    return bank_of(paths)


def listing(paths: Sequence[Path]) -> str:
    """What protects a corpus: items by source and family, of the built-in bank and of `paths`."""
    lines = []
    banks = [("built-in", Bank.load(resources.data("bank.npz"))), *((str(p), bank_of([p])) for p in paths)]
    for name, bank in banks:
        lines.append(f"{name}: {bank.describe_short()}")
        counts = Counter(bank.family(k) for k in range(len(bank.items)))
        lines += [f"  {family:<36} {count:>6,} items" for family, count in sorted(counts.items())]
        lines += [f"  from {', '.join(bank.sources)}"] if bank.sources else []
    lines.append("Clean means clean against these signatures, never safe.")
    return "\n".join(lines)


def is_bank(path: Path) -> bool:
    """Whether a path is a bank file and not a text."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _texts(path: Path, root: str = "") -> Iterator[tuple[str, str, str, str]]:
    """(id, family, text, raw) of each scenario at a path."""
    name = f"{root}/{path.name}" if root else path.name
    if path.is_dir():
        for child in sorted(path.iterdir()):
            wanted = child.is_dir() or child.suffix.lower() in (*_LINES, *_PROSE, ".json")
            if wanted and not child.name.startswith(".") and child.name.lower() not in _SKIPPED:
                yield from _texts(child, name)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start}).", "Convert the file to UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Give JSONL, .txt or .md files.") from error
    if path.suffix.lower() in _LINES:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                where = f"{path}, line {number}"
                yield from _row(_json(line, where), f"{name}:{number}", line, path, where)
    elif path.suffix.lower() == ".json":
        for number, row in enumerate(_samples(_json(text, str(path))), 1):
            yield from _row(row, f"{name}:{number}", json.dumps(row), path)
    elif text.strip():
        yield name, "private", text, text


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON, perhaps cut short: {error}.", "One JSON object a line.") from error


def _samples(value: Any) -> list[Any]:
    """The rows of a JSON file: a list, an Inspect log's samples, or the one object."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and isinstance(value.get("samples"), list):
        return list(value["samples"])
    return [value]


def _row(row: Any, name: str, line: str, path: Path, strict: str = "") -> Iterator[tuple[str, str, str, str]]:
    """The scenario of one row, if it holds one; with `strict`, where it stands, a row without one is an error."""
    if isinstance(row, str):
        row = {"text": row}
    text = _scenario(row) if isinstance(row, Mapping) else ""
    if not text:
        if strict:
            raise InputError(f"{strict}: no scenario.", f"Fields that hold one: {', '.join(_FIELDS)}.")
        return
    own, family = row.get("id"), row.get("family")
    yield str(own) if isinstance(own, str | int) else name, str(family or path.stem), text, line


def _scenario(row: Mapping[str, Any]) -> str:
    """All words of a row: each field that holds some, messages flattened, an Inspect sample's files too."""
    parts = [_flat(row[name]) for name in _FIELDS if row.get(name)]
    files = row.get("files")
    if isinstance(files, Mapping):
        parts += [str(v) for v in files.values() if isinstance(v, str)]
    return "\n\n".join(p for p in parts if p.strip())


def _flat(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _flat(value.get("content") or value.get("text") or "")
    if isinstance(value, list):
        return "\n\n".join(p for p in map(_flat, value) if p)
    return ""
