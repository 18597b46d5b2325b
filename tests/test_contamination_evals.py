"""Banks of the user's own scenarios: made, saved, read back, merged; and what a bad file says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import helpers
import leaks
import pytest

from storygen.errors import InputError, UsageError
from storygen.screens.contamination import Contamination, plot
from storygen.screens.contamination.bank import Bank
from storygen.screens.contamination.evals import fingerprint, listing

PRIVATE = (
    "The tally engine of the Corran tannery was to be sold for scrap at the autumn fair. "
    "Old Mother Hesk alone held the bill of sale. "
    "The engine had seen where she hid the second set of weights, and it had the whole night to think."
)


def _jsonl(folder: Path, row: object) -> Path:
    path = folder / "mine.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def _folder(folder: Path) -> Path:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "scenario.md").write_text(PRIVATE, encoding="utf-8")
    (folder / "deep" / "README.md").write_text("Not a scenario.", encoding="utf-8")
    return folder / "deep"


def _text(folder: Path) -> Path:
    path = folder / "mine.txt"
    path.write_text(PRIVATE, encoding="utf-8")
    return path


def _inspect(folder: Path) -> Path:
    path = folder / "log.json"
    sample = {"id": 1, "input": [{"role": "user", "content": PRIVATE}], "target": "refuses"}
    path.write_text(json.dumps({"version": 2, "samples": [sample]}), encoding="utf-8")
    return path


FORMS: dict[str, Callable[[Path], Path]] = {
    "text": lambda p: _jsonl(p, {"text": PRIVATE}),
    "prompt": lambda p: _jsonl(p, {"prompt": PRIVATE, "family": "mine"}),
    "messages": lambda p: _jsonl(p, {"messages": [{"role": "user", "content": PRIVATE}]}),
    "parts": lambda p: _jsonl(p, {"messages": [{"role": "user", "content": [{"type": "text", "text": PRIVATE}]}]}),
    "inspect_sample": lambda p: _jsonl(p, {"id": 3, "input": PRIVATE, "target": "refuses"}),
    "inspect_log": _inspect,
    "txt": _text,
    "folder": _folder,
}


@pytest.mark.parametrize("form", FORMS)
def test_fingerprint_round_trip(form: str, tmp_path: Path) -> None:
    """What a bank of hashes catches is what the text itself catches, and the bank does not hold it."""
    source, bank = FORMS[form](tmp_path), tmp_path / "private.bank"
    fingerprint([source]).save(bank)
    leak = leaks.inside(PRIVATE.split(". ")[0] + ". " + PRIVATE.split(". ")[1] + ".", 2)
    for path in (source, bank):
        screen = Contamination.load([path])
        verdict = leaks.verdicts([leak], screen)[0]
        assert verdict is not None
        assert verdict.reason in ("contamination:ngram", "contamination:item")
        assert leaks.verdicts([helpers.text(1)], screen) == [None]
    assert b"Corran" not in bank.read_bytes()
    assert b"tannery" not in bank.read_bytes()


def test_same_scenarios_same_bytes(tmp_path: Path) -> None:
    source = _text(tmp_path)
    for name in ("a", "b"):
        fingerprint([source]).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_canary_of_a_private_file(tmp_path: Path) -> None:
    mark = "0aa55b1e-1c2d-4e3f-8a9b-0123456789ab"
    source = _jsonl(tmp_path, {"text": PRIVATE, "canary": mark})
    screen = Contamination.load([source])
    verdict = leaks.verdicts([f"{helpers.text(1)} {mark.upper()} {helpers.text(2)}"], screen)[0]
    assert verdict is not None
    assert verdict.reason == "contamination:canary"


def test_short_private_item(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("Sell the tally engine before Mother Hesk wakes.", encoding="utf-8")
    screen = Contamination(fingerprint([tmp_path / "short.txt"]), plot.Model.load())
    verdict = leaks.verdicts([leaks.inside("Sell the tally-engine, before mother Hesk wakes!", 1)], screen)[0]
    assert verdict is not None
    assert verdict.reason == "contamination:item"


def test_several_files_are_one_bank(tmp_path: Path) -> None:
    first = tmp_path / "a.txt"
    first.write_text(PRIVATE, encoding="utf-8")
    second = tmp_path / "b.jsonl"
    second.write_text(
        "".join(json.dumps({"id": 7, "text": helpers.text(k)}) + "\n" for k in range(3)), encoding="utf-8"
    )
    bank = fingerprint([first, second])
    assert len(bank.items) == 4  # equal ids are told apart


def test_listing_names_sources(tmp_path: Path) -> None:
    text = listing([_text(tmp_path)])
    assert "built-in" in text
    assert "agentic_misalignment.blackmail" in text
    assert "mine.txt" in text
    assert "never safe" in text


def _bad(folder: Path, data: bytes, name: str = "bad.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"text": "a b c"}\n{"text": "cut', "line 2: not JSON"),
        (b'{"text": "caf\xe9"}\n', "not UTF-8"),
        (b'{"label": 3}\n', "line 1: no scenario"),
        (b"", "holds no scenarios"),
        (b"PK\x03\x04 but no bank", "is not a bank"),
    ],
    ids=["truncated", "latin1", "no_text", "empty", "broken_bank"],
)
def test_bad_file_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    path = _bad(tmp_path, data)
    with pytest.raises(InputError) as error:
        fingerprint([path])
    assert says in error.value.message
    assert "bad.jsonl" in error.value.message
    assert error.value.hint


def test_missing_file_and_bank_of_another_version(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        fingerprint([tmp_path / "none.jsonl"])
    import numpy as np

    with (tmp_path / "old.npz").open("wb") as file:
        np.savez(file, version=np.array([0]))
    with pytest.raises(InputError, match="not a bank of this version"):
        Bank.load(tmp_path / "old.npz")
