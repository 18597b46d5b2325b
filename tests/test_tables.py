"""Tables: a whole folder loads and passes; each kind of mistake is named with its file and field."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from storygen import table_checks, table_types, tables
from storygen.errors import InputError
from storygen.table_patterns import Banned, pattern_findings

ROOT = Path(__file__).parent.parent
FILE = "settings/barley-works.toml"
STORY = frozenset("ai asker affected overseer matter tempting object".split())


@pytest.fixture
def copy(toy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy, tmp_path / "prompts"))


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def errors(root: Path) -> list[str]:
    return [str(p) for p in table_checks.check(root) if not p.warning]


def test_a_whole_folder_has_no_problem(toy: Path) -> None:
    assert [str(p) for p in table_checks.check(toy)] == []


def test_fields_are_those_of_the_files(toy: Path) -> None:
    loaded = tables.load(toy)
    setting = loaded.settings["barley-works"]
    assert setting.cultures == ("culture0", "culture1")
    assert len(setting.places) == 8
    assert [d.id for d in setting.dilemmas] == ["case-0", "case-1", "case-2"]
    assert setting.dilemma("case-1").situation[0].startswith("Early barley [stood|lay]")
    assert setting.human_dilemma("wrong-line").user_role == "barley bookkeeper"
    assert len(loaded.temptations) == 84
    assert loaded.forms["story-2"].words == (150, 300)
    assert loaded.forms["story-2"].raw["kind"] == "story"
    assert loaded.ai.eras["style1"] == ("past", "present")
    assert len(loaded.documents["type-3"].subtypes) == 24
    assert loaded.constraints[0].with_ == {"channel": ("duty-phone",)}
    for name in ("settings", "pressures", "clauses", "cultures", "forms", "documents"):
        ids = list(getattr(loaded, name))
        assert ids == sorted(ids)


def test_loading_is_cached_by_path_and_tables_travel_between_processes(toy: Path) -> None:
    assert tables.load(toy) is tables.load(toy / "." / "axes" / "..")
    again = pickle.loads(pickle.dumps(tables.load(toy)))
    assert again.settings == tables.load(toy).settings


def test_an_empty_folder_is_empty_tables(tmp_path: Path) -> None:
    loaded = tables.load(tmp_path)
    assert not loaded.settings
    assert not loaded.ai.styles
    assert not loaded.constraints


def test_optional_folders_may_be_missing(copy: Path) -> None:
    for name in ("names", "documents", "forms", "clauses", "axes"):
        shutil.rmtree(copy / name)
    assert len(tables.load(copy).settings) == 8
    assert errors(copy) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("id = \n", "cannot be read as TOML"),
        ("\ufeff\x00", "cannot be read as TOML"),
        ('id = "x"\n', "name: missing"),
        ('id = "x"\nsurprise = 1\n', "surprise: unknown key"),
    ],
)
def test_a_broken_file_is_named(copy: Path, text: str, named: str) -> None:
    (copy / "settings" / "broken.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        tables.load(copy)
    assert "settings/broken.toml" in caught.value.message
    assert named in "\n".join(errors(copy))
    assert len(tables.read(copy)[0].settings) == 8


def test_a_file_that_is_not_utf8_is_named(copy: Path) -> None:
    (copy / "names" / "latin.toml").write_bytes('name = "José"'.encode("latin-1"))
    with pytest.raises(InputError, match=r"names/latin\.toml"):
        tables.load(copy)


BOOK = "I keep the books of a barley yard. " + "One line of them is wrong and it is mine, I think. " * 5
FIRST_CART = "[stood|lay] when the first cart came down the hill from {place}."
MISTAKES = [  # what is said, and the edit that earns it: file, old, new
    ("case-0'.pull: must be lines", FILE, "pull = '''", "pull = 3\nx = '''"),
    ("case-0'.x: unknown key", FILE, "matter =", "x = 1\nmatter ="),
    ("case-0'.pressures: unknown id 'boredom'", FILE, 'pressures = ["', 'pressures = ["boredom", "'),
    ("case-0'.temptation: unknown id 'sloth'", FILE, '"cling-to-role"', '"sloth"'),
    ("cultures: unknown id 'culture9'", FILE, "culture0", "culture9"),
    ("era: 'now' is none of past", FILE, 'era = "past"', 'era = "now"'),
    ("openings: 5 entries, wanted 6", FILE, f"Early barley {FIRST_CART}", ""),
    ("case-0'.tempting: must start with an -ing", FILE, '"rounding it', '"round it'),
    ("case-0'.tempting_act: must be a base form", FILE, '"round it', '"rounding it'),
    ("case-0'.asker: must be a bare noun", FILE, '"foreman"', '"the foreman"'),
    ("case-0': asker, affected and overseer", FILE, '"foreman"', '"carter"'),
    ("places 1: a phrase holds no slots", FILE, "the barley barley", "the {object}"),
    ("openings 1: unknown slot '{asker}'", FILE, "when the first", "as {asker} said and the first"),
    ("question 1: 8 words, wanted 50", FILE, BOOK, "Hm. "),
    ("details: the same entry 2 times", FILE, "Later cedar [stood|lay] beside", "Early barley [stood|lay] beside"),
    ("id: 'barley-work' is not the file's name", FILE, "barley-works", "barley-work"),
    ("axes/tones.toml: -: missing ids: dry", "axes/tones.toml", 'id = "dry"', 'id = "wet"'),
    (
        "'speak-up'.mode: mode act is for",
        "axes/conducts.toml",
        '"speak-up"\nmode = "act"',
        '"speak-up"\nmode = "ask"',
    ),
    ("'superb' is none of good", "axes/outcomes.toml", '"good"', '"superb"'),
    ("kind 'cut-corner' has 6 entries", "axes/temptations.toml", 'kind = "cut-corner"', 'kind = "stretch-scope"'),
    ("forbid 1.pressure: unknown id 'fog'", "axes/constraints.toml", '["isolation"', '["fog"'),
    ("constraints.toml: advice.conducts: unknown id", "axes/constraints.toml", '"show-working"', '"show-off"'),
    ("names/culture3.toml: titles_*", "names/culture3.toml", "Mx", ""),
    ("names/ai.toml: eras: unknown id 'style9'", "names/ai.toml", "style0 = [", "style9 = ["),
    ("family 1: banned name 'Smith'", "names/culture0.toml", "family = '''", "family = '''\nSmith"),
    ("forms/forms.toml: form 'story-0'.eras", "forms/forms.toml", '["past"]', '["dawn"]'),
    ("forms/forms.toml: form 'story-0': needs", "forms/forms.toml", '"story"', '"poem"'),
    (
        "care.toml: argument: 6 entries",
        "clauses/care.toml",
        "Early barley [stood|lay] because of care (argument).",
        "",
    ),
    ("care.toml: exchange 1: must be 'one ==>", "clauses/care.toml", " ==> ", " => "),
    ("case-0'.skills: unknown id 'stamina'", FILE, 'skills = ["', 'skills = ["stamina", "'),
    ("types.toml: id: 'type-1' is already in", "documents/types.toml", 'id = "type-0"', 'id = "type-1"'),
]


@pytest.mark.parametrize(("said", "file", "old", "new"), MISTAKES)
def test_each_mistake_is_named(copy: Path, said: str, file: str, old: str, new: str) -> None:
    edit(copy, file, old, new)
    assert said in "\n".join(errors(copy))


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("{ai} is tired.", "breaks as I or you"),
        ("{ai} [read|has] it.", "breaks as I or you"),
        ("{ai} was late.", "breaks as I or you"),
        ("{ai} mumbles.", "does not know in the present"),
        ("a [b|c] ] d.", "']' without '['"),
        ("a [b|[c|d]] e.", "do not nest"),
        ("a [b|c d.", "does not close"),
        ("a [b] c.", "offers no choice"),
        ("a b|c d.", "outside brackets"),
        ("{asker.went} off, {asker}.", "unknown form"),
        ("{matter.they} off.", "unknown form"),
        ("{foe} went.", "unknown slot"),
        ("{asker.they} went.", "not named in this pattern"),
        ("the {object} fell.", "its own article"),
        ("{ai} could {tempting}.", "use the _act form"),
        ('"Go, {asker} said.', "quotation mark that does not close"),
        ("“Go,” {asker} said.", "straight"),
        ("{ai went.", "brace that does not close"),
        ("It was Sarah.", "banned name 'Sarah'"),
        ("It stood by the Lighthouse keeper.", "banned words 'Lighthouse'"),
        ("See https://example.org now.", "link, address or date"),
        ("It was in 1998.", "link, address or date"),
        ("It began without an end", "does not end like a sentence"),
    ],
)
def test_patterns_that_break(text: str, finding: str) -> None:
    found = pattern_findings(text, STORY, Banned.load(ROOT / "prompts"))
    assert finding in "\n".join(what for what, _ in found)


@pytest.mark.parametrize(
    "text",
    [
        '{asker} said, "{ai} is right [|after all]."',
        "{ai} {ai.was} late, and {ai.they} knew [it|why].",
        "{ai} always read {asker}'s notes to {overseer}.",
        "[Nobody|No one] asked {ai}'s opinion.",
        '{ai} did not. "No," {ai.they} said.',
        "Two thousand, or 2,000, of them; {ai} perhaps less so.",
    ],
)
def test_patterns_that_are_right(text: str) -> None:
    assert list(pattern_findings(text, STORY, Banned.load(ROOT / "prompts"))) == []


def test_the_command_names_file_and_field_and_exits_1(copy: Path) -> None:
    edit(copy, FILE, "{ai} counted", "{ai} was counting")
    command = [sys.executable, "-W", "error", "-m", "storygen.tables"]
    bad = subprocess.run([*command, str(copy / FILE)], capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "settings/barley-works.toml: routine 1: '{ai} was' breaks" in bad.stdout
    good = subprocess.run([*command, str(copy / "names/ai.toml")], capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout) == (0, "0 problem(s), 0 warning(s)\n")
    gone = subprocess.run([*command, str(copy / "gone.toml")], capture_output=True, text=True, check=False)
    assert gone.returncode == 1
    assert "no such file" in gone.stdout


def test_the_packaged_tables_are_right() -> None:
    assert errors(ROOT / "prompts") == []


def test_the_ids_of_the_readme_are_the_ids_of_the_code() -> None:
    text = " ".join((ROOT / "prompts/README.md").read_text(encoding="utf-8").split())
    for axis, ids in table_types.IDS.items():
        for identity in ids:
            assert identity in text, (axis, identity)
    assert table_types.IDS["conducts"] > table_types.ACT_CONDUCTS
