"""What a worker does with a batch: write it (offline writers), then the screens that look at one text at a time.

`Spec` is all that a worker is told; from it each process builds its tables, writer and screens once. Everything here
is a pure function of (spec, batch), so that any engine, and any number of workers, gives the same rows.
"""

from __future__ import annotations

import functools
import gc
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storygen import constitution as constitution_module
from storygen import premises, tables
from storygen.constitution import Constitution
from storygen.ledger import Made
from storygen.records import Record, Screened, Verdict, record
from storygen.screens import conduct, duplicates, form, language
from storygen.screens.contamination import Contamination
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
    """Rows ready for the ledger, and the seconds that each stage took on this worker."""

    rows: tuple[Made, ...]
    seconds: Mapping[str, float]


@dataclass(slots=True)
class _Clock:
    """Seconds by stage; a plain stopwatch, the results do not depend on it."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin


@dataclass(frozen=True, slots=True)
class Item:
    """A record on its way through the screens, with what the ledger wants to know of it."""

    record: Record
    cell: str
    family: str


def produce(spec: Spec, indexes: Sequence[int]) -> Batch:
    """Premises → drafts → records → screens, for an offline writer."""
    clock, parts = _Clock(), context(spec)
    items = []
    for index in indexes:
        with clock.stage("premises"):
            premise = parts.plan.premise(index)
        with clock.stage("write"):
            draft = parts.writer.write(premise)
        items.append(Item(record(premise, draft, "grammar", parts.writer.version), premise.cell, premise.family))
    with clock.stage("serialise"):
        lines = [item.record.line() for item in items]
    return Batch(screen(items, lines, spec, clock), clock.seconds)


Line = tuple[int, str, str, str, str, str]  # idx, id, kind, cell, family, line


def rescreen(spec: Spec, drafts: Sequence[Line]) -> Batch:
    """The screens alone, over drafts that the ledger holds already (a paid writer's)."""
    return _screen_lines(spec, drafts, [None] * len(drafts))


def screen_lines(spec: Spec, lines: Sequence[Line]) -> Batch:
    """The screens alone, over lines of a foreign corpus, which the ledger is yet to hold."""
    return _screen_lines(spec, lines, [line for *_, line in lines])


def _screen_lines(spec: Spec, lines: Sequence[Line], store: Sequence[str | None]) -> Batch:
    clock = _Clock()
    with clock.stage("parse"):
        items = [
            Item(parse(line, idx, kind, own, spec.field), cell, fam) for idx, own, kind, cell, fam, line in lines
        ]
    return Batch(screen(items, store, spec, clock), clock.seconds)


def parse(line: str, index: int, kind: str, identity: str, text_field: str = "") -> Record:
    """A record from its JSON line: its `text`, `messages` or the field named; other fields stay as they are."""
    payload = json.loads(line)
    if text_field or "messages" not in payload:
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


def screen(items: Sequence[Item], lines: Sequence[str | None], spec: Spec, clock: _Clock) -> tuple[Made, ...]:
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
