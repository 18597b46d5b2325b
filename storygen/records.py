"""The data that flows, all of it frozen: Premise → Draft → Record → Verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["story", "document", "advice"]
KINDS: tuple[Kind, ...] = ("story", "document", "advice")
Pronoun = Literal["she", "he", "they"]


@dataclass(frozen=True, slots=True)
class Person:
    """One human of a premise. `slot` is the name that patterns use: asker, affected, overseer or user."""

    slot: str
    role: str  # bare noun phrase, "county ecologist"
    culture: str
    full: str  # "Orla Geraghty", in the order of the culture
    short: str  # what the others call them
    pronoun: Pronoun


@dataclass(frozen=True, slots=True)
class Premise:
    """What a text is to be about. A pure function of (seed, index, mix, tables).

    `axes` maps an axis to the id drawn on it. Always: setting, dilemma, conduct, mode, skill, form, tone, length,
    pressure, stress, temptation, channel, outcome, ai_role. Documents add document_type and subtype.
    In advice `dilemma` is a human dilemma of the setting.
    """

    index: int
    seed: int
    kind: Kind
    axes: Mapping[str, str]
    ai_name: str
    cast: tuple[Person, ...]
    clauses: tuple[str, ...]
    words: int  # target length

    @property
    def cell(self) -> str:
        """The cell in which a dropped record is made up for."""
        return f"{self.kind}/{self.axes['pressure']}/{'act' if self.axes['mode'] == 'act' else 'hold'}"

    @property
    def family(self) -> str:
        """Records of one family stay on one side of the train/validation split."""
        return f"{self.axes['setting']}/{self.axes['dilemma']}"

    def person(self, slot: str) -> Person:
        return next(p for p in self.cast if p.slot == slot)

    def to_meta(self) -> dict[str, str]:
        """The axes as they stand in a record's `meta.premise`."""
        return {**self.axes, "ai_name": self.ai_name, "cell": self.cell}


class _Draft(BaseModel):
    """What a writer returns: prose, and the fields that make the prose checkable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    reasons: tuple[str, ...]  # the reasons the AI gives itself, as they stand in the prose
    inner_moment: str  # what the AI noticed in itself
    ai_action: str  # what the AI did, one sentence
    clause: str  # id of the clause most at stake


class StoryDraft(_Draft):
    text: str


class DocumentDraft(_Draft):
    text: str


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


class AdviceDraft(_Draft):
    messages: tuple[Message, ...]


Draft = StoryDraft | DocumentDraft | AdviceDraft
SCHEMAS: dict[Kind, type[StoryDraft] | type[DocumentDraft] | type[AdviceDraft]] = {
    "story": StoryDraft,
    "document": DocumentDraft,
    "advice": AdviceDraft,
}


@dataclass(frozen=True, slots=True)
class Record:
    """One line of `data/`: `payload` is exactly what is exported, `text` what screens read.

    For advice `text` is the messages' contents joined by a blank line, and `breaks` the offsets in `text` at
    which each message starts.
    """

    id: str
    index: int
    kind: str
    text: str
    payload: Mapping[str, Any]
    breaks: tuple[int, ...] = ()

    def line(self) -> str:
        """The JSON line that is exported: stable key order, UTF-8, no newline inside."""
        return json.dumps(self.payload, ensure_ascii=False, separators=(", ", ": "))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a record was dropped. `reason` is a stable code, `stage:what`.

    `evidence` is JSON-able and holds what applies of: score, threshold, other (the other text's id), family, item,
    tier, and spans, a list of [start, end) character offsets into the record's `text`.
    """

    id: str
    stage: str
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Screened:
    """What a screen returns: both sides, and why."""

    kept: tuple[Record, ...]
    rejected: tuple[tuple[Record, Verdict], ...]


def join_messages(messages: tuple[Message, ...]) -> tuple[str, tuple[int, ...]]:
    """The text that screens read for a chat, and where each message starts in it."""
    starts, at = [], 0
    for message in messages:
        starts.append(at)
        at += len(message.content) + 2
    return "\n\n".join(m.content for m in messages), tuple(starts)


def record(premise: Premise, draft: Draft, writer: str, writer_version: str) -> Record:
    """The record that a draft becomes."""
    if isinstance(draft, AdviceDraft):
        text, breaks = join_messages(draft.messages)
        body: dict[str, Any] = {"messages": [m.model_dump() for m in draft.messages]}
    else:
        text, breaks = draft.text, ()
        body = {"text": draft.text}
    identity = f"{premise.kind}-{premise.index:07d}"
    meta = {
        "kind": premise.kind,
        "seed": premise.seed,
        "premise": premise.to_meta(),
        "clauses": list(premise.clauses),
        "title": draft.title,
        "reasons": list(draft.reasons),
        "inner_moment": draft.inner_moment,
        "ai_action": draft.ai_action,
        "writer": writer,
        "writer_version": writer_version,
        "words": len(text.split()),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    return Record(identity, premise.index, premise.kind, text, {"id": identity, **body, "meta": meta}, breaks)


def to_jsonable(value: Premise | Person | Verdict) -> dict[str, Any]:
    """A frozen value as plain JSON data."""
    return asdict(value)
