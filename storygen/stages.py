"""What a worker does with a batch: write it (offline writers), then the screens that look at one text at a time.

`Spec` is all that a worker is told; from it each process builds its tables, writer and screens once. Everything here
is a pure function of (spec, batch), so that any engine, and any number of workers, gives the same rows.
"""

from __future__ import annotations

import functools
import gc
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storygen import constitution as constitution_module
from storygen import premises, tables
from storygen.constitution import Constitution
from storygen.ledger import Failure, Made
from storygen.quarantine import DIED, RAISED, guarded, why
from storygen.records import Record, Screened, Verdict, record
from storygen.screens import conduct, duplicates, form, language
from storygen.screens.contamination import Contamination
from storygen.stopwatch import Stopwatch
from storygen.text import block
from storygen.writers.grammar import GrammarWriter

BATCH = 200  # texts: large enough to vectorise, small enough that a kill loses under a second of work


@dataclass(frozen=True, slots=True)
class Spec:
    """What decides the bytes. `mix` is (kind, share) pairs; `evals` paths of the user's own scenarios or banks."""

    seed: int = 0
    mix: tuple[tuple[str, int], ...] = (("story", 6), ("document", 3), ("advice", 1))
    writer: str = "grammar"
    arm: str = "full"
    constitution: str = ""
    evals: tuple[str, ...] = ()
    language: str = "en"
    ours: bool = True  # False: a foreign corpus, whose form is its own affair
    field: str = ""  # a foreign corpus's text field, when it is neither `text` nor `messages`


@dataclass(frozen=True)
class Context:
    """The parts of one process, built once a spec."""

    spec: Spec
    tables: tables.Tables
    plan: premises.Plan
    writer: GrammarWriter
    contamination: Contamination


@functools.lru_cache(maxsize=2)
def context(spec: Spec) -> Context:
    loaded = tables.load()
    parts = Context(
        spec, loaded, plan(spec), GrammarWriter(loaded, clauses(spec), arm=spec.arm), contamination(spec.evals)
    )
    # Tables and patterns live as long as the process: left out of every collection from here on.
    gc.collect()
    gc.freeze()
    return parts


def clauses(spec: Spec) -> Constitution:
    """Our constitution, or the user's."""
    return constitution_module.load(Path(spec.constitution) if spec.constitution else None)


def plan(spec: Spec) -> premises.Plan:
    """The premises of a run, whose clauses are the user's where there is a constitution of theirs."""
    renamed = clauses(spec).mapping() if spec.constitution else None
    return premises.plan(spec.seed, dict(spec.mix), tables.load(), renamed)


@functools.lru_cache(maxsize=2)
def contamination(evals: tuple[str, ...]) -> Contamination:
    """The built-in bank with the user's scenarios, loaded once a process."""
    return Contamination.load([Path(p) for p in evals])


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows ready for the ledger, the seconds that each stage took on this worker, and premises without a text."""

    rows: tuple[Made, ...]
    seconds: Mapping[str, float]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A record on its way through the screens, with what the ledger wants to know of it."""

    record: Record
    cell: str
    family: str


def produce(spec: Spec, indexes: Sequence[int]) -> Batch:
    """Premises → drafts → records → screens, for an offline writer."""
    clock, parts = Stopwatch(), context(spec)

    def write(some: Sequence[int]) -> list[Item | Failure]:
        out = list[Item | Failure]()
        for index in some:
            with clock.stage("premises"):
                premise = parts.plan.premise(index)
            with clock.stage("write"):
                draft = parts.writer.write(premise)
            made = record(premise, draft, "grammar", parts.writer.version)
            out.append(Item(made, premise.cell, premise.family))
        return out

    written = guarded(write, indexes, lambda index, error: _failure(parts.plan, index, RAISED, why(error)))
    items = [one for one in written if isinstance(one, Item)]
    with clock.stage("serialise"):
        lines = [item.record.line() for item in items]
    rows = tuple(screen(items, lines, spec, clock))
    return Batch(rows, clock.wall, tuple(one for one in written if not isinstance(one, Item)))


def unwritten(spec: Spec, index: int) -> Batch:
    """What becomes of a premise that kills the worker."""
    return Batch((), {}, (_failure(plan(spec), index, DIED, "writing or screening it ended the process"),))


def _failure(plan: premises.Plan, index: int, reason: str, detail: str) -> Failure:
    premise = plan.premise(index)
    return index, premise.kind, premise.cell, reason, detail


Line = tuple[int, str, str, str, str, str]  # idx, id, kind, cell, family, line


def rescreen(spec: Spec, drafts: Sequence[Line]) -> Batch:
    """The screens alone, over drafts that the ledger holds already (a paid writer's)."""
    return _screen_lines(spec, drafts, store=False)


def screen_lines(spec: Spec, lines: Sequence[Line]) -> Batch:
    """The screens alone, over lines of a foreign corpus, which the ledger is yet to hold."""
    return _screen_lines(spec, lines, store=True)


def _screen_lines(spec: Spec, lines: Sequence[Line], store: bool) -> Batch:
    clock = Stopwatch()

    def work(some: Sequence[Line]) -> tuple[Made, ...]:
        with clock.stage("parse"):
            items = [
                Item(parse(line, idx, kind, own, spec.field), cell, fam) for idx, own, kind, cell, fam, line in some
            ]
        return _screen(items, [line if store else None for *_, line in some], spec, clock)

    rows = guarded(work, lines, lambda line, error: _quarantined(line, store, RAISED, why(error)))
    return Batch(tuple(rows), clock.wall)


def unscreened(store: bool, line: Line) -> Batch:
    """What becomes of a line that kills the worker; `store`: the ledger is yet to hold it."""
    return Batch((_quarantined(line, store, DIED, "screening it ended the process"),), {})


def _quarantined(line: Line, store: bool, reason: str, detail: str) -> Made:
    evidence = json.dumps({"error": detail}, ensure_ascii=False)
    return Made(*line[:5], line[5] if store else None, "quarantine", reason, evidence, 0.0, "{}", None)


def parse(line: str, index: int, kind: str, identity: str, text_field: str = "") -> Record:
    """A record from its JSON line: its `text`, `messages` or the field named; other fields stay as they are."""
    payload = json.loads(line)
    if text_field or not isinstance(payload.get("messages"), list):
        return Record(identity, index, kind, _whole(payload[text_field or "text"]), payload)
    text, breaks, at = [], [], 0
    for message in payload["messages"]:
        content = _whole(_content(message["content"]))
        text.append(content)
        breaks.append(at)
        at += len(content) + 2
    return Record(identity, index, kind, "\n\n".join(text), payload, tuple(breaks))


def _content(content: str | list[Any]) -> str:
    """A message's text; of a list of parts, those that are text."""
    if isinstance(content, str):
        return content
    return "\n".join(
        p if isinstance(p, str) else str(p.get("text", "")) for p in content if isinstance(p, (str, dict))
    )


def _whole(text: str) -> str:
    """Without lone surrogates, which no encoder takes; each becomes one replacement character, so offsets stay."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


def screen(items: Sequence[Item], lines: Sequence[str], spec: Spec, clock: Stopwatch) -> list[Made]:
    """The screens over new texts, whose `lines` go into the ledger; one that raises is quarantined."""

    def work(some: Sequence[tuple[Item, str]]) -> tuple[Made, ...]:
        return _screen([item for item, _ in some], [line for _, line in some], spec, clock)

    def poisoned(one: tuple[Item, str], error: Exception) -> Made:
        item, line = one
        r = item.record
        return _quarantined((r.index, r.id, r.kind, item.cell, item.family, line), True, RAISED, why(error))

    return guarded(work, list(zip(items, lines, strict=True)), poisoned)


def _screen(items: Sequence[Item], lines: Sequence[str | None], spec: Spec, clock: Stopwatch) -> tuple[Made, ...]:
    """The per-record screens in their order; a text dropped by one is not shown to the next.

    Signatures are made of all that pass form, language and conduct: they reach the duplicates stage, which comes
    before contamination, so a contaminated text still hides a near-duplicate of itself. Where both find something the
    ledger names contamination, the graver one.
    """
    verdicts: dict[str, Verdict] = {}

    def passing(name: str, check: Callable[[list[Record]], Screened], records: list[Record]) -> list[Record]:
        with clock.stage(name):
            result = check(records)
        verdicts.update((r.id, v) for r, v in result.rejected)
        return list(result.kept)

    left = passing("form", lambda r: form.screen(r, ours=spec.ours), [item.record for item in items])
    left = passing("language", lambda r: language.screen(r, spec.language), left)
    with clock.stage("hash"):
        hashes = block(r.text for r in left)
    left = passing("conduct", lambda r: conduct.screen(r, hashes), left)
    if len(left) < len(hashes):
        with clock.stage("hash"):
            hashes = block(r.text for r in left)
    with clock.stage("signatures"):
        signatures = duplicates.signatures(hashes)
    reached = {r.id: signatures[k].tobytes() for k, r in enumerate(left)}
    filter_ = contamination(spec.evals)
    with clock.stage("contamination"):
        looked = filter_.look(left, hashes)
    verdicts.update((i, look.verdict) for i, look in looked.items() if look.verdict is not None)

    def row(item: Item, line: str | None) -> Made:
        identity = item.record.id
        verdict, look = verdicts.get(identity), looked.get(identity)
        return Made(
            item.record.index,
            identity,
            item.record.kind,
            item.cell,
            item.family,
            line,
            verdict.stage if verdict else None,
            verdict.reason if verdict else None,
            json.dumps(verdict.evidence, ensure_ascii=False) if verdict else "{}",
            look.score if look else 0.0,
            json.dumps(look.nearest, ensure_ascii=False) if look else "{}",
            reached.get(identity),
        )

    return tuple(row(item, line) for item, line in zip(items, lines, strict=True))


def words(payload: Mapping[str, Any], text: str) -> int:
    """Words of a record: what its maker counted, else counted here."""
    meta = payload.get("meta")
    count = meta.get("words") if isinstance(meta, Mapping) else None
    return count if isinstance(count, int) else len(text.split())
