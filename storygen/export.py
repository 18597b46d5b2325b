"""What trainers read: JSONL (or Parquet) shards by kind, train and validation, and a Hugging Face dataset card."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import jinja2
import numpy as np
import xxhash

from storygen.errors import UsageError
from storygen.ledger import Ledger, Row
from storygen.records import KINDS
from storygen.text import I64

SHARD = 25_000  # records a file: about 75 MB of stories


@dataclass(frozen=True, slots=True)
class Exported:
    """`files` maps a path inside the folder to its records, bytes and SHA-256; `counts` a kind to its splits."""

    files: Mapping[str, Mapping[str, Any]]
    counts: Mapping[str, Mapping[str, int]]


def split(
    kept: Iterable[tuple[int, str, str]], near: Iterable[tuple[int, int, float]], share: float
) -> tuple[dict[str, dict[str, int]], set[int]]:
    """Texts of each kind by side, and the indexes of validation, from (index, kind, family) in index order.

    Records of one premise family, and near pairs (Jaccard >= 0.5), form one component and stay on one side.
    Components are taken in the order of a hash until `share` of each kind is reached.
    """
    kinds, families = dict[str, int](), dict[str, int]()  # their numbers, as they come
    columns = array("q")  # of three: a text's index, kind and family take 24 bytes
    for idx, kind, family in kept:
        columns.extend((idx, kinds.setdefault(kind, len(kinds)), families.setdefault(family, len(families))))
    indexes, kind_of, family_of = np.array(columns, np.int64).reshape(-1, 3).T
    part = _joined(len(families), _families(near, indexes, family_of))[family_of]

    totals = np.bincount(kind_of, minlength=len(kinds)).tolist()
    target, have = [round(share * total) for total in totals], [0] * len(kinds)
    parts, first = np.unique(part, return_index=True)
    cells, sizes = np.unique(part * np.int64(len(kinds)) + kind_of, return_counts=True)
    begins = np.append(np.searchsorted(cells, parts * np.int64(len(kinds))), len(cells)).tolist()
    ranks = [xxhash.xxh3_64_intdigest(f"split:{smallest}".encode()) for smallest in indexes[first].tolist()]
    chosen = []
    for k in sorted(range(len(parts)), key=ranks.__getitem__):
        here = slice(begins[k], begins[k + 1])
        new = dict(zip((cells[here] % len(kinds)).tolist(), sizes[here].tolist(), strict=True))
        if all(have[kind] + size <= target[kind] for kind, size in new.items()):
            chosen.append(parts[k])
            for kind, size in new.items():
                have[kind] += size
    validation = set(indexes[np.isin(part, chosen)].tolist())
    counts = zip(kinds, totals, have, strict=True)
    return {kind: {"train": total - held, "validation": held} for kind, total, held in counts}, validation


def _families(near: Iterable[tuple[int, int, float]], indexes: I64, family_of: I64) -> Iterator[tuple[int, int]]:
    """The families of pairs of which both texts are kept."""
    for a, b, _ in near:
        at = np.searchsorted(indexes, (a, b))
        if (at < len(indexes)).all() and (indexes[at] == (a, b)).all():
            yield int(family_of[at[0]]), int(family_of[at[1]])


def _joined(count: int, pairs: Iterable[tuple[int, int]]) -> I64:
    """The component of each of `count` things, once those of each pair are joined."""
    parent = list(range(count))

    def find(x: int) -> int:
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for a, b in pairs:
        parent[find(a)] = find(b)
    return np.array([find(x) for x in range(count)], np.int64)


class _Writer:
    """Shards of one kind and split; their number is known beforehand, so names are final."""

    def __init__(
        self, folder: Path, name: str, total: int, extension: str, open_shard: Callable[[Path], Any]
    ) -> None:
        self.folder, self.name, self.total, self.extension = folder, name, total, extension
        self.shards = max(1, -(-total // SHARD))
        self.open_shard = open_shard
        self.written = 0
        self.current: Any = None

    def write(self, line: str) -> None:
        if self.written % SHARD == 0:
            self.close()
            number = self.written // SHARD
            path = self.folder / f"{self.name}-{number:05d}-of-{self.shards:05d}.{self.extension}"
            self.current = self.open_shard(path)
        self.current.write(line)
        self.written += 1

    def close(self) -> None:
        if self.current is not None:
            self.current.close()
            self.current = None


class _Jsonl:
    def __init__(self, path: Path) -> None:
        self.file: IO[str] = path.open("w", encoding="utf-8", newline="\n")

    def write(self, line: str) -> None:
        self.file.write(line)
        self.file.write("\n")

    def close(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


class _Parquet:
    """One row group of up to 5,000 records at a time."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise UsageError("Parquet needs pyarrow.", "pip install 'storygen[parquet]'") from error
        self.pa, self.pq = pyarrow, pyarrow.parquet
        self.path, self.rows = path, list[dict[str, Any]]()
        self.file: Any = None

    def write(self, line: str) -> None:
        self.rows.append(json.loads(line))
        if len(self.rows) == 5_000:
            self.flush()

    def flush(self) -> None:
        schema = self.file.schema if self.file is not None else None
        table = self.pa.Table.from_pylist(self.rows, schema=schema)
        if self.file is None:
            self.file = self.pq.ParquetWriter(self.path, table.schema)
        self.file.write_table(table)
        self.rows = []

    def close(self) -> None:
        if self.rows:
            self.flush()
        if self.file is not None:
            self.file.close()


def export(ledger: Ledger, folder: Path, share: float = 0.02, form: str = "jsonl") -> Exported:
    """Write `data/` under `folder` from what is kept, beside the old one and then in its place.

    Raises: UsageError when Parquet is asked for and pyarrow is missing; OSError when the disk is full.
    """
    counts, validation = split(ledger.kept(), ledger.near_pairs(), share)
    partial, final = folder / "data.partial", folder / "data"
    shutil.rmtree(partial, ignore_errors=True)
    shard = _Jsonl if form == "jsonl" else _Parquet
    writers: dict[tuple[str, str], _Writer] = {}
    for kind, sides in counts.items():
        (partial / kind).mkdir(parents=True)
        for name, total in sides.items():
            if total:
                writers[kind, name] = _Writer(partial / kind, name, total, form, shard)
    for row in ledger.rows("state = 'kept'"):
        writers[row.kind, "validation" if row.idx in validation else "train"].write(row.line)
    for writer in writers.values():
        writer.close()
    partial.mkdir(exist_ok=True)
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)
    files = {str(p.relative_to(folder)): file_facts(p) for p in sorted(final.rglob("*.*"))}
    return Exported(files, counts)


def file_facts(path: Path) -> dict[str, Any]:
    """Bytes and SHA-256 of one file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def write_kept(ledger: Ledger, path: Path) -> None:
    """`kept.jsonl` of a screening: the lines as they came, in their order."""
    _lines(path, (row.line for row in ledger.rows("state = 'kept'")))


def write_rejected(ledger: Ledger, path: Path) -> None:
    """`rejected.jsonl`: every dropped text with stage, reason and evidence."""
    _lines(path, (_rejected(row) for row in ledger.rows("state IN ('rejected', 'dropped')")))


def _rejected(row: Row) -> str:
    payload = json.loads(row.line)
    body = {k: payload[k] for k in ("text", "messages") if k in payload} or payload
    stage, reason = (row.stage, row.reason) if row.state == "rejected" else ("review", "review:dropped")
    line = {"id": row.id, "kind": row.kind, **body, "stage": stage, "reason": reason, "evidence": row.evidence}
    return json.dumps(line, ensure_ascii=False)


def _lines(path: Path, lines: Iterable[str]) -> None:
    """Lone surrogates, which JSON can escape and UTF-8 cannot hold, leave as the escapes they came as."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="\n", errors="backslashreplace") as file:
        for line in lines:
            file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def card(exported: Exported, report: Mapping[str, Any], form: str = "jsonl") -> str:
    """The dataset card (README.md of a run): YAML front matter that `datasets.load_dataset(folder, kind)` reads."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown; it holds figures and settings, no text of the corpus
    )
    kept = report["sum"]["kept"]
    return environment.get_template("card.md").render(
        kinds=[*(k for k in KINDS if k in exported.counts), *sorted(set(exported.counts) - set(KINDS))],
        counts=exported.counts,
        form=form,
        report=report,
        settings=report["settings"],
        size=next(name for limit, name in _SIZES if kept < limit),
    )


_SIZES = (
    (1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"),
    (1e7, "1M<n<10M"), (float("inf"), "n>10M"),
)  # fmt: skip
