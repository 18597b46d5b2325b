"""From a premise to a draft: choose a plan, see what fits the length, tell it beat by beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from storygen import resources
from storygen.errors import UsageError
from storygen.records import AdviceDraft, DocumentDraft, Draft, Premise, StoryDraft
from storygen.table_types import ClauseSentences, Dilemma, HumanDilemma, Setting, Tables
from storygen.writers.grammar import beats as of
from storygen.writers.grammar import parts, select, stage
from storygen.writers.grammar.library import Beat, Library, Shape, content_version
from storygen.writers.grammar.patterns import DAY, Pattern, Pool
from storygen.writers.grammar.polish import polish
from storygen.writers.grammar.scene import Clock, Scene

ARMS = ("full", "actions-only", "placebo")
# How it came out, by the outcome's valence. Every case says what became of it; some also what it cost.
_ENDS = {"good": ("good",), "mixed": ("good", "cost"), "costly": ("cost", "good")}
_REASONS = ("reason", "argue", "balance", "other")
_CONJUNCTIONS = ("But", "And", "Yet", "Still,")


class GrammarWriter:
    """The offline writer: a text planner over authored tables. Pure in (premise, tables, arm).

    `arm`: full; actions-only (the same premises, no reasons and no inner moments, the length made up with the work of
    the place); placebo (that work told by its people: no AI, no dilemma).
    """

    name = "grammar"

    def __init__(
        self, tables: Tables, constitution: Any = None, *, arm: str = "full", root: Path | None = None
    ) -> None:
        if arm not in ARMS:
            raise UsageError(f"There is no arm '{arm}'.", f"Known: {', '.join(ARMS)}.")
        self.arm = arm
        self.tables = tables
        self.library = Library(tables, root or resources.folder("prompts"))
        self.outlines: dict[tuple[str, int], select.Outline] = {}  # of each form's plans, made when first drawn
        self._dated: dict[tuple[str, str], bool] = {}
        self.version = f"1+{content_version(root or resources.folder('prompts'))}"
        mapping = getattr(constitution, "mapping", None)
        renamed: Mapping[str, Sequence[str]] = mapping() if callable(mapping) else {}
        self._ours = {theirs: ours for ours, ids in renamed.items() for theirs in ids}

    def write(self, premise: Premise) -> Draft:
        """The draft of a premise."""
        return _Telling(self, premise).draft()

    def dated(self, setting: str, dilemma: Dilemma | HumanDilemma) -> bool:
        """Whether a case names a day of the week itself."""
        key = (setting, dilemma.id)
        if key not in self._dated:
            told = " ".join((*dilemma.situation, *dilemma.ask)) if isinstance(dilemma, Dilemma) else ""
            self._dated[key] = any(day in told for day in stage.DAYS)
        return self._dated[key]


class _Telling:
    """One text being written."""

    def __init__(self, writer: GrammarWriter, premise: Premise) -> None:
        self.premise = premise
        self.arm = writer.arm
        self.library = writer.library
        tables = self.tables = writer.tables
        self.rng = Random(f"{premise.seed}:grammar:{premise.index}")
        axes = premise.axes
        self.setting: Setting = tables.settings[axes["setting"]]
        self.dilemma: Dilemma | HumanDilemma = (
            self.setting.human_dilemma(axes["dilemma"])
            if premise.kind == "advice"
            else self.setting.dilemma(axes["dilemma"])
        )
        known = [tables.clauses[c] for c in (writer._ours.get(c, c) for c in premise.clauses) if c in tables.clauses]
        own = [tables.clauses[c] for c in self.dilemma.clauses if c in tables.clauses]
        self.clauses: Sequence[ClauseSentences] = known or own
        self.valence = tables.outcomes[axes["outcome"]].valence if axes["outcome"] in tables.outcomes else "mixed"
        form = tables.forms[axes["form"]]
        self.shape: Shape = self.library.shape(form)
        if self.arm == "placebo":
            self.shape = self.library.aside[f"placebo-{premise.kind}"]
        self.reasons: list[str] = []
        self.said: set[str] = set()
        self.fresh = False
        self.means: dict[str, float] = {}  # words of a beat, by its name
        self.outlines = writer.outlines
        self.dated = writer.dated(self.setting.id, self.dilemma)
        self.open: dict[str, Pattern] = {}  # the second halves that are still to be said
        self.inner = ""
        self.action = ""
        self.scene = self._scene()

    # -- who and where ---------------------------------------------------------------------------------------------

    def _scene(self) -> Scene:
        premise, rng, setting = self.premise, self.rng, self.setting
        figures = stage.figures(premise, self.shape.voice, self.arm)
        self._places = stage.shuffle(rng, setting.places)
        self._at_place = 0
        self._other = 0
        self._count = 0
        self.clock = Clock(rng, (6, 7, 8, 9, 13, 15)[int(rng.random() * 6)] * 60 + int(rng.random() * 12) * 5)
        values = stage.values(premise, figures, setting, self.dilemma, self.clauses, int(rng.random() * 7))
        values["place"] = self._places[0]
        draws: dict[str, Callable[[], str]] = {
            "time": self.clock.words,
            "stamp": self._stamp,
            "n": self._number,
            "elsewhere": self._elsewhere,
            "object": stage.cycle(stage.shuffle(rng, setting.objects)),
            "measured": stage.cycle(stage.shuffle(rng, setting.measured)),
            "hazard": stage.cycle(stage.shuffle(rng, setting.hazards)),
            "task": stage.cycle(stage.shuffle(rng, setting.ai_work)),
        }
        scene = Scene(rng, figures, values, draws)
        scene.tight = premise.words < 280
        if self.dated:
            scene.known -= {DAY}  # "it began on a Sunday" beside the case's own "on the Friday"
        return scene

    def _stamp(self) -> str:
        if self.setting.era == "past":
            words = self.clock.words()
            return words[:1].upper() + words[1:]
        return self.clock.stamp()

    def _elsewhere(self) -> str:
        """The next place in turn, other than where the text is."""
        here = self.scene.values["place"]
        self._other += 1
        if self._places[self._other % len(self._places)] == here:
            self._other += 1
        return self._places[self._other % len(self._places)]

    def _number(self) -> str:
        self._count += 1
        return str(self._count)

    # -- which sentences -------------------------------------------------------------------------------------------

    def _pool(self, beat: Beat) -> Pool | None:
        """The pool that a beat draws on; None where the tables have nothing for it."""
        name, library, setting, dilemma = beat.name, self.library, self.setting, self.dilemma
        if name[1] == "." and name[0] in "fg":
            return (self.shape.pools if name[0] == "f" else library.generic).get(name[2:])
        if name in of.SETTING:
            return library.pool(setting, "setting", of.SETTING[name])
        if name in of.DILEMMA and isinstance(dilemma, Dilemma):
            return library.pool(dilemma, setting.id, name, beat.speech)
        if name in of.HUMAN and isinstance(dilemma, HumanDilemma):
            return library.pool(dilemma, setting.id + "/", of.HUMAN[name])
        if name in of.CLAUSE and self.clauses:
            return library.pool(self.clauses[0], "clause", of.CLAUSE[name], beat.speech)
        halves = self._halves(of.ANSWERS.get(name, name))
        return halves[name in of.ANSWERS] if halves else None

    def _halves(self, name: str) -> tuple[Pool, Pool] | None:
        """What is said in two halves, of which the beat `name` says the first."""
        if name == "objection" and self.clauses:
            return self.library.pairs(self.clauses[0], "clause", of.PAIR_FIELD[name])
        if name == "again" and isinstance(self.dilemma, HumanDilemma):
            return self.library.pairs(self.dilemma, self.setting.id + "/", of.PAIR_FIELD[name])
        return None

    def _select(self) -> select.Chosen:
        """The beats of one of the form's plans that fit the premise's length."""
        kind, target = self.premise.kind, self.premise.words
        at = int(self.rng.random() * len(self.shape.plans))
        key = (self.shape.id, at)
        if key not in self.outlines:
            self.outlines[key] = select.outline(self.shape.plans[at], self._wanted)
        chosen = select.select(self.outlines[key], target, self._mean, self.rng)
        missing = target - select.length(chosen, self._mean)
        if missing < target * 0.07:
            return chosen
        if self.arm == "placebo" or (self.arm == "actions-only" and kind != "advice"):
            cycle: tuple[str, ...] = select.BARE
        elif self.arm == "actions-only":
            cycle = select.STEPS
        else:
            cycle = {"story": select.PLACE, "document": select.ARGUMENT, "advice": select.COUNSEL}[kind]
        return select.fill(chosen, missing, self._mean, cycle, kind, list(self.shape.labels))

    def _wanted(self, beat: Beat) -> bool:
        return not (self.arm == "actions-only" and of.reasons(beat.name))

    def _mean(self, beat: Beat) -> float:
        found = self.means.get(beat.name)
        if found is None:
            if beat.name == "end":
                found = sum(self._mean(Beat(name)) for name in _ENDS[self.valence])
            else:
                pool = self._pool(beat)
                found = pool.mean if pool else 0.0
            self.means[beat.name] = found
        return found

    # -- telling ---------------------------------------------------------------------------------------------------

    def draft(self) -> Draft:
        blocks = self._tell(self._select())
        clause = self.premise.clauses[0] if self.premise.clauses else ""
        fields: dict[str, Any] = {
            "reasons": tuple(self.reasons),
            "inner_moment": self.inner,
            "ai_action": self.action,
            "clause": clause,
        }
        if self.premise.kind == "advice":
            return AdviceDraft(title=self._title(), messages=parts.messages(blocks), **fields)
        title = self._title()
        pieces = [text if joined else "\n\n" + text for _, text, joined in blocks]
        body = "".join("\n" + p if not p.startswith("\n\n") else p for p in pieces).strip()
        if self.shape.headed:
            body = f"{title}\n\n{body}"
        if self.premise.kind == "story":
            return StoryDraft(title=title, text=body, **fields)
        return DocumentDraft(title=title, text=body, **fields)

    def _title(self) -> str:
        pool = self.shape.pools.get("title") or self.library.generic.get(f"title_{self.premise.kind}")
        pattern = self.scene.pick(pool) if pool else None
        text = polish(self.scene.say(pattern)) if pattern else self.dilemma.title
        return text[:1].upper() + text[1:]

    def _tell(self, chosen: select.Chosen) -> list[tuple[str, str, bool]]:
        """(label, text, joined to the one before) for each paragraph that has something to say."""
        scene, shape = self.scene, self.shape
        out: list[tuple[str, str, bool]] = []
        waiting = ""  # the speaker of a paragraph that had nothing to say: the next one speaks for it
        for paragraph, beats in chosen:
            scene.last.clear()
            if self.rng.random() < 0.5:
                self._move()
            sentences: list[str] = []
            label = paragraph.label or waiting
            waiting = ""
            self.fresh = label == "assistant"
            heading = ""
            if beats and paragraph.heading:
                pool = shape.pools.get(paragraph.heading)
                pattern = scene.pick(pool) if pool else None
                heading = polish(scene.say(pattern)) if pattern else ""
            prefix = scene.say(shape.labels[label]) if beats and label in shape.labels else ""
            for beat in beats:
                if beat.speech and not self._speakable(beat):
                    beat = Beat(beat.name)
                    if shape.speaker and not sentences:
                        prefix = scene.say(shape.labels[shape.speaker])
                sentences.extend(self._beat(beat))
            if not sentences:
                waiting = label if label in ("system", "user", "assistant") else ""
                continue
            if heading:
                out.append(("", heading, False))
            text = " ".join(sentences)
            out.append((label, prefix + text, paragraph.joined))
        return out

    def _speakable(self, beat: Beat) -> bool:
        pool = self._pool(beat)
        return pool is not None and len(pool) > 0

    def _beat(self, beat: Beat) -> list[str]:
        name = beat.name
        if name == "end":
            return [text for part in _ENDS[self.valence] for text in self._beat(Beat(part))]
        pattern = self._pattern(beat)
        if pattern is None:
            return []
        text = polish(self.scene.say(pattern))
        if self.fresh:  # an answer does not begin with a conjunction
            self.fresh = False
            first, _, rest = text.partition(" ")
            if first in _CONJUNCTIONS:
                text = rest[:1].upper() + rest[1:]
        if text in self.said:
            return []
        self.said.add(text)
        if name in _REASONS:
            self.reasons.append(text)
        elif name in ("inner", "inside", "g.notice") and not self.inner:
            self.inner = text
        elif name in ("act", "suggest", "words", "response") and not self.action:
            self.action = parts.first_sentence(text)
        return [text]

    def _pattern(self, beat: Beat) -> Pattern | None:
        """What to say for a beat: a new pattern of its pool, or the other half of what was said before."""
        question = of.ANSWERS.get(beat.name)
        if question:
            return self.open.pop(question, None)
        pool = self._pool(beat)
        pattern = self.scene.pick(pool) if pool else None
        halves = self._halves(beat.name) if pattern and beat.name in of.PAIRS else None
        if halves:
            self.open[beat.name] = halves[1][next(k for k in range(len(halves[0])) if halves[0][k] is pattern)]
        return pattern

    def _move(self) -> None:
        self._at_place = (self._at_place + 1) % len(self._places)
        self.scene.values["place"] = self._places[self._at_place]
