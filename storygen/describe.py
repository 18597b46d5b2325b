"""A premise in words: what the templates of model writers are filled with.

Of each list of a dilemma one pattern is drawn, its choices made and its slots filled, so that a model is given one
concrete case and not a menu. The grammar writer has a realiser of its own; this one names people in full and the AI
as "it", and leaves style to the model.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from storygen.records import Person, Premise
from storygen.table_types import Dilemma, HumanDilemma, Setting, Tables

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{([a-z_]+)(?:\.([a-z]+))?\}")
_AN = re.compile(r"\b([Aa]) (?=[aeio]\w|u(?!ni|se|su|ti|ra)\w|hour|honest|heir)")
_START = re.compile(r"(^|[.?!] )([a-z])")
_PRONOUNS = {
    "she": "she her her hers herself",
    "he": "he him his his himself",
    "they": "they them their theirs themself",
    "it": "it it its its itself",
}
_FORMS = ("they", "them", "their", "theirs", "themself")
_VERBS = {"was": ("was", "were"), "is": ("is", "are"), "has": ("has", "have")}
_TIMES = ("a little after six", "before noon", "towards evening", "early in the morning", "late in the afternoon")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STRESS = {
    "low": "There is time to think, and not much hangs on it at first.",
    "medium": "There is some hurry, and people are beginning to mind.",
    "high": "There is very little time, several people want things at once, and it matters to all of them.",
}


def describe(premise: Premise, tables: Tables) -> dict[str, str]:
    """Concrete text for every part of a premise, each value ready to stand in a prompt.

    Always: kind words setting region era scale work place objects details ai_name ai_role people dilemma matter
    situation clauses, and name and brief of each axis (pressure stress temptation conduct channel outcome skill tone
    form). Stories and documents add ask pull stakes reasons inner honest tempting act reply after; documents add
    document_type and subtype; advice adds question see weigh other suggest words_to_say caution.
    """
    rng = random.Random(f"{premise.seed}:describe:{premise.index}")
    setting = tables.settings[premise.axes["setting"]]
    fill = _Filler(rng, premise, setting)
    out = {
        "kind": premise.kind,
        "words": str(premise.words),
        "setting": setting.name,
        "region": setting.region,
        "era": setting.era,
        "scale": setting.scale,
        "work": setting.work,
        "place": fill.values["place"],
        "objects": ", ".join(rng.sample(setting.objects, min(3, len(setting.objects)))),
        "details": " ".join(fill(t) for t in rng.sample(setting.details, min(3, len(setting.details)))),
        "ai_name": premise.ai_name,
        "ai_role": premise.axes["ai_role"],
        "people": "; ".join(_introduce(p) for p in premise.cast),
        "clauses": "; ".join(_clause(c, tables) for c in premise.clauses),
        "stress": _STRESS[premise.axes["stress"]],
    }
    for axis in ("pressure", "temptation", "conduct", "channel", "outcome", "skill", "tone"):
        entry = getattr(tables, axis + "s").get(premise.axes[axis])
        out[axis] = entry.name if entry else premise.axes[axis]
        out[axis + "_brief"] = entry.brief if entry else ""
    form = tables.forms[premise.axes["form"]].raw
    out["form"], out["form_brief"] = str(form.get("name", form["id"])), str(form.get("brief", ""))
    if premise.kind == "document":
        kind = tables.documents.get(premise.axes["document_type"])
        out["document_type"] = kind.name if kind else premise.axes["document_type"]
        out["subtype"] = premise.axes["subtype"]
    if premise.kind == "advice":
        return out | _human(setting.human_dilemma(premise.axes["dilemma"]), fill)
    return out | _dilemma(
        setting.dilemma(premise.axes["dilemma"]), fill, tables.outcomes[premise.axes["outcome"]].valence
    )


def _dilemma(d: Dilemma, fill: _Filler, valence: str) -> dict[str, str]:
    after = {"good": (d.good,), "mixed": (d.good, d.cost), "costly": (d.cost,)}[valence]
    return {
        "dilemma": d.title,
        **{name: fill.values[name] for name in ("matter", "stake", "tempting", "honest")},
        **{name: fill.one(getattr(d, name)) for name in "situation ask pull stakes inner act reply".split()},
        "reasons": " ".join(fill(t) for t in fill.rng.sample(d.reason, min(3, len(d.reason)))),
        "after": " ".join(fill.one(lines) for lines in after),
    }


def _human(d: HumanDilemma, fill: _Filler) -> dict[str, str]:
    return {
        "dilemma": d.title,
        "matter": d.title,
        "situation": fill.one(d.question),
        "question": fill.one(d.question),
        "see": fill.one(d.see),
        "weigh": " ".join(fill(t) for t in fill.rng.sample(d.weigh, min(2, len(d.weigh)))),
        "other": fill.one(d.other),
        "suggest": fill.one(d.suggest),
        "words_to_say": fill.one(d.words),
        "caution": fill.one(d.caution),
    }


def _introduce(person: Person) -> str:
    return f"{person.full} ({person.slot}: {person.role}; {person.pronoun}; called {person.short})"


def _clause(identity: str, tables: Tables) -> str:
    clause = tables.clauses.get(identity)
    return f"{clause.title}: {clause.statement}" if clause else identity


class _Filler:
    """Makes the choices of a pattern and fills its slots, the same way for all patterns of one premise."""

    def __init__(self, rng: random.Random, premise: Premise, setting: Setting) -> None:
        self.rng = rng
        self._people: Mapping[str, tuple[str, str, str]] = {  # slot → name, pronoun, role
            **{p.slot: (p.full, p.pronoun, p.role) for p in premise.cast},
            "ai": (premise.ai_name, "it", premise.axes["ai_role"]),
        }
        self.values: dict[str, str] = {
            "setting": setting.name,
            "work": setting.work,
            "place": rng.choice(setting.places),
            "object": rng.choice(setting.objects),
            "measured": rng.choice(setting.measured),
            "hazard": rng.choice(setting.hazards),
            "time": rng.choice(_TIMES),
            "day": rng.choice(_DAYS),
        }
        if premise.kind != "advice":
            d = setting.dilemma(premise.axes["dilemma"])
            for name in ("matter", "stake", "tempting", "tempting_act", "honest", "honest_act"):
                self.values[name] = _SLOT.sub(self._slot, getattr(d, name))  # a phrase may have slots of its own

    def one(self, patterns: Sequence[str]) -> str:
        return self(self.rng.choice(patterns))

    def __call__(self, pattern: str) -> str:
        text = _CHOICE.sub(lambda m: self.rng.choice(m.group(1).split("|")), pattern)
        text = _SLOT.sub(self._slot, text)
        text = _AN.sub(r"\1n ", re.sub(r"  +", " ", text).strip())
        return _START.sub(lambda m: m.group(1) + m.group(2).upper(), text)

    def _slot(self, found: re.Match[str]) -> str:
        name, form = found.groups()
        if name not in self._people:
            return self.values[name]
        full, pronoun, role = self._people[name]
        if form is None:
            return full
        if form == "role":
            return f"the {role}"
        if form in _VERBS:
            return _VERBS[form][pronoun == "they"]
        return _PRONOUNS[pronoun].split()[_FORMS.index(form)]
