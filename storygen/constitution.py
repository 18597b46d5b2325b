"""Clauses: ours (`constitution/*.md`), a user's folder like it, or one long Markdown file cut at its headings.

ours = load()
theirs = load(Path("our-charter.md"))
theirs.match("honesty")            # their clause that our clause comes nearest to
premises.plan(seed, mix, tables, theirs.mapping())
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from storygen import resources
from storygen.errors import InputError
from storygen.markdown import cut, headings, split_front_matter
from storygen.table_types import IDS
from storygen.text import fold

_KEYS = ("id", "title", "statement")
_STATEMENT = 240  # characters, of a statement taken from the first sentence
_WORDS_SHOWN = 5
SAME = "the id"
_TITLE_WEIGHT = 5  # how often a title's and a statement's words count beside the body's


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause; `body` is all of its Markdown, `hard_cases` the part of it under a heading of that name."""

    id: str
    title: str
    statement: str
    body: str
    hard_cases: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Match:
    """Which of their clauses stands for one of ours: the cosine of their words, and the words that decided."""

    ours: str
    theirs: str
    score: float
    words: tuple[str, ...]

    def __str__(self) -> str:
        shared = f"shares {', '.join(self.words)}" if self.words else "no words in common, assigned in turn"
        return f"{self.ours} → {self.theirs} ({self.score:.2f}; {shared})"


@dataclass(frozen=True, slots=True)
class Constitution:
    """Clauses in the order of their source, and what a user should know about how they were read."""

    clauses: tuple[Clause, ...]
    source: str
    sha256: str
    builtin: bool = False
    warnings: tuple[str, ...] = ()

    def clause(self, identity: str) -> Clause:
        """The clause of that id. Raises KeyError."""
        found = next((c for c in self.clauses if c.id == identity), None)
        if found is None:
            raise KeyError(identity)
        return found

    def text(self, ids: Iterable[str] | None = None) -> str:
        """The clauses as one Markdown text, for a prompt; all of them, or those named, in their order here."""
        wanted = None if ids is None else set(ids)
        chosen = [c for c in self.clauses if wanted is None or c.id in wanted]
        return "\n\n".join(f"## {c.title}\n\n{c.statement}\n\n{c.body}".strip() for c in chosen)

    def match(self, clause_id: str) -> str:
        """Their clause nearest to one of ours. Raises KeyError for an id that is not ours."""
        return self.mapping()[clause_id][0]

    def mapping(self) -> dict[str, tuple[str, ...]]:
        """Each of our clause ids and their clauses that stand for it: the nearest first, then those near no other.

        Every clause of theirs stands for at least one of ours, so all of their text is drawn from.
        """
        out = {match.ours: [match.theirs] for match in _matches(self)[0]}
        for match in _matches(self)[1]:
            if match.theirs not in out[match.ours]:
                out[match.ours].append(match.theirs)
        return {ours: tuple(ids) for ours, ids in out.items()}

    def explain(self) -> tuple[Match, ...]:
        """The nearest match of each of our clauses, in the order of ids; the same id is a match whatever it says.

        Cosine of TF-IDF vectors over folded words of four letters or more (cut to six letters, which joins most
        inflections), log(1 + tf) × log((1 + N) / (1 + df)); N counts our clauses and theirs.
        """
        return _matches(self)[0]


def load(path: Path | None = None) -> Constitution:
    """Our constitution, or the user's: a folder of Markdown files, or one Markdown file.

    Raises:
        InputError: nothing there, not text, front matter that does not parse, or no clause in it.
    """
    if path is None:
        # An empty folder of our own is a checkout in which the clauses are still being written.
        return _folder(resources.folder("constitution"), builtin=True)
    if not path.exists():
        raise InputError(f"{path} is not there.", "Give --constitution a folder of .md files or one Markdown file.")
    return _folder(path) if path.is_dir() else _file(path)


def _folder(folder: Path, builtin: bool = False) -> Constitution:
    files = sorted(p for p in folder.glob("*.md") if p.stem.lower() != "readme")
    if not files and not builtin:
        raise InputError(
            f"{folder} holds no .md file.", "One clause a file, with id, title and statement between --- lines."
        )
    clauses: list[Clause] = []
    warnings: list[str] = []
    for file in files:
        clause, told = _clause_file(file, _read(file))
        if any(c.id == clause.id for c in clauses):
            raise InputError(
                f"{file}: the id '{clause.id}' is taken by another file.", "Give each clause its own id."
            )
        clauses.append(clause)
        warnings += [] if told else [f"{file.name} has no front matter: id and title were taken from its name."]
    return _constitution(clauses, str(folder), builtin, warnings)


def _clause_file(file: Path, text: str) -> tuple[Clause, bool]:
    """The clause of one file, and whether its front matter named it."""
    meta, body, line = split_front_matter(text)
    if line:
        raise InputError(
            f"{file}, line {line}: the front matter does not parse.", "Write 'key: value' lines between --- lines."
        )
    if meta is None:
        if not body.strip():
            raise InputError(f"{file} is empty.", "Write the clause, or remove the file.")
        first = next(iter(headings(body.splitlines())), None)
        title = first.title if first else file.stem.replace("-", " ").capitalize()
        return _clause(slug(file.stem) or "clause", title, "", body), False
    for key in (*_KEYS, *meta):
        if key not in _KEYS or not meta.get(key):
            what = "misses" if key in _KEYS else "has the unknown key"
            raise InputError(f"{file}: the front matter {what} '{key}'.", f"It holds {', '.join(_KEYS)}.")
    return _clause(meta["id"], meta["title"], meta["statement"], body), True


def _file(path: Path) -> Constitution:
    """Cut one Markdown file at the heading level that gives clauses of a readable size."""
    text = _read(path)
    sections = cut(split_front_matter(text)[1])
    if not sections:
        raise InputError(f"{path} has no text.", "Give a Markdown file with a heading for each clause.")
    warnings = []
    if not any(s.level for s in sections):
        warnings.append(f"{path.name} has no headings, so all of it is one clause; give each clause a heading.")
    taken: set[str] = set()
    clauses = []
    for k, section in enumerate(sections, 1):
        identity = _free(slug(section.title) or f"clause-{k}", taken)
        clauses.append(_clause(identity, section.title, "", section.text))
    return _constitution(clauses, str(path), False, warnings)


def _constitution(clauses: Sequence[Clause], source: str, builtin: bool, warnings: Sequence[str]) -> Constitution:
    digest = hashlib.sha256("".join(c.sha256 for c in clauses).encode()).hexdigest()
    return Constitution(tuple(clauses), source, digest, builtin, tuple(warnings))


def _clause(identity: str, title: str, statement: str, body: str) -> Clause:
    body = body.strip()
    statement = statement or _first_sentence(body) or title
    digest = hashlib.sha256("\0".join((identity, title, statement, body)).encode()).hexdigest()
    return Clause(identity, title, statement, body, _hard_cases(body), digest)


def _read(file: Path) -> str:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{file}, line {line}: not UTF-8 text.", "Save it as UTF-8 Markdown.") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if "\0" in text:
        raise InputError(f"{file} is not text.", "Give a UTF-8 Markdown file.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def slug(title: str) -> str:
    """Lower-case ASCII words joined by hyphens, 60 characters at most; empty for a title without any."""
    flat = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", flat).strip("-")[:60].strip("-")


def _free(identity: str, taken: set[str]) -> str:
    """`identity`, or with -2, -3 … the first that is not taken."""
    candidate, k = identity, 2
    while candidate in taken:
        candidate, k = f"{identity}-{k}", k + 1
    taken.add(candidate)
    return candidate


def _first_sentence(body: str) -> str:
    """The first sentence of the first paragraph, without Markdown's marks, cut at a word when it is very long."""
    lines = body.splitlines()
    marked = {k for h in headings(lines) for k in range(h.start, h.end)}
    paragraph: list[str] = []
    for k, line in enumerate(lines):
        if k in marked or not line.strip():
            if paragraph:
                break
            continue
        paragraph.append(line.strip())
    flat = re.sub(r"^[>\-*+\d.\s]+(?=\S)", "", " ".join(paragraph))
    flat = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"[*_`]+", "", flat))
    first = re.split(r"(?<=[.!?])\s", flat, maxsplit=1)[0]
    return first if len(first) <= _STATEMENT else first[:_STATEMENT].rsplit(" ", 1)[0] + " …"


def _hard_cases(body: str) -> str:
    """What stands under the heading "Hard cases", up to the next heading of its level or above."""
    lines = body.splitlines()
    found = headings(lines)
    for k, heading in enumerate(found):
        if re.search(r"\bhard cases?\b", heading.title, re.IGNORECASE):
            end = next((h.start for h in found[k + 1 :] if h.level <= heading.level), len(lines))
            return "\n".join(lines[heading.end : end]).strip()
    return ""


def _terms(text: str) -> Iterator[str]:
    for word in fold(text).split():
        if len(word) > 3:
            yield word[:6]


@functools.lru_cache(maxsize=8)
def _matches(theirs: Constitution) -> tuple[tuple[Match, ...], tuple[Match, ...]]:
    """For each of ours the nearest of theirs, and for each of theirs the nearest of ours."""
    mine = {c.id: c for c in load().clauses}
    known = sorted(IDS["clauses"] | set(mine))
    if theirs.builtin:
        return tuple(Match(identity, identity, 1.0, (SAME,)) for identity in known), ()
    texts = [_weighted(mine[i]) if i in mine else i.replace("-", " ") for i in known]
    names, vectors = _vectors([*texts, *map(_weighted, theirs.clauses)])
    left, right = vectors[: len(known)], vectors[len(known) :]
    # Rounded, so that a platform's last bits cannot turn a tie; argmax then takes the first.
    scores = np.round(left @ right.T, 9)
    ids = [c.id for c in theirs.clauses]

    def match(row: int, column: int) -> Match:
        score = float(scores[row, column])
        shared = left[row] * right[column]
        top = sorted(np.flatnonzero(shared), key=lambda k: (-shared[k], names[k]))[:_WORDS_SHOWN]
        return Match(known[row], ids[column], score, tuple(names[k] for k in top))

    ours = []
    for row, identity in enumerate(known):
        if identity in ids:
            ours.append(Match(identity, identity, 1.0, (SAME,)))
        else:
            ours.append(match(row, int(scores[row].argmax()) if scores[row].any() else row % len(ids)))
    back = [
        match(int(scores[:, column].argmax()) if scores[:, column].any() else column % len(known), column)
        for column in range(len(ids))
        if ids[column] not in known
    ]
    return tuple(ours), tuple(back)


def _weighted(clause: Clause) -> str:
    return f"{clause.title} {clause.statement} " * _TITLE_WEIGHT + clause.body


def _vectors(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """The terms, sorted, and a unit TF-IDF row for each text (a row of zeros where no term tells it apart)."""
    terms = [list(_terms(text)) for text in texts]
    names = sorted({term for own in terms for term in own})
    column = {term: k for k, term in enumerate(names)}
    counts = np.zeros((len(texts), len(names)))
    for row, own in enumerate(terms):
        for term in own:
            counts[row, column[term]] += 1
    weights = np.log1p(counts) * np.log((1 + len(texts)) / (1 + (counts > 0).sum(axis=0)))
    norms = np.linalg.norm(weights, axis=1, keepdims=True)
    return names, weights / np.where(norms > 0, norms, 1.0)
