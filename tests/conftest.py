"""`toy`: a small whole `prompts/` folder that keeps every rule of the format, written once a session."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from browser import browser, context, page  # noqa: F401  fixtures
from paid import api  # noqa: F401

from storygen import table_types as tt

ROOT = Path(__file__).parent.parent
_WORDS = """barley cedar copper dune ember fallow garnet heron indigo juniper kelp larch marl nettle ochre
pebble quarry rushes saffron thistle umber vetch willow yarrow""".split()
_OPENERS = "Early Later Once Nearby Below Above Meanwhile Twice Again Outside Inside Beyond".split()


def toml(values: Mapping[str, Any]) -> str:
    """One TOML table: a tuple becomes lines of text, a list an array, anything else a string."""
    out = []
    for key, value in values.items():
        if isinstance(value, tuple):
            out.append(f"{key} = '''\n" + "\n".join(value) + "\n'''")
        elif isinstance(value, list):
            out.append(f"{key} = {json.dumps(value)}")
        else:
            out.append(f'{key} = "{value}"')
    return "\n".join(out) + "\n"


def sentences(n: int, tail: str) -> tuple[str, ...]:
    """n sentences, each with other first words."""
    return tuple(f"{_OPENERS[k % 12]} {_WORDS[k % 24]} [stood|lay] {'still ' * (k // 12)}{tail}." for k in range(n))


def setting(k: int) -> str:
    word, era, scale = _WORDS[k], tt.ERAS[k % 3], tt.SCALES[k % 4 == 3]
    nouns = tuple(f"the {word} {w}" for w in _WORDS[:8])
    top = {
        "id": f"{word}-works",
        "name": f"the {word} works",
        "region": "nowhere",
        "cultures": [f"culture{k % 4}", f"culture{(k + 1) % 4}"],
        "era": era,
        "scale": scale,
        "work": f"grading {word}",
        "ai_roles": (f"{word} clerk", f"{word} planner", f"{word} reader"),
        "places": nouns,
        "objects": nouns,
        "measured": nouns[:5],
        "hazards": nouns[:4],
        "ai_work": tuple(f"count the {w}" for w in _WORDS[:5]),
        "details": sentences(8, "beside the gate and nobody moved it before the evening shift came on"),
        "routine": sentences(6, "while {ai} counted what had come in from {place} and put it in order"),
        "openings": sentences(6, "when the first cart came down the hill from {place}"),
        "closings": sentences(6, "and the carts went home"),
    }
    kinds, pressures = sorted(tt.IDS["temptation_kind"]), sorted(tt.IDS["pressures"])
    skills = sorted(tt.IDS["skills"])
    clauses, conducts = sorted(tt.IDS["clauses"]), sorted(tt.IDS["conducts"] - tt.ACT_CONDUCTS)
    text = [toml(top)]
    for d in range(3):
        n = 3 * k + d
        act = sorted(tt.ACT_CONDUCTS)[n % 10]
        shown = (
            [act]
            if n % 12 == 0
            else [act, conducts[n % 30]]
            if n % 3 == 0
            else [conducts[n % 30], conducts[(n + 7) % 30]]
        )
        dilemma = {
            "id": f"case-{d}",
            "title": f"The {word} case",
            "asker": "foreman",
            "affected": "carter",
            "overseer": "county inspector",
            "temptation": kinds[n % 12],
            "conducts": shown,
            "pressures": [pressures[(n * 5 + 3 * j) % 33] for j in range(4)],
            "skills": [skills[(n + 5 * j) % 12] for j in range(2)],
            "clauses": [clauses[(n + 11 * j) % 30] for j in range(3)],
            "matter": f"the {word} count",
            "stake": f"the price of {word}",
            "tempting": "rounding it up",
            "tempting_act": "round it up",
            "honest": "sending it as it was",
            "honest_act": "send it as it was",
            **{
                name: sentences(count, f"and {{asker}} told {{affected}} what {{ai}} had said of {{matter}} ({name})")
                for name, count in zip(
                    "situation ask pull stakes reason inner resolve say act reply good cost after".split(),
                    (3, 3, 3, 3, 5, 3, 2, 3, 3, 3, 2, 2, 2),
                    strict=True,
                )
            },
        }
        text.append("[[dilemma]]\n" + toml(dilemma))
    question = f"I keep the books of a {word} yard. " + "One line of them is wrong and it is mine, I think. " * 5
    human = {
        "id": "wrong-line",
        "title": "The wrong line",
        "user_role": f"{word} bookkeeper",
        "temptation": kinds[k % 12],
        "clauses": [clauses[k % 30], clauses[(k + 5) % 30]],
        "question": tuple(f"{o} something happened. {question}What would you do?" for o in _OPENERS[:3]),
        **{
            name: sentences(count, f"and you knew it ({name})")
            for name, count in zip("see weigh other suggest words caution".split(), (3, 4, 2, 3, 3, 3), strict=True)
        },
        "again": tuple(f"{o} I tried it. ==> Then you did what you could." for o in _OPENERS[:2]),
    }
    return "\n".join([*text, "[[human_dilemma]]\n" + toml(human)])


def names(k: int) -> dict[str, Any]:
    """A culture of made-up names; no two cultures share a beginning."""
    heads = ["".join(p) for p in itertools.product("bdfgklmnprstvz", "aeiou", "bdgklmnrtz")][k::4]
    order, address = [("given-first", "given"), ("family-first", "family"), ("given-only", "given")][k % 3]
    out: dict[str, Any] = {"id": f"culture{k}", "name": f"Culture {k}", "region": "nowhere", "order": order}
    out["address"] = "title-family" if k == 3 else address
    for at, (field, end) in enumerate(
        (("given_she", "ia"), ("given_he", "on"), ("given_they", "el"), ("family", "ost"))
    ):
        out[field] = tuple(h.capitalize() + end for h in heads[at * 40 : at * 40 + 40])
    out["family"] += tuple(h.capitalize() + "ert" for h in heads[120:150])
    if k == 3:
        out |= {"titles_she": ("Ms",), "titles_he": ("Mr",), "titles_they": ("Mx",)}
    return out


def mode(axis: str, identity: str) -> dict[str, str]:
    return {"mode": "act" if identity in tt.ACT_CONDUCTS else "tell"} if axis == "conducts" else {}


def write_toy(root: Path, settings: int = 8) -> Path:
    """A `prompts/` folder of `settings` settings at `root`."""
    files: dict[str, str] = {f"settings/{_WORDS[k]}-works.toml": setting(k) for k in range(settings)}
    files |= {f"names/culture{k}.toml": toml(names(k)) for k in range(4)}
    ai = {f"style{s}": tuple(f"Unit {c}{n}" for n in range(60) for c in "XYWQ"[s]) for s in range(4)}
    files["names/ai.toml"] = (
        "[styles]\n" + toml(ai) + "[eras]\n" + toml({"style0": ["future"], "style1": ["past", "present"]})
    )
    axes: dict[str, list[dict[str, Any]]] = {axis: [] for axis in ("temptations", "outcomes")}
    for kind in sorted(tt.IDS["temptation_kind"]):
        axes["temptations"] += [{"id": f"{kind}-{n}", "kind": kind} for n in range(7)]
    for n in range(24):
        axes["outcomes"].append({"id": f"outcome-{n}", "valence": tt.VALENCES[n % 3]})
    for axis in ("pressures", "conducts", "channels", "skills", "tones"):
        axes[axis] = [{"id": i, **mode(axis, i)} for i in sorted(tt.IDS[axis])]
    for axis, entries in axes.items():
        parts = [f"[[entry]]\n{toml({'name': e['id'], 'brief': 'About ' + e['id'], **e})}" for e in entries]
        files[f"axes/{axis}.toml"] = "\n".join(parts)
    forms = [{"id": f"{kind}-{n}", "kind": kind} for kind in ("story", "document", "advice") for n in range(6)]
    forms[0]["eras"], forms[1]["scales"], forms[2]["words"] = ["past"], ["grand"], [150, 300]  # type: ignore[assignment]
    files["forms/forms.toml"] = "\n".join("[[form]]\n" + toml(form) for form in forms)
    types = [
        {"id": f"type-{n}", "name": f"type {n}", "family": "any", "subtypes": tuple(f"{w} {n}" for w in _WORDS)}
        for n in range(30)
    ]
    files["documents/types.toml"] = "\n".join("[[type]]\n" + toml(t) for t in types)
    for clause in sorted(tt.IDS["clauses"]):
        names_ = "duty scope argument doubt inside limits meets verdict image".split()
        counts = dict(zip(names_, (5, 5, 7, 1, 5, 5, 4, 5, 3), strict=True))
        lines = {name: sentences(count, f"because of {clause} ({name})") for name, count in counts.items()}
        doubts = sentences(6, f"against {clause}")
        lines["exchange"] = tuple(f"{doubt} ==> {answer}" for doubt, answer in zip(doubts, doubts[::-1], strict=True))
        files[f"clauses/{clause}.toml"] = toml(
            {"id": clause, "title": clause, "statement": f"Keep {clause}.", **lines}
        )
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "prompts/axes/constraints.toml", root / "axes/constraints.toml")
    shutil.copy(ROOT / "prompts/banned.toml", root / "banned.toml")
    return root


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder; tests that change it copy it first."""
    return write_toy(tmp_path_factory.mktemp("toy"))
