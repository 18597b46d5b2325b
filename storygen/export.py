"""What trainers read: JSONL (or Parquet) shards by kind, train and validation, and a Hugging Face dataset card."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import jinja2
import xxhash

from storygen.errors import UsageError
from storygen.ledger import Ledger, Row
from storygen.records import KINDS

SHARD = 25_000  # records a file: about 75 MB of stories


@dataclass(frozen=True, slots=True)
class Exported:
    """`files` maps a path inside the folder to its records, bytes and SHA-256; `counts` a kind to its splits."""

    files: Mapping[str, Mapping[str, Any]]
    counts: Mapping[str, Mapping[str, int]]


def split(
    rows: Iterator[Row], near: list[tuple[int, int, float]], share: float
) -> tuple[dict[str, list[int]], set[int]]:
    """Indexes by kind, and which of them are validation.

    Records of one premise family, and near pairs (Jaccard >= 0.5), form one component and stay on one side.
    Components are taken in the order of a hash until `share` of each kind is reached.
    """
    parent: dict[Any, Any] = {}

    def find(x: Any) -> Any:
        while parent.setdefault(x, x) != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    by_kind: dict[str, list[int]] = {}
    kind_of: dict[int, str] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row.idx)
        kind_of[row.idx] = row.kind
        parent[find(row.idx)] = find(row.family)
    for a, b, _ in near:
        if a in kind_of and b in kind_of:
            parent[find(a)] = find(b)

    components: dict[Any, list[int]] = {}
    for idx in kind_of:
        components.setdefault(find(idx), []).append(idx)
    target = {kind: round(share * len(indexes)) for kind, indexes in by_kind.items()}
    have = dict.fromkeys(by_kind, 0)
    validation: set[int] = set()
    for members in sorted(components.values(), key=lambda m: xxhash.xxh3_64_intdigest(f"split:{min(m)}".encode())):
        sizes: dict[str, int] = {}
        for idx in members:
            sizes[kind_of[idx]] = sizes.get(kind_of[idx], 0) + 1
        if all(have[k] + s <= target[k] for k, s in sizes.items()):
            validation.update(members)
            for k, s in sizes.items():
                have[k] += s
    return by_kind, validation


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
    by_kind, validation = split(ledger.rows("state = 'kept'", lines=False), ledger.near_pairs(), share)
    partial, final = folder / "data.partial", folder / "data"
    shutil.rmtree(partial, ignore_errors=True)
    shard = _Jsonl if form == "jsonl" else _Parquet
    writers: dict[tuple[str, str], _Writer] = {}
    counts: dict[str, dict[str, int]] = {}
    for kind, indexes in by_kind.items():
        (partial / kind).mkdir(parents=True)
        held = sum(i in validation for i in indexes)
        counts[kind] = {"train": len(indexes) - held, "validation": held}
        for name, total in counts[kind].items():
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
