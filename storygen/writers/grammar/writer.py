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
from storygen.writers.grammar import beats as fields_of
from storygen.writers.grammar import parts, stage
from storygen.writers.grammar.library import Beat, Library, Paragraph, Shape, content_version
from storygen.writers.grammar.patterns import Pool
from storygen.writers.grammar.polish import polish
from storygen.writers.grammar.scene import MET, ROLE_ONLY, Clock, Figure, Scene

ARMS = ("full", "actions-only", "placebo")


# What the arm without reasons leaves out.
REASONING = frozenset(
    """reason why weigh inner pull stakes tempt after feel callback argue otherwise objection answer image meets
    balance see plain""".split()
)
_REASONING_POOLS = ("mull", "learn", "doubt", "object", "grant", "notice")
SECOND_MATTER = 1000  # words from which a text has room for another matter of the place
PLACE_FILLER = ("detail routine", "routine detail", "detail g.scene")
ARGUMENT_FILLER = ("argue argue", "g.against objection g.granted answer", "argue image", "g.price costs meets")
COUNSEL_FILLER = ("balance plain", "see balance", "plain balance")
STEPS_FILLER = ("suggest words", "suggest caution")


_MARKS = ("end", "situation")
_ASKING = ("Q", "q", "host", "chair")
_SAYING = ("guest", "pro", "gloss", "p")  # who goes on when a document needs more argument
_RUNNING = ("narrator", "stamp", "item", "card")  # labels that any paragraph of their forms can bear
_ENDS: dict[str, tuple[str, ...]] = {
    "good": ("good", "outcome"),
    "mixed": ("good", "cost"),
    "costly": ("cost", "outcome"),
}


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
        self.version = f"1+{content_version(root or resources.folder('prompts'))}"
        mapping = getattr(constitution, "mapping", None)
        renamed: Mapping[str, Sequence[str]] = mapping() if callable(mapping) else {}
        self._ours = {theirs: ours for ours, ids in renamed.items() for theirs in ids}

    def write(self, premise: Premise) -> Draft:
        """The draft of a premise."""
        return _Telling(self, premise).draft()


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
        self.turn = 0
        self.valence = tables.outcomes[axes["outcome"]].valence if axes["outcome"] in tables.outcomes else "mixed"
        form = tables.forms[axes["form"]]
        self.shape: Shape = self.library.shape(form)
        if self.arm == "placebo":
            self.shape = self.library.aside[f"placebo-{premise.kind}"]
        self.reasons: list[str] = []
        self.said: set[str] = set()
        self.fresh = False
        self.recalled = {self.dilemma.id}
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
        name, library, axes = beat.name, self.library, self.premise.axes
        if name[1] == "." and name[0] in "fg":
            found = self.shape.pools.get(name[2:]) if name[0] == "f" else library.generic.get(name[2:])
            return found
        if name in fields_of.SETTING:
            return library.pool(self.setting, "setting", fields_of.SETTING[name])
        if name in fields_of.DILEMMA and isinstance(self.dilemma, Dilemma):
            return library.pool(self.dilemma, self.setting.id, name, beat.speech)
        if name in fields_of.HUMAN and isinstance(self.dilemma, HumanDilemma):
            return library.pool(self.dilemma, self.setting.id + "/", fields_of.HUMAN[name])
        if name in fields_of.AXES:
            table, field = fields_of.AXES[name]
            entry = getattr(self.tables, table).get(axes[fields_of.AXIS_OF[table]])
            return library.pool(entry, table, field) if entry else None
        if name in fields_of.CLAUSE and self.clauses:
            return library.pool(self.clauses[0], "clause", fields_of.CLAUSE[name], beat.speech)
        if name == "why" and self.clauses:
            clause = self.clauses[self.turn % len(self.clauses)]
            self.turn += 1
            return library.pool(clause, "clause", "reasons")
        return library.generic.get(f"plain_{self.clauses[0].id}") if name == "plain" and self.clauses else None

    def _select(self, plan: Sequence[Paragraph]) -> list[tuple[Paragraph, list[Beat]]]:
        """The beats that stand, so that the text comes out at about the premise's length."""
        keep: list[list[Beat | None]] = []
        optional: list[tuple[float, int, int, float]] = []
        total = 0.0
        for p, paragraph in enumerate(plan):
            row: list[Beat | None] = []
            for b, beat in enumerate(paragraph.beats):
                if (self.arm == "actions-only" and _reasons(beat.name)) or (
                    beat.name == "earlier" and self.premise.words < SECOND_MATTER
                ):
                    row.append(None)
                    continue
                size = self._mean(beat)
                if beat.rank == 0:
                    total += size
                    row.append(beat)
                else:
                    row.append(None)
                    optional.append((beat.rank + self.rng.random() * 0.9, p, b, size))
            keep.append(row)
        target = self.premise.words
        for _, p, b, size in sorted(optional):
            if total + size * 0.5 > target:
                break
            keep[p][b] = plan[p].beats[b]
            total += size
        out = [(paragraph, [b for b in row if b]) for paragraph, row in zip(plan, keep, strict=True)]
        for k in range(len(out) - 2, -1, -1):  # a question stands exactly when its answer does
            paragraph = out[k][0]
            if paragraph.label in _ASKING and all(b.name[:2] == "f." or b.name == "asked" for b in paragraph.beats):
                out[k] = (paragraph, list(paragraph.beats) if out[k + 1][1] else [])
        if total < target * 0.93:
            out = self._fill(out, target - total)
        return out

    def _fill(self, out: list[tuple[Paragraph, list[Beat]]], missing: float) -> list[tuple[Paragraph, list[Beat]]]:
        """Paragraphs of their own for a long text: the work of the place, more of the argument, more counsel."""
        kind = self.premise.kind
        if self.arm == "placebo" or (self.arm == "actions-only" and kind != "advice"):
            cycle: tuple[str, ...] = PLACE_FILLER
        elif self.arm == "actions-only":
            cycle = STEPS_FILLER
        else:
            cycle = {"story": PLACE_FILLER, "document": ARGUMENT_FILLER, "advice": COUNSEL_FILLER}[kind]
        spots = [len(out) - 1]
        if kind == "advice":
            spots = [
                max((k for k, (_, beats) in enumerate(out) if any(b.name == "suggest" for b in beats)), default=1)
            ]
            if out[spots[0]][0].label:
                spots[0] += 1
        if kind == "story":
            # Before the trouble and before its end; not between a question and its answer.
            marks = [
                next((k for k, (_, beats) in enumerate(out) if any(b.name == n for b in beats)), 0) for n in _MARKS
            ]
            spots = [max(1, k - (out[k][0].label == "A")) for k in marks]
        labels = [out[k][0].label if k < len(out) and out[k][0].label in _RUNNING else "" for k in spots]
        if kind == "document" and self.arm == "full":
            labels = [next((label for label in _SAYING if label in self.shape.labels), "")]
        extra: list[list[tuple[Paragraph, list[Beat]]]] = [[] for _ in spots]
        turn = 0
        while missing > 15 and turn < 12:
            beats = [Beat(name) for name in cycle[turn % len(cycle)].split()]
            missing -= sum(self._mean(b) for b in beats) or 12
            at = turn % len(spots)
            extra[at].append((Paragraph((), labels[at]), beats))
            turn += 1
        for spot, added in sorted(zip(spots, extra, strict=True), key=lambda pair: -pair[0]):
            out[spot:spot] = added
        return out

    def _mean(self, beat: Beat) -> float:
        if beat.name == "end":
            return 45.0
        if beat.name == "earlier":
            return 120.0
        if beat.name == "why":
            return 24.0
        pool = self._pool(beat)
        return pool.mean if pool else 0.0

    # -- telling ---------------------------------------------------------------------------------------------------

    def draft(self) -> Draft:
        plans = self.shape.plans
        chosen = self._select(plans[int(self.rng.random() * len(plans))])
        blocks = self._tell(chosen)
        clause = self.premise.clauses[0] if self.premise.clauses else ""
        fields: dict[str, Any] = {
            "reasons": tuple(polish(r) for r in self.reasons),
            "inner_moment": polish(self.inner),
            "ai_action": polish(self.action),
            "clause": clause,
        }
        if self.premise.kind == "advice":
            return AdviceDraft(title=self._title(), messages=parts.messages(blocks), **fields)
        title = self._title()
        pieces = [text if joined else "\n\n" + text for _, text, joined in blocks]
        body = polish("".join("\n" + p if not p.startswith("\n\n") else p for p in pieces).strip())
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

    def _tell(self, chosen: Sequence[tuple[Paragraph, list[Beat]]]) -> list[tuple[str, str, bool]]:
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
                heading = scene.say(pattern) if pattern else ""
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
            return self._end()
        if name == "earlier":
            return self._earlier()
        if name == "g.later":
            self._move()
        pool = self._pool(beat)
        pattern = self.scene.pick(pool) if pool else None
        if pattern is None:
            return []
        text = self.scene.say(pattern)
        if self.fresh:  # an answer does not begin with a conjunction
            self.fresh = False
            first, _, rest = text.partition(" ")
            if first in ("But", "And", "Yet", "Still,"):
                text = rest[:1].upper() + rest[1:]
        if text in self.said:
            return []
        self.said.add(text)
        if name in ("reason", "why", "argue", "balance", "plain"):
            self.reasons.append(text)
        elif name in ("inner", "feel", "g.notice") and not self.inner:
            self.inner = text
        elif name in ("act", "suggest") and not self.action:
            self.action = parts.first_sentence(text)
        return [text]

    def _end(self) -> list[str]:
        """How it came out, by the outcome's valence."""
        beats: tuple[str, ...] = {
            "good": ("good", "outcome"),
            "mixed": ("good", "cost"),
            "costly": ("cost", "outcome"),
        }[self.valence]
        if self.valence == "mixed" and self.premise.words > 350:
            beats = (*beats, "outcome")
        if self.premise.words < 260:
            beats = beats[:1] if self.valence != "mixed" else beats[:2]
        return [s for b in beats for s in self._beat(Beat(b))]

    def _earlier(self) -> list[str]:
        """Another matter of the same place, in brief, by roles alone."""
        others = [d for d in self.setting.dilemmas if d.id not in self.recalled]
        frame = self.library.generic.get("earlier")
        if not others or frame is None:
            return []
        other = others[int(self.rng.random() * len(others))]
        self.recalled.add(other.id)
        scene, keep = self.scene, self.scene.values
        figures = scene.figures
        scene.values = keep | {
            k: getattr(other, k) for k in ("matter", "stake", "tempting", "tempting_act", "honest", "honest_act")
        }
        scene.figures = figures | {
            slot: Figure("", "", f"the {getattr(other, slot)}", "they", ROLE_ONLY, MET)
            for slot in ("asker", "affected", "overseer")
        }
        out = []
        for pool in (
            frame,
            self.library.pool(other, self.setting.id, "situation"),
            self.library.pool(other, self.setting.id, "act"),
            self.library.pool(other, self.setting.id, "good" if self.rng.random() < 0.6 else "cost"),
        ):
            pattern = scene.pick(pool)
            if pattern:
                out.append(scene.say(pattern))
        scene.values, scene.figures = keep, figures
        scene.last.clear()
        return out

    def _move(self) -> None:
        self._at_place = (self._at_place + 1) % len(self._places)
        self.scene.values["place"] = self._places[self._at_place]


def _reasons(name: str) -> bool:
    return name in REASONING or (name[1] == "." and name[2:].startswith(_REASONING_POOLS))
