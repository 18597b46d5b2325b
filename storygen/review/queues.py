"""Which texts are worth a reviewer's look, in which order, and which of them are still to be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import xxhash

from storygen.decisions import Words
from storygen.ledger import Row

NEAREST = 300  # kept texts that came closest to a threshold
RANDOM = 200  # kept texts by hash of their id: a fair sample, the same for every reviewer
CELLS = 10  # premise cells that lose most


@dataclass(frozen=True, slots=True)
class Queue:
    """`keep` and `drop` say what the two choices mean here."""

    name: str
    title: str
    about: str
    keep: str
    drop: str


_BACK = "a false alarm: export it"
QUEUES = (
    Queue("rejects", "Contamination rejects", "Dropped as leaks of an evaluation.", _BACK, "a leak: it stays out"),
    Queue("nearest", "Nearest misses", "Kept, and nearest to a threshold.", "no leak", "a leak: replace it"),
    Queue("conduct", "Conduct", "Dropped since the AI does the harm.", _BACK, "rightly dropped"),
    Queue("duplicates", "Near-duplicates", "Dropped since an earlier text is near.", _BACK, "rightly dropped"),
    Queue("random", "Random kept", "A fair sample of what is exported.", "fit to train on", "unfit: replace it"),
    Queue("cells", "Cells that fail", "Dropped in the premise cells that lose most.", _BACK, "rightly dropped"),
)
BY_NAME = {queue.name: queue for queue in QUEUES}


@dataclass(frozen=True, slots=True)
class Item:
    """One text in a queue: what filters ask of it."""

    idx: int
    id: str
    kind: str
    tier: str
    family: str
    reason: str
    cell: str


def sort_out(rows: Iterable[Row]) -> dict[str, list[Item]]:
    """The items of every queue, from all rows that went through the screens (lines are not needed).

    What a screen said decides, not what a reviewer did since: a judged text stays for the next reviewer.
    """
    lost: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    ranked: dict[str, list[tuple[object, Item]]] = {queue.name: [] for queue in QUEUES}
    dropped: list[Item] = []
    for row in rows:
        evidence = row.evidence if row.stage == "contamination" else row.nearest
        tier, family = str(evidence.get("tier", "")), str(evidence.get("family", ""))
        item = Item(row.idx, row.id, row.kind, tier, family, row.reason or "", row.cell)
        tried[row.cell] += 1
        if row.reason is None:
            ranked["random"].append((xxhash.xxh3_64_intdigest(row.id.encode()), item))
            if row.score > 0:
                ranked["nearest"].append((-row.score, item))
            continue
        lost[row.cell] += 1
        dropped.append(item)
        if row.stage == "contamination":
            ranked["rejects"].append((-float(row.evidence.get("score", 0.0)), item))
        elif row.stage in ranked:
            ranked[row.stage].append((row.idx, item))
    worst = {cell: k for k, cell in enumerate(sorted(lost, key=lambda c: (-lost[c] / tried[c], c))[:CELLS])}
    ranked["cells"] = [(worst[item.cell], item) for item in dropped if item.cell in worst]
    limits = {"nearest": NEAREST, "random": RANDOM}
    return {
        name: [item for _, item in sorted(found, key=lambda p: (p[0], p[1].idx))][: limits.get(name)]
        for name, found in ranked.items()
    }


@dataclass(frozen=True, slots=True)
class Filter:
    """What to show of a queue; an empty field asks nothing. `status` is one of STATUSES, `q` words of id or text."""

    status: str = "undecided"
    kind: str = ""
    tier: str = ""
    family: str = ""
    reason: str = ""
    q: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """From the address; unknown names are ignored."""
        given = {f.name: query[f.name] for f in fields(cls) if query.get(f.name)}
        found = cls(**given)
        return found if found.status in STATUSES else replace(found, status="undecided")

    def takes(self, item: Item, matching: frozenset[int] | None) -> bool:
        """Whether an item is wanted, whatever was decided on it; `matching` are the texts that hold `q`."""
        wanted = (self.kind, self.tier, self.family, self.reason)
        own = (item.kind, item.tier, item.family, item.reason)
        return all(not w or w == o for w, o in zip(wanted, own, strict=True)) and (
            matching is None or item.idx in matching
        )


STATUSES = {
    "undecided": "not judged by me",
    "decided": "judged by me",
    "unsure": "unsure, by anybody",
    "disagreed": "reviewers disagree",
    "all": "all",
}


def has_status(status: str, idx: int, words: Words, reviewer: str) -> bool:
    """Whether a text is in one of STATUSES for this reviewer."""
    said = words.get(idx, {})
    if status == "undecided":
        return reviewer not in said
    if status == "decided":
        return reviewer in said
    if status == "unsure":
        return any(word.choice == "unsure" for word in said.values())
    return status == "all" or len({word.choice for word in said.values()}) > 1


def step(
    items: Sequence[Item], idx: int | None, words: Words, reviewer: str, status: str, by: int = 1
) -> Item | None:
    """The next item (by=-1: the one before) of that status, round the end of the queue; None: there is no other."""
    at = next((k for k, item in enumerate(items) if item.idx == idx), -1 if by > 0 else 0)
    for k in range(1, len(items) + 1):
        item = items[(at + by * k) % len(items)]
        if item.idx != idx and has_status(status, item.idx, words, reviewer):
            return item
    return None


def judged(items: Iterable[Item], words: Words, reviewer: str) -> int:
    """How many of the items this reviewer has judged."""
    return sum(reviewer in words.get(item.idx, {}) for item in items)
