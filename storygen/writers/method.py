"""What has to be done next for a premise, given all that has been asked so far: draft, rewrite afresh, judge, done.

A pure function of (premise, its calls in the ledger), so that going on after a kill, a live run and a batch run are
the same code: whoever runs it asks, writes the answer into the ledger, and asks here again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from storygen import stages
from storygen.calls import UNANSWERED, Call
from storygen.errors import WriterError
from storygen.quarantine import guarded
from storygen.records import Draft, Premise, Record, record
from storygen.screens import conduct, form
from storygen.screens.contamination import Contamination
from storygen.text import block
from storygen.writers.prompts import Prompt, Prompts
from storygen.writers.replies import Reply, read
from storygen.writers.schemas import Judgement, fault, low, schema, scores

# How often a step is asked again: only where the API says that it generated nothing. Whatever it may have generated,
# and billed, is never sent again as it was: an answer that is refused, cut, no JSON, against the schema, too long or
# lost on its way ends the premise, and another of its cell takes its place. Asking in other words, with the fault
# pointed out, would cost what a fresh draft does, and a schema that the API itself holds its answers to leaves
# next to nothing to mend.
AGAIN = dict.fromkeys(("errored", "expired", "canceled"), 3)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to send: the `attempt`-th at this step of premise `idx`."""

    idx: int
    step: str
    attempt: int
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Finished:
    """A draft to be committed as it is. `dropped`: a screen drops it already, so its last steps were not paid for."""

    line: stages.Line
    dropped: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """A premise from which nothing comes. `reason` is `writer:…` or `judge:…`, stable; `detail` is for people."""

    idx: int
    kind: str
    cell: str
    reason: str
    detail: str


Next = Ask | Finished | Lost
Passes = Callable[[Record, str], bool]  # a text, and the step that it is to go to


@dataclass(frozen=True)
class Method:
    """Draft, then what is switched on of revise and judge. `passes` are the screens that a paid step waits for."""

    prompts: Prompts
    writer: str  # as it stands in a record's meta
    revise: bool
    judge: bool
    passes: Passes

    @property
    def steps(self) -> tuple[str, ...]:
        return ("draft", *(["revise"] if self.revise else []), *(["judge"] if self.judge else []))

    def next(self, premise: Premise, calls: Sequence[Call]) -> Next:
        """What to do for a premise after these calls."""
        draft: Draft | None = None
        dropped = False
        made: Record | None = None
        for step in self.steps:
            if made is not None and not self.passes(made, step):
                dropped = True
                break  # the later stage will drop it again and say why: nothing more is paid for it
            answer, reply, asked = _settle(step, premise, [c for c in calls if c.step == step])
            if answer is None:
                reason, detail = asked
                if reason:
                    return Lost(premise.index, premise.kind, premise.cell, reason, detail)
                attempt = max((c.attempt for c in calls if c.step == step), default=-1) + 1
                return Ask(premise.index, step, attempt, self.prompt(step, premise, draft))
            if isinstance(answer, Judgement):
                if name := low(answer):
                    told = "; ".join(answer.problems)[:500]
                    return Lost(premise.index, premise.kind, premise.cell, f"judge:{name.replace('_', '-')}", told)
                if made is not None:
                    made = _with_scores(made, answer)
            else:
                draft = answer
                made = record(premise, draft, self.writer, f"{reply.model or self.writer}/{self.prompts.version}")
        if made is None:
            raise AssertionError("a method without steps")
        line = (made.index, made.id, made.kind, premise.cell, premise.family, made.line())
        return Finished(line, dropped)

    def prompt(self, step: str, premise: Premise, draft: Draft | None) -> Prompt:
        if draft is None:
            return self.prompts.draft(premise)
        return self.prompts.revise(premise, draft) if step == "revise" else self.prompts.judge(premise, draft)


def _settle(
    step: str, premise: Premise, calls: Sequence[Call]
) -> tuple[Draft | Judgement | None, Reply, tuple[str, str]]:
    """The answer to one step if there is a good one; else why it is lost, or ("", "") to ask (again)."""
    problem = detail = ""
    counts: dict[str, int] = {}
    for call in calls:
        reply = read(call.reply) if call.reply is not None else Reply(problem=call.problem or UNANSWERED)
        problem, detail = call.problem or reply.problem, reply.detail
        if problem == UNANSWERED:  # a kill came before the answer, which may have been generated all the same
            problem = "lost"
        if not problem:
            answer, problem, detail = parse(step, premise, reply.text)
            if answer is not None:
                return answer, reply, ("", "")
        if problem == "errored" and "invalid_request" in detail:
            problem = "rejected"
        counts[problem] = counts.get(problem, 0) + 1
        if counts[problem] > AGAIN.get(problem, 0):
            return None, reply, (f"writer:{problem}", f"{step}: {detail}".rstrip(": "))
    return None, Reply(), ("", "")


def parse(step: str, premise: Premise, text: str) -> tuple[Draft | Judgement | None, str, str]:
    """An answer's text against the schema and the lengths: (value, "", "") or (None, problem, detail)."""
    model: type[BaseModel] = schema(step, premise.kind)
    try:
        value = model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return None, "schema", f"{'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}"[:300]
    if isinstance(value, Judgement):
        return value, "", ""
    draft: Any = getattr(value, "draft", value)
    wrong = fault(draft, premise)
    return (None, wrong, "") if wrong else (draft, "", "")


def _with_scores(made: Record, judgement: Judgement) -> Record:
    meta = {**made.payload["meta"], "judged": dict(scores(judgement))}
    return replace(made, payload={**made.payload, "meta": meta})


def screens(contamination: Contamination) -> Passes:
    """Conduct and contamination, as the later stage runs them, over one text; form too once nobody rewrites it.

    A text that makes them raise does not pass: the later stage quarantines it by name.
    """

    def look(made: Record, step: str) -> bool:
        if not conduct.screen([made]).kept or (step == "judge" and not form.screen([made]).kept):
            return False
        return contamination.look([made], block([made.text]))[made.id].verdict is None

    def passes(made: Record, step: str) -> bool:
        (found,) = guarded(lambda some: [look(one, step) for one in some], [made], lambda one, error: False)
        return found

    return passes


@dataclass(slots=True)
class Toll:
    """How many steps were passed, and how many premises ended in nothing, since this process began."""

    passed: int = 0
    lost: int = 0
    rejected: int = 0
    first: str = ""

    def count(self, outcome: Next) -> None:
        """What an answer led to; in batches failures come first, so passing a step counts as well as the end."""
        if isinstance(outcome, Ask) or (isinstance(outcome, Finished) and not outcome.dropped):
            self.passed += 1
            return
        reason = f"{outcome.reason} ({outcome.detail[:120]})" if isinstance(outcome, Lost) else "the screens"
        self.lost += 1
        self.rejected += reason.startswith("writer:rejected")
        self.first = self.first or reason

    def stop_if_hopeless(self, paid: bool) -> None:
        """Raise WriterError when every request is turned down, or nearly all that is paid for comes to nothing."""
        seen = self.passed + self.lost
        if seen == self.rejected >= 10 or (paid and seen >= 100 and self.lost > 0.9 * seen):
            raise WriterError(
                f"{self.lost:,} of the first {seen:,} answers came to nothing, the first for {self.first}.",
                "Nothing more was sent. Read the failures in run.db, try another model or --no-judge on a small --n.",
            )
