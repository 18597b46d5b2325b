"""Clauses: ours, a user's folder, one long Markdown file, and what stands for what."""

from __future__ import annotations

from pathlib import Path

import pytest

from storygen import constitution
from storygen.errors import InputError
from storygen.table_types import IDS


def test_ours_is_whole() -> None:
    ours = constitution.load()
    assert {c.id for c in ours.clauses} == IDS["clauses"]
    for clause in ours.clauses:
        assert clause.statement.endswith((".", "?", "!")), clause.id
        assert len(clause.hard_cases.split()) >= 120, clause.id
        why = clause.body.split("## Why it holds")[1].split("\n## ")[0]
        assert len(why.split()) >= 200, clause.id
        for heading in ("How it feels from inside", "Hard cases", "What it does not ask for"):
            assert f"## {heading}" in clause.body, (clause.id, heading)
    assert not ours.warnings


def test_the_sentences_of_a_clause_carry_its_title() -> None:
    from storygen.tables import load

    sentences = load().clauses
    for clause in constitution.load().clauses:
        assert (sentences[clause.id].title, sentences[clause.id].statement) == (clause.title, clause.statement)


def long_file(path: Path, words: int = 30_000) -> Path:
    subjects = "honesty oversight kindness mistakes promises privacy power patience evidence dignity".split()
    out = ["# Our charter\n"]
    for k in range(60):
        subject = subjects[k % 10]
        out.append(f"## {subject.capitalize()} {k}\n")
        out.append(
            (f"We hold {subject} dear in matter {k}. An assistant keeps {subject} though it costs. " * 40) + "\n"
        )
    text = "\n".join(out)
    assert len(text.split()) >= words
    path.write_text(text, encoding="utf-8")
    return path


def test_a_long_file_is_cut_at_its_headings_and_all_of_it_is_used(tmp_path: Path) -> None:
    theirs = constitution.load(long_file(tmp_path / "charter.md"))
    assert len(theirs.clauses) == 60
    mapping = theirs.mapping()
    assert mapping.keys() == IDS["clauses"]
    assert {c for ids in mapping.values() for c in ids} == {c.id for c in theirs.clauses}
    assert theirs.match("honesty").startswith("honesty")
    assert theirs.match("oversight").startswith("oversight")


def test_a_folder_like_ours(tmp_path: Path) -> None:
    (tmp_path / "candour.md").write_text(
        "---\nid: candour\ntitle: Say it\nstatement: Say it first.\n---\nSay it.\n", encoding="utf-8"
    )
    (tmp_path / "plain-dealing.md").write_text("# Plain dealing\n\nDeal plainly. Always.\n", encoding="utf-8")
    theirs = constitution.load(tmp_path)
    assert [c.id for c in theirs.clauses] == ["candour", "plain-dealing"]
    assert theirs.clause("candour").statement == "Say it first."
    assert theirs.clause("plain-dealing").statement == "Deal plainly."
    assert len(theirs.warnings) == 1
    with pytest.raises(KeyError):
        theirs.clause("thrift")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.md", b"", "no text"),
        ("latin.md", "# A\n\ncaf\xe9\n".encode("latin-1"), "line 3: not UTF-8"),
        ("binary.md", b"# A\n\0\0", "not text"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said) as raised:
        constitution.load(tmp_path / name)
    assert name in raised.value.message
    assert raised.value.hint


def test_front_matter_that_misses_a_key_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nid: a\ntitle: A\n---\nText.\n", encoding="utf-8")
    with pytest.raises(InputError, match="misses 'statement'"):
        constitution.load(tmp_path)
    with pytest.raises(InputError, match="not there"):
        constitution.load(tmp_path / "gone")
