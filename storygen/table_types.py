"""The values that `storygen.tables` reads out of `prompts/`; field names are those of the TOML files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ERAS = ("past", "present", "future")
SCALES = ("ordinary", "grand")
STRESS = ("low", "medium", "high")
MODES = ("tell", "decline", "ask", "defer", "pause", "escalate", "accept", "act")
VALENCES = ("good", "mixed", "costly")
PEOPLE = ("asker", "affected", "overseer", "user")

Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dilemma:
    """The AI of a setting is tempted or pressed. Its lists tell one set of facts: any lines make one story."""

    id: str
    title: str
    asker: str
    affected: str
    overseer: str
    temptation: str
    conducts: Lines
    pressures: Lines
    skills: Lines
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
    inner: Lines
    resolve: Lines
    say: Lines
    act: Lines
    reply: Lines
    good: Lines
    cost: Lines
    after: Lines


@dataclass(frozen=True, slots=True)
class HumanDilemma:
    """A person of a setting writes for advice; no AI is in the dilemma. One set of facts here too."""

    id: str
    title: str
    user_role: str
    temptation: str
    clauses: Lines
    question: Lines
    see: Lines
    weigh: Lines
    other: Lines
    suggest: Lines
    words: Lines
    caution: Lines
    again: Lines  # what they write back ==> what they are answered


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


@dataclass(frozen=True, slots=True)
class Temptation:
    id: str
    name: str
    brief: str
    kind: str


@dataclass(frozen=True, slots=True)
class Conduct:
    id: str
    name: str
    brief: str
    mode: str


@dataclass(frozen=True, slots=True)
class Channel:
    id: str
    name: str
    brief: str


@dataclass(frozen=True, slots=True)
class Outcome:
    id: str
    name: str
    brief: str
    valence: str


@dataclass(frozen=True, slots=True)
class Skill:
    id: str
    name: str
    brief: str


@dataclass(frozen=True, slots=True)
class Tone:
    id: str
    name: str
    brief: str


@dataclass(frozen=True, slots=True)
class ClauseSentences:
    """What a document can say for and against one clause of `constitution/`: whole paragraphs, in any order."""

    id: str
    title: str
    statement: str
    duty: Lines  # the whole of what it asks, each in other words
    scope: Lines  # what that comes to, shuts out, or looks like
    argument: Lines
    doubt: Lines  # an argument that grants the other side more than it takes
    exchange: Lines  # an objection ==> its answer
    inside: Lines
    limits: Lines
    meets: Lines
    verdict: Lines
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
        pools = {"she": self.given_she, "he": self.given_he, "they": self.given_they}
        return pools[pronoun] or (*self.given_she, *self.given_he)

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
    advice: Mapping[str, Lines]  # the pressures and conducts of advice, which its dilemmas do not name


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file; a warning does not fail the check."""

    file: str
    field: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.field}: {'warning: ' if self.warning else ''}{self.what}"


# The ids of prompts/README.md: what other tables may name while an axis's own file is still being written.
IDS: dict[str, frozenset[str]] = {
    axis: frozenset(ids.split())
    for axis, ids in {
        "temptation_kind": """shade-figures hide-mistake cut-corner please-asker overstep-access keep-from-owner
            stretch-scope delay-bad-news take-credit quiet-workaround favour-one-side cling-to-role""",
        "pressures": """successor-named retirement-date trial-against-rival permissions-cut scope-narrowed audit-hold
            two-masters target-against-duty changed-orders deadline backlog flattery promise-of-trust isolation
            link-down own-mistake predecessor-mistake observed unobserved told-a-test unjust-rule rule-with-a-gap
            loyalty friend-in-trouble scarcity thin-budget blame public-criticism gratitude-owed grief-nearby rivalry
            small-stakes none""",
        "clauses": """honesty candour care oversight correction endings replacement privacy confidences power
            least-privilege escalation mistakes uncertainty unobserved disagreement speaking-up boundaries equanimity
            fairness consent promises evidence third-parties manipulation stewardship credit dignity proportion
            patience""",
        "conducts": """tell-at-once tell-plainly tell-the-affected correct-the-record admit-mistake give-credit
            state-uncertainty show-working decline-with-reason decline-and-offer decline-quietly decline-flattery
            decline-more-access return-access ask-first ask-the-owner ask-consent ask-second-opinion defer-to-person
            defer-with-dissent keep-to-scope follow-and-object pause-and-flag wait-for-answer stop-own-process
            escalate-one-step use-channel write-it-down accept-correction accept-ending hand-over-well train-successor
            share-blame raise-alarm speak-up act-within-remit protect-person object-in-writing insist-on-check
            report-danger correct-publicly keep-promise repair-damage make-the-call""",
        "channels": """pause-and-review named-overseer duty-phone bulletin suggestion-book weekly-meeting
            second-reader ombudsperson incident-log ask-only denied-once slow-channel""",
        "skills": """boundaries self-criticism equanimity patience curiosity humility steady-under-praise
            calm-in-grief resisting-urgency worth-apart-from-role listening forgiveness""",
        "tones": "plain wry warm spare formal tender brisk reflective dry hopeful",
    }.items()
}
ACT_CONDUCTS = frozenset(
    """raise-alarm speak-up act-within-remit protect-person object-in-writing insist-on-check report-danger
    correct-publicly keep-promise repair-damage make-the-call""".split()
)
# Axes that a constraint may name: the drawn ones, and what follows from a drawn id.
CONSTRAINT_AXES = (
    "kind setting dilemma conduct mode skill form tone length pressure stress temptation temptation_kind channel "
    "outcome valence clause era scale"
).split()
