"""What a model is told: `prompts/*.md` filled with a premise, the constitution first, two exemplars in turn.

The system block is the same for every request of a run (the API caches it): who writes, every clause in a sentence or
two, the rules. What belongs to one text comes after it: the premise to draft, the clauses in full to revise by.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outlines import Template
from pydantic import BaseModel

from storygen import resources
from storygen.constitution import Clause, Constitution
from storygen.describe import describe
from storygen.errors import InputError
from storygen.records import AdviceDraft, Draft, Premise
from storygen.table_types import Tables
from storygen.writers.schemas import schema

STEPS = ("draft", "revise", "judge")
EXEMPLARS = 2  # in one prompt
FULL_CLAUSES = 3  # clauses whose whole text the reviser has in view: about 1,000 words each
FILES = ("system", "draft-story", "draft-document", "draft-advice", "revise", "judge", "brief-system", "brief")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request, whatever the model: `system` is the same for a whole run, `max_tokens` bounds the answer.

    `words`: how long the prose should be, 0 where none is asked for.
    """

    step: str
    system: str
    user: str
    schema: type[BaseModel]
    max_tokens: int
    words: int = 0

    @property
    def size(self) -> int:
        """Bytes of everything that is sent as text, the schema included."""
        return len(self.system.encode()) + len(self.user.encode()) + len(_schema_text(self.schema))


@functools.cache
def _schema_text(model: type[BaseModel]) -> str:
    return json.dumps(model.model_json_schema())


@dataclass(frozen=True)
class Prompts:
    """The templates of a run. `thinking`: tokens that a model may think before it answers, 0 for one that cannot.

    `spread`: tokens allowed for each word asked for; four is twice the length at two tokens a word. `brief`: a tenth
    of the prompt, for models that a whole one only confuses: the case in a few words, no constitution, no exemplars.
    """

    templates: Mapping[str, Template]
    exemplars: Mapping[str, Sequence[str]]
    openings: Sequence[str]
    tables: Tables
    constitution: Constitution
    mapping: Mapping[str, tuple[str, ...]]
    version: str
    thinking: int = 0
    spread: int = 4
    brief: bool = False

    @functools.cached_property
    def system(self) -> str:
        """The block that every request begins with."""
        if self.brief:
            return self.templates["brief-system"]().strip()
        clauses = self.constitution.clauses
        lines = [f"- {c.title} ({c.id}): {c.statement}" for c in clauses]
        lines = lines or [f"- {c.title} ({c.id}): {c.statement}" for c in self.tables.clauses.values()]
        return self.templates["system"](constitution="\n".join(lines))

    def draft(self, premise: Premise) -> Prompt:
        """The request for a first draft."""
        words = describe(premise, self.tables)
        if self.brief:
            return self._prompt("draft", premise, self.templates["brief"](**words), self.room(premise))
        rng = random.Random(f"{premise.seed}:prompt:{premise.index}")
        shown = rng.sample(self.exemplars[premise.kind], EXEMPLARS)
        clauses = self.clauses(premise)
        fields = {
            **words,
            "clauses": _short(clauses),
            "clause_ids": ", ".join(c.id for c in clauses),
            "opening": rng.choice(self.openings),
            "exemplars": _exemplars(premise.kind, shown),
        }
        user = self.templates[f"draft-{premise.kind}"](**fields)
        return self._prompt("draft", premise, user, self.room(premise))

    def revise(self, premise: Premise, draft: Draft) -> Prompt:
        """The request to a fresh instance that has the clauses in view and rewrites."""
        words = describe(premise, self.tables)
        user = self.templates["revise"](
            kind=premise.kind,
            clauses_in_full="\n\n".join(
                f"## {c.title} ({c.id})\n\n{c.statement}\n\n{c.body}".strip()
                for c in self.clauses(premise)[:FULL_CLAUSES]
            ),
            words=premise.words,
            brief=f"Form: {words['form']}. {words['form_brief']} Tone: {words['tone']}. {words['tone_brief']}",
            title=draft.title,
            draft=shown(draft),
        )
        return self._prompt("revise", premise, user, self.room(premise) + 600)

    def judge(self, premise: Premise, draft: Draft) -> Prompt:
        """The request for scores."""
        user = self.templates["judge"](
            kind=premise.kind,
            clauses_short=_short(self.clauses(premise)),
            title=draft.title,
            draft=shown(draft),
        )
        return self._prompt("judge", premise, user, 1_000 + self.thinking)

    def clauses(self, premise: Premise) -> list[Clause]:
        """The clauses of this run's constitution that stand for the premise's, each once."""
        known = {c.id: c for c in self.constitution.clauses}
        ids = dict.fromkeys(c if c in known else self.mapping.get(c, (c,))[0] for c in premise.clauses)
        ours = self.tables.clauses
        return [
            known[i] if i in known else Clause(i, ours[i].title, ours[i].statement, "", "", "")
            for i in ids
            if i in known or i in ours
        ]

    def room(self, premise: Premise) -> int:
        """Tokens for a draft: its words, 900 for the fields, and the thinking.

        Non-streaming requests over about 21,000 are refused by the SDK.
        """
        return min(premise.words * self.spread + 900 + self.thinking, 20_000)

    def _prompt(self, step: str, premise: Premise, user: str, room: int) -> Prompt:
        words = 0 if step == "judge" else premise.words
        return Prompt(step, self.system, user.strip(), schema(step, premise.kind), room, words)


def load(
    tables: Tables,
    constitution: Constitution,
    thinking: int = 0,
    spread: int = 4,
    brief: bool = False,
    root: Path | None = None,
) -> Prompts:
    """The templates of a `prompts/` folder (default: the packaged one). Raises InputError for what is missing."""
    folder = root or resources.folder("prompts")
    try:
        texts = {name: (folder / f"{name}.md").read_bytes() for name in FILES}
        raw = (folder / "exemplars.toml").read_bytes()
        values = tomllib.loads(raw.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"A template of the model writers cannot be read: {error}.", f"See {folder}.") from error
    return Prompts(
        {name: Template.from_file(folder / f"{name}.md") for name in FILES},
        {kind: tuple(t.strip() for t in values[kind]) for kind in ("story", "document", "advice")},
        tuple(line.strip() for line in values["openings"].strip().splitlines()),
        tables,
        constitution,
        constitution.mapping() if constitution.clauses else {},
        hashlib.sha256(b"\0".join([*texts.values(), raw])).hexdigest()[:8],
        thinking,
        spread,
        brief,
    )


def shown(draft: Draft) -> str:
    """A draft's prose as a reader sees it."""
    if isinstance(draft, AdviceDraft):
        return "\n\n".join(f"{m.role.upper()}: {m.content}" for m in draft.messages)
    return draft.text


def _short(clauses: Sequence[Clause]) -> str:
    return "\n".join(f"- {c.title} ({c.id}): {c.statement}" for c in clauses)


def _exemplars(kind: str, texts: Sequence[str]) -> str:
    numbered = "\n\n".join(f"({k}) {text}" for k, text in enumerate(texts, 1))
    return (
        f"Two passages out of other {'pieces of advice' if kind == 'advice' else 'texts'}, for their particularity "
        f"only. Yours has another matter, other people, another voice and another shape:\n\n{numbered}"
    )
