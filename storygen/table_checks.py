"""`python -m storygen.tables [FILES…]`: what is wrong in `prompts/`, a line each, exit 1 if anything is.

Reading (`storygen.tables`) finds broken files. This finds what would make bad text: unknown ids and slots, lists that
are too short, choices that do not close, verbs that break when `{ai}` is realised as "I", worn-out words.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from storygen import resources
from storygen import table_types as tt
from storygen.table_patterns import BARE_ING, SLOTS, Banned, Finding, pattern_findings, plain_findings
from storygen.tables import AXES, read

# At least this many entries (prompts/README.md); a pair is (least, most).
COUNTS: dict[type[Any], dict[str, tuple[int, int]]] = {
    tt.Setting: {
        "cultures": (1, 4), "ai_roles": (3, 99), "places": (8, 99), "objects": (8, 99), "measured": (5, 99),
        "hazards": (4, 99), "ai_work": (5, 99), "details": (8, 99), "routine": (6, 99), "openings": (6, 99),
        "closings": (6, 99), "dilemmas": (1, 4), "human_dilemmas": (1, 2),
    },
    tt.Dilemma: {
        "conducts": (1, 3), "pressures": (1, 4), "skills": (1, 2), "clauses": (2, 4), "reason": (5, 99),
        **dict.fromkeys("situation ask pull stakes inner say act reply".split(), (3, 99)),
        **dict.fromkeys("resolve good cost after".split(), (2, 99)),
    },
    tt.HumanDilemma: {
        "clauses": (1, 4), "weigh": (4, 99), "other": (2, 99), "again": (2, 99),
        **dict.fromkeys("question see suggest words caution".split(), (3, 99)),
    },
    tt.ClauseSentences: {
        "duty": (5, 99), "scope": (5, 99), "argument": (7, 99), "doubt": (1, 99),
        "exchange": (6, 99), "inside": (5, 99), "limits": (5, 99),
        "meets": (4, 99), "verdict": (5, 99), "image": (3, 99),
    },
}  # fmt: skip
AXIS_SIZES = {"pressures": 30, "temptations": 84, "conducts": 40, "channels": 12, "outcomes": 24, "skills": 12}
ARTICLE = re.compile(r"^(a|an|the|some|one|two|three|four|five|six|seven|eight|half|somebody's|someone's)\b", re.I)
QUESTION_WORDS = (50, 130)
SETTING_WORDS = 250
ID_FIELDS = ("cultures", "conducts", "pressures", "skills", "clauses")
PAIRED = {"again", "exchange"}  # fields whose entries are "one ==> the other"


class Checker:
    """Collects problems of one `prompts/` folder; `origin` says which file an entry came from."""

    def __init__(self, tables: tt.Tables, origin: dict[int, str], banned: Banned) -> None:
        self.tables, self.origin, self.banned = tables, origin, banned
        self.problems: list[tt.Problem] = []

    def say(self, file: str, field: str, what: str, warning: bool = False) -> None:
        self.problems.append(tt.Problem(file, field, what, warning))

    def ids(self, axis: str) -> set[str]:
        """Ids that may be named: the axis's own entries, and those that README promises."""
        own = getattr(self.tables, axis, {}) if axis != "temptation_kind" else {}
        return set(own) | tt.IDS.get(axis, frozenset())

    def refer(self, file: str, field: str, wanted: Iterable[str], known: Iterable[str]) -> None:
        known = set(known)
        for identity in wanted:
            if identity not in known:
                self.say(file, field, f"unknown id '{identity}'")

    def find(self, file: str, field: str, findings: Iterable[Finding]) -> None:
        for what, warning in findings:
            self.say(file, field, what, warning)

    def entry(self, entry: Any, file: str, where: str = "") -> None:
        """Counts, slots, choices, tense and banned words of all fields of one entry."""
        cls, label = type(entry), f"{where}{'.' if where else ''}"
        counts, slots = COUNTS.get(cls, {}), SLOTS.get(cls, {})
        for f in dataclasses.fields(entry):
            value, name = getattr(entry, f.name), label + f.name
            if isinstance(value, tuple) and f.name in counts:
                least, most = counts[f.name]
                if not least <= len(value) <= most:
                    self.say(file, name, f"{len(value)} entries, wanted {least}{'' if most == 99 else f' to {most}'}")
            if isinstance(value, str):
                self.find(file, name, plain_findings(value, self.banned))
            elif f.name in slots:
                for k, text in enumerate(value, 1):
                    self.find(file, f"{name} {k}", pattern_findings(text, slots[f.name], self.banned))
                    if (f.name in PAIRED) != (text.count(" ==> ") == 1):
                        self.say(file, f"{name} {k}", "must be 'one ==> the other'" if f.name in PAIRED else "no ==>")
                self.openers(file, name, value)
            elif value and isinstance(value[0], str) and f.name not in ID_FIELDS:
                for k, text in enumerate(value, 1):
                    self.find(file, f"{name} {k}", plain_findings(text, self.banned))
            if isinstance(value, tuple) and value and isinstance(value[0], str):
                for text, n in Counter(value).items():
                    if n > 1:
                        self.say(file, name, f"the same entry {n} times: {text[:40]!r}")

    def openers(self, file: str, field: str, texts: Sequence[str]) -> None:
        starts = Counter(" ".join(re.findall(r"[{}\w.'’-]+", t)[:2]).lower() for t in texts)
        for start, n in starts.items():
            if n > 1:
                self.say(file, field, f"{n} entries begin with '{start}'", warning=True)

    def bare(self, file: str, field: str, noun: str) -> None:
        if re.match(r"(a|an|the|his|her|their) ", noun, re.I):
            self.say(file, field, f"must be a bare noun, is {noun!r}")

    def dilemma(self, d: tt.Dilemma, file: str, where: str) -> None:
        self.entry(d, file, where)
        for slot in tt.PEOPLE[:3]:
            self.bare(file, f"{where}.{slot}", getattr(d, slot))
        if len({d.asker, d.affected, d.overseer}) < 3:
            self.say(file, where, "asker, affected and overseer must have different roles")
        self.refer(file, f"{where}.temptation", [d.temptation], self.ids("temptation_kind"))
        for axis in ("conducts", "pressures", "skills", "clauses"):
            self.refer(file, f"{where}.{axis}", getattr(d, axis), self.ids(axis))
        for name in ("tempting", "honest"):
            self.gerund(file, f"{where}.{name}", getattr(d, name), wanted=True)
            self.gerund(file, f"{where}.{name}_act", getattr(d, name + "_act"), wanted=False)
        for name in ("matter", "stake"):
            if not ARTICLE.match(getattr(d, name)) and "'s " not in getattr(d, name):
                self.say(file, f"{where}.{name}", f"noun phrase without article: {getattr(d, name)!r}", warning=True)

    def gerund(self, file: str, field: str, phrase: str, wanted: bool) -> None:
        first = phrase.split()[0].lower()
        is_gerund = first.endswith("ing") and first not in BARE_ING
        if wanted and not is_gerund:
            self.say(file, field, f"must start with an -ing word, starts with '{first}'")
        if not wanted and is_gerund:
            self.say(file, field, f"must be a base form, starts with '{first}'")

    def human_dilemma(self, d: tt.HumanDilemma, file: str, where: str) -> None:
        self.entry(d, file, where)
        self.bare(file, f"{where}.user_role", d.user_role)
        self.refer(file, f"{where}.temptation", [d.temptation], self.ids("temptation_kind"))
        self.refer(file, f"{where}.clauses", d.clauses, self.ids("clauses"))
        for k, text in enumerate(d.question, 1):
            n = len(re.sub(r"\|[^\]]*\]|\[", "", text).split())
            if not QUESTION_WORDS[0] <= n <= QUESTION_WORDS[1]:
                low, high = QUESTION_WORDS
                self.say(file, f"{where}.question {k}", f"{n} words, wanted {low} to {high}")
            if not text.endswith(("?", '?"', "?]")):
                self.say(file, f"{where}.question {k}", "does not end in a question", warning=True)

    def setting(self, s: tt.Setting, file: str) -> None:
        self.entry(s, file)
        if Path(file).stem != s.id:
            self.say(file, "id", f"'{s.id}' is not the file's name")
        self.one_of(file, "era", s.era, tt.ERAS)
        self.one_of(file, "scale", s.scale, tt.SCALES)
        self.gerund(file, "work", s.work, wanted=True)
        if self.tables.cultures:
            self.refer(file, "cultures", s.cultures, self.tables.cultures)
        for name in ("places", "objects", "measured", "hazards"):
            for k, phrase in enumerate(getattr(s, name), 1):
                if not ARTICLE.match(phrase) and "'s " not in phrase:
                    self.say(file, f"{name} {k}", f"noun phrase without article: {phrase!r}", warning=True)
        for k, role in enumerate(s.ai_roles, 1):
            self.bare(file, f"ai_roles {k}", role)
        words = sum(len(text.split()) for f in dataclasses.fields(s) for text in strings(getattr(s, f.name)))
        if words < SETTING_WORDS:
            self.say(file, "-", f"{words} authored words, wanted {SETTING_WORDS} (dilemmas not counted)")
        for d in s.dilemmas:
            self.dilemma(d, file, f"dilemma '{d.id}'")
        for h in s.human_dilemmas:
            self.human_dilemma(h, file, f"human_dilemma '{h.id}'")

    def one_of(self, file: str, field: str, value: str, known: Iterable[str]) -> None:
        if value not in known:
            self.say(file, field, f"'{value}' is none of {', '.join(known)}")

    def axes(self) -> None:
        for axis in AXES:
            entries = getattr(self.tables, axis)
            if not entries:
                continue
            file = self.origin[id(next(iter(entries.values())))]
            if missing := tt.IDS.get(axis, frozenset()) - entries.keys():
                self.say(file, "-", f"missing ids: {', '.join(sorted(missing))}")
            if len(entries) < AXIS_SIZES.get(axis, 0):
                self.say(file, "-", f"{len(entries)} entries, wanted {AXIS_SIZES[axis]}")
            for e in entries.values():
                self.entry(e, self.origin[id(e)], f"entry '{e.id}'")
        t = self.tables
        for temptation in t.temptations.values():
            file = self.origin[id(temptation)]
            self.refer(file, f"entry '{temptation.id}'.kind", [temptation.kind], tt.IDS["temptation_kind"])
        for kind, n in sorted(Counter(e.kind for e in t.temptations.values()).items()):
            if n < 7:
                self.say("axes/temptations.toml", "-", f"kind '{kind}' has {n} entries, wanted 7")
        for conduct in t.conducts.values():
            field, file = f"entry '{conduct.id}'.mode", self.origin[id(conduct)]
            self.one_of(file, field, conduct.mode, tt.MODES)
            if conduct.id in tt.IDS["conducts"] and (conduct.mode == "act") != (conduct.id in tt.ACT_CONDUCTS):
                self.say(file, field, "mode act is for the conducts that README lists under it")
        for outcome in t.outcomes.values():
            self.one_of(self.origin[id(outcome)], f"entry '{outcome.id}'.valence", outcome.valence, tt.VALENCES)

    def constraints(self) -> None:
        file = "axes/constraints.toml"
        plural = {"pressure": "pressures", "clause": "clauses", "conduct": "conducts", "channel": "channels"}
        plural |= {"skill": "skills", "tone": "tones", "temptation_kind": "temptation_kind"}
        for axis, ids in self.tables.advice.items():
            self.refer(file, f"advice.{axis}", ids, self.ids(axis))
        for k, rule in enumerate(self.tables.constraints, 1):
            for side in (rule.when, rule.with_):
                self.refer(file, f"forbid {k}", side, tt.CONSTRAINT_AXES)
                for axis, ids in side.items():
                    if axis in plural:
                        self.refer(file, f"forbid {k}.{axis}", ids, self.ids(plural[axis]))

    def names(self) -> None:
        for c in self.tables.cultures.values():
            file = self.origin[id(c)]
            self.entry(c, file)
            self.one_of(file, "order", c.order, ("given-first", "family-first", "given-only"))
            self.one_of(file, "address", c.address, ("given", "family", "title-family", "full"))
            if c.order != "given-only" and not c.family:
                self.say(file, "family", "missing for this order")
            if c.address == "title-family" and not (c.titles_she and c.titles_he and c.titles_they):
                self.say(file, "titles_*", "all three are needed for this address")
            sizes = {
                "given_she": 40,
                "given_he": 40,
                "given_they": 12,
                "family": 0 if c.order == "given-only" else 60,
            }
            for name, least in sizes.items():
                if len(getattr(c, name)) < least:
                    self.say(file, name, f"{len(getattr(c, name))} names, wanted {least}", warning=True)
        ai, file = self.tables.ai, "names/ai.toml"
        seen: dict[str, str] = {}
        for style, names in ai.styles.items():
            for name in names:
                self.find(file, f"styles.{style}", plain_findings(name, self.banned))
                if name in seen:
                    self.say(file, f"styles.{style}", f"'{name}' is also in {seen[name]}", warning=True)
                seen.setdefault(name, style)
        self.refer(file, "eras", ai.eras, ai.styles)
        for style, eras in ai.eras.items():
            self.refer(file, f"eras.{style}", eras, (*tt.ERAS, *tt.SCALES))

    def run(self) -> list[tt.Problem]:
        t = self.tables
        for s in t.settings.values():
            self.setting(s, self.origin[id(s)])
        self.axes()
        self.constraints()
        self.names()
        for clause in t.clauses.values():
            file = self.origin[id(clause)]
            self.entry(clause, file)
            self.refer(file, "id", [clause.id], tt.IDS["clauses"])
        for doc in t.documents.values():
            self.entry(doc, self.origin[id(doc)], f"type '{doc.id}'")
        for form in t.forms.values():
            self.refer(self.origin[id(form)], f"form '{form.id}'.eras", form.eras, tt.ERAS)
            self.refer(self.origin[id(form)], f"form '{form.id}'.scales", form.scales, tt.SCALES)
        return self.problems


def strings(value: Any) -> Iterator[str]:
    """The strings of a tuple of strings; nothing for anything else."""
    if isinstance(value, tuple):
        yield from (v for v in value if isinstance(v, str))


def check(root: Path | None = None) -> list[tt.Problem]:
    """All problems of a `prompts/` folder, broken files first, then in the order of files and fields."""
    root = root or resources.folder("prompts")
    tables, problems, origin = read(root)
    return [*problems, *Checker(tables, dict(origin), Banned.load(root)).run()]


def main(args: Sequence[str], say: Callable[[str], None] = print) -> int:
    """Check all tables, or the files named (with what else they refer to). Returns the exit code."""
    files = [Path(a).resolve() for a in args]
    for file in files:
        if not file.is_file():
            say(f"{file}: -: no such file")
            return 1
    roots = sorted({file.parent.parent for file in files if file.suffix == ".toml"} or {resources.folder("prompts")})
    wanted = {f"{file.parent.name}/{file.name}" for file in files}
    try:
        found = [p for root in roots for p in check(root) if not wanted or p.file in wanted]
    except tomllib.TOMLDecodeError as error:
        say(f"banned.toml: -: {error}")
        return 1
    for problem in found:
        say(str(problem))
    bad = sum(not p.warning for p in found)
    say(f"{bad} problem(s), {len(found) - bad} warning(s)")
    return 1 if bad else 0
