"""screen(): the screens of `make` over any JSONL corpus. Kept lines leave as they came, byte for byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from storygen import __version__, finish, pipeline, settings, stages
from storygen.engines import Engine
from storygen.errors import InputError, UsageError
from storygen.ledger import Ledger
from storygen.planting import plant_and_screen
from storygen.quarantine import survive
from storygen.screens.duplicates import DuplicateIndex
from storygen.stopwatch import Stopwatch


def screen(
    files: Sequence[Path],
    out: Path,
    evals: Sequence[Path],
    field: str,
    language: str,
    engine: Engine,
    progress: pipeline.Progress,
) -> pipeline.Outcome:
    """Screen every line of `files` into `out`: kept.jsonl, rejected.jsonl, report.html, report.json.

    Raises:
        InputError: a file is missing or not UTF-8 JSONL with a text (names file and line); nothing is written for it.
        ShortRun: a planted leak got through.
    """
    identity = {
        "files": [f"{path.name}:{_digest(path)}" for path in files],
        "evals": sorted(settings.tree_hash(p) for p in evals if _exists(p)),
        "field": field,
        "language": language,
        "version": __version__,
        "tables": settings.content_hash(),
    }
    spec = stages.Spec(evals=tuple(str(p) for p in evals), language=language, ours=False, field=field)
    with Ledger.hold(out) as ledger:
        before = ledger.get("settings")
        if before is not None and before != identity and ledger.begun():
            raise UsageError(f"{out} holds a screening of other files or settings.", "Give another --out.")
        ledger.put("settings", identity)
        ledger.put("kind", "screen")
        watch = Stopwatch()
        attempted = ledger.attempted()
        with watch.stage("read"):
            rows = [row for row in read(files, field) if row[0] not in attempted]
        batches = survive(
            engine, partial(stages.screen_lines, spec), pipeline.chunks(rows), partial(stages.unscreened, True)
        )
        pipeline.commit_batches(batches, len(rows), "screen", ledger, progress, watch)
        with watch.stage("duplicates"):
            pipeline.find_duplicates(ledger, DuplicateIndex(), progress, field)
        planted = plant_and_screen(ledger, spec, engine, watch)
        engine.release()
        result = finish.finish_screen(ledger, planted, watch, progress)
    finish.refuse_leaks(planted, out)
    return result


def read(files: Sequence[Path], field: str) -> Iterator[tuple[int, str, str, str, str, str]]:
    """(idx, id, kind, cell, family, line) of every line that is not blank. Raises InputError with file and line."""
    index, seen = 0, set[str]()
    for path in files:
        try:
            file = path.open("rb")
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.", "Give JSONL files.") from error
        with file:
            for number, raw in enumerate(file, 1):
                if not raw.strip():
                    continue
                line, payload = _payload(raw.rstrip(b"\n"), f"{path}, line {number}")
                kind = _kind(payload, field, f"{path}, line {number}")
                own = payload.get("id")
                identity = own if isinstance(own, str) and own not in seen else f"{path.name}:{number}"
                seen.add(identity)
                yield index, identity, kind, kind, identity, line
                index += 1


def _payload(raw: bytes, where: str) -> tuple[str, dict[str, object]]:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 (byte {error.start}).", "Convert the file to UTF-8.") from error
    try:
        payload = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON, perhaps cut short: {error}.", "One JSON object a line.") from error
    if not isinstance(payload, dict):
        raise InputError(f"{where}: a {type(payload).__name__}, not an object.", "One JSON object a line.")
    return line, payload


def _kind(payload: dict[str, object], field: str, where: str) -> str:
    """The record's own kind where it names one, else chat or text; refuses a line without text."""
    if field:
        if not isinstance(payload.get(field), str):
            raise InputError(
                f"{where}: no text in the field '{field}'.", f"It has: {', '.join(payload) or 'nothing'}."
            )
        chat = False
    elif isinstance(messages := payload.get("messages"), list):
        if not all(isinstance(m, dict) and isinstance(m.get("content"), (str, list)) for m in messages):
            raise InputError(f"{where}: a message without content.", "messages = list of {role, content}.")
        chat = True
    elif isinstance(payload.get("text"), str):
        chat = False
    else:
        raise InputError(f"{where}: neither text nor messages.", "Name the text's field with --field.")
    meta = payload.get("meta")
    named = meta.get("kind") if isinstance(meta, dict) else None
    return named if isinstance(named, str) and named.isidentifier() else "chat" if chat else "text"


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Give JSONL files.") from error


def _exists(path: Path) -> bool:
    if not path.exists():
        raise UsageError(f"{path} does not exist.", "Check the path given with --evals.")
    return True
