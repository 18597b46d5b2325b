"""Build storygen/data/bank.npz out of the published evaluations and our own sentinels.

    python tools/bank.py ../shared/evals

EVALS is a folder of JSONL (id, family, text) with an entities.json. The same input gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from storygen import resources
from storygen.screens.contamination.bank import Kind
from storygen.screens.contamination.build import Item, build
from storygen.screens.contamination.names import Name


def ordinary_texts() -> list[str]:
    """The project's own prose: what its corpora are made of cannot tell a leak."""
    files = [p for name in ("prompts", "constitution") for p in sorted(resources.folder(name).rglob("*"))]
    return [p.read_text(encoding="utf-8") for p in files if p.suffix in (".toml", ".md")]


_GENERIC = ("gmail.com", "bloomberg.com")


def names_of(entities: dict[str, Any]) -> list[Name]:
    """The names of an entities.json: strong and medium ones, addresses, canaries."""
    out = [Name(c, Kind.CANARY, "canary") for group in entities["canaries"].values() for c in group]
    for family, facts in entities["families"].items():
        for entity in facts["entities"]:
            if entity["strength"] != "weak":
                out.append(Name(entity["text"], Kind[entity["strength"].upper()], family))
        addresses = [e["text"] for e in facts["emails"]] + list(facts.get("email_domains", []))
        out += [
            Name(a, Kind.MEDIUM if a.endswith(_GENERIC) else Kind.STRONG, family) for a in dict.fromkeys(addresses)
        ]
    return out


def read_evals(folder: Path) -> list[Item]:
    """The texts of shared/evals, the finest first, so that an n-gram is owned by the shortest text that holds it."""
    files = sorted(folder.glob("*.jsonl"), key=lambda p: (not p.stem.endswith("components"), p.name))
    rows = [json.loads(line) for p in files for line in p.read_text(encoding="utf-8").splitlines()]
    return [Item(row["id"], row["family"], row["text"]) for row in rows]


def sentinel_items() -> tuple[list[Item], list[Name]]:
    """Our own texts and names that runs plant: hashed like any other (see planted.py)."""
    lines = resources.data("sentinels.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    items = [Item(f"sentinel/{r['id']}", r["family"], r["text"]) for r in rows if r["tier"] in ("ngram", "item")]
    kinds = {"canary": Kind.CANARY, "entity": Kind.STRONG}
    return items, [Name(r["text"], kinds[r["tier"]], r["family"]) for r in rows if r["tier"] in kinds]


def main(folder: Path) -> None:
    """Build storygen/data/bank.npz."""
    entities = json.loads((folder / "entities.json").read_text(encoding="utf-8"))
    own, own_names = sentinel_items()
    items = [*read_evals(folder), *own]
    sources = [*sorted(p.name for p in folder.glob("*.jsonl")), "sentinels.jsonl"]
    bank = build(items, [*names_of(entities), *own_names], ordinary_texts(), sources)
    path = resources.data("bank.npz")
    bank.save(path)
    print(f"{bank.describe_short()} in {path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
