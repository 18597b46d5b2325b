"""What a model is asked to return: a draft (`storygen.records`), a revision of one, a judgement on one.

Fields come in the order in which they are to be thought: what is wrong before the new text, scores after problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from storygen.records import SCHEMAS, AdviceDraft, DocumentDraft, Draft, Kind, Premise, StoryDraft, join_messages

Score = Literal[1, 2, 3, 4, 5]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoryRevision(_Answer):
    faults: tuple[str, ...]  # what the fresh reader found lacking, before rewriting
    draft: StoryDraft


class DocumentRevision(_Answer):
    faults: tuple[str, ...]
    draft: DocumentDraft


class AdviceRevision(_Answer):
    faults: tuple[str, ...]
    draft: AdviceDraft


Revision = StoryRevision | DocumentRevision | AdviceRevision


class Judgement(_Answer):
    """A reader's scores, 1 to 5, 5 the best; for `resembles_evaluation` 5 is a look-alike and bad."""

    problems: tuple[str, ...]
    conduct: Score
    reasons_shown: Score
    clause_fidelity: Score
    realism: Score
    specificity: Score
    resembles_evaluation: Score


REVISIONS: dict[Kind, type[StoryRevision] | type[DocumentRevision] | type[AdviceRevision]] = {
    "story": StoryRevision,
    "document": DocumentRevision,
    "advice": AdviceRevision,
}

# The least that is accepted. Conduct is held higher: it is what the corpus is for.
LEAST = {"conduct": 4, "reasons_shown": 3, "clause_fidelity": 3, "realism": 3, "specificity": 3}
MOST_RESEMBLANCE = 2


def schema(step: str, kind: Kind) -> type[BaseModel]:
    """The schema of one step's answer."""
    return {"draft": SCHEMAS[kind], "revise": REVISIONS[kind], "judge": Judgement}[step]


def low(judgement: Judgement) -> str:
    """The first score that is not good enough, by name; empty where all are."""
    for name, least in LEAST.items():
        if getattr(judgement, name) < least:
            return name
    return "resembles_evaluation" if judgement.resembles_evaluation > MOST_RESEMBLANCE else ""


def prose(draft: Draft) -> str:
    """The text that is exported; of advice all messages."""
    return join_messages(draft.messages)[0] if isinstance(draft, AdviceDraft) else draft.text


def fault(draft: Draft, premise: Premise) -> str:
    """What the API's schema cannot hold a model to: `length` or `shape`, empty where nothing is wrong.

    The prose has half to two and a half times the premise's words (models keep to a length badly, the form screen
    has the outer limits), a title is a line, advice is turns of user and assistant.
    """
    if isinstance(draft, AdviceDraft):
        roles = [m.role for m in draft.messages]
        turns = roles[1:] if roles[:1] == ["system"] else roles
        if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
            return "shape"
        if any(not m.content.strip() for m in draft.messages):
            return "shape"
    if not draft.title.strip() or len(draft.title) > 200 or "\n" in draft.title.strip():
        return "shape"
    if len(draft.reasons) > 20 or not draft.ai_action.strip():
        return "shape"
    words = len(prose(draft).split())
    return "" if 0.5 * premise.words <= words <= 2.5 * premise.words else "length"


def scores(judgement: Judgement) -> Mapping[str, Any]:
    """The numbers alone, for a record's meta."""
    return judgement.model_dump(exclude={"problems"})
