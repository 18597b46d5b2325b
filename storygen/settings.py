"""What the user asked for: command line over config file over defaults, and which of it decides the bytes."""

from __future__ import annotations

import functools
import hashlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from storygen import __version__, resources
from storygen.errors import InputError, UsageError
from storygen.publish import is_uri
from storygen.records import KINDS
from storygen.stages import Spec

Mix = tuple[tuple[str, int], ...]
ARMS = ("full", "actions-only", "placebo")


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `storygen make`. Only `identity()` decides what comes out; the rest is how."""

    n: int = 50_000
    out: Path = Path("out/corpus")
    seed: int = 0
    mix: Mix = (("story", 6), ("document", 3), ("advice", 1))
    writer: str = "grammar"
    arm: str = "full"
    constitution: Path | None = None
    evals: tuple[Path, ...] = ()
    language: str = "en"
    validation: float = 0.02
    engine: str = "local"
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    max_usd: float | None = None
    revise: bool = True
    judge: bool = True
    prices: Mapping[str, Any] = field(default_factory=dict)
    shard: tuple[int, int] | None = None
    ray_address: str | None = None
    publish: str = ""  # a URI to which the whole run is copied (`storygen.publish`)

    def identity(self) -> dict[str, Any]:
        """What decides the bytes, as it stands in the ledger and the manifest."""
        return {
            "n": self.n,
            "seed": self.seed,
            "mix": mix_text(self.mix),
            "writer": self.writer,
            "arm": self.arm,
            "constitution": tree_hash(self.constitution) if self.constitution else "built-in",
            "evals": sorted(tree_hash(p) for p in self.evals),
            "language": self.language,
            "validation": self.validation,
            "revise": self.revise,
            "judge": self.judge,
            "shard": list(self.shard) if self.shard else None,
            "version": __version__,
            "tables": content_hash(),
        }

    def spec(self) -> Spec:
        """What a worker is told."""
        return Spec(
            seed=self.seed,
            mix=self.mix,
            writer=self.writer,
            arm=self.arm,
            constitution=str(self.constitution or ""),
            evals=tuple(str(p) for p in self.evals),
            language=self.language,
        )

    def refuse_unless_equal(self, other: Mapping[str, Any]) -> None:
        """Raise UsageError, naming every setting in which a run's `other` identity differs from this one's."""
        mine = self.identity()
        keys = sorted(k for k in mine.keys() | other.keys() if mine.get(k) != other.get(k))
        if not keys:
            return
        what = "; ".join(f"{k} was {_short(other.get(k))}, now {_short(mine.get(k))}" for k in keys)
        raise UsageError(
            f"{self.out} holds a run with other settings: {what}.",
            "Give the old settings to go on with it, or another --out to start anew.",
        )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "…"


class _Config(pydantic.BaseModel):
    """The keys of a `--config` file; anything else is an error that names it."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=False)

    n: int | None = None
    out: str | None = None
    scratch: Path | None = None
    seed: int | None = None
    mix: str | dict[str, int] | None = None
    writer: str | None = None
    arm: str | None = None
    constitution: Path | None = None
    evals: list[Path] | None = None
    language: str | None = None
    validation: float | None = None
    engine: str | None = None
    workers: int | None = None
    max_usd: float | None = None
    revise: bool | None = None
    judge: bool | None = None
    ray_address: str | None = None
    prices: dict[str, dict[str, float]] | None = None


def read_config(path: Path) -> dict[str, Any]:
    """The settings that a TOML file names. Raises InputError with the line, or the unknown key."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        config = _Config.model_validate(raw)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Give a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}.", "Write keys like the options: n = 5000.") from error
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(sorted(_Config.model_fields))
        raise InputError(f"{path}: {where}: {first['msg']}.", f"Known keys: {known}.") from error
    values = config.model_dump(exclude_none=True)
    if isinstance(values.get("mix"), dict):
        values["mix"] = ",".join(f"{k}={v}" for k, v in values["mix"].items())
    if "evals" in values:
        values["evals"] = tuple(values["evals"])
    return values


def out_folder(out: str | Path | None, scratch: Path | None, shard: bool = False) -> dict[str, Any]:
    """The settings `out` (a local folder) and `publish` for an --out that may be a URI. Raises UsageError."""
    if out is not None and not str(out).strip():
        raise UsageError("--out is empty.", "Give a folder, like out/corpus.")
    if out is None or not is_uri(str(out)):
        if scratch is not None:
            raise UsageError("--scratch is for an --out that is a URI.", "Give the folder as --out.")
        return {} if out is None else {"out": Path(out)}
    if shard:
        raise UsageError("A shard's --out is a local or shared folder.", "Give the URI to `storygen merge`.")
    name = str(out).rstrip("/").rpartition("/")[2]
    return {"out": scratch or Path("out") / (name or "corpus"), "publish": str(out)}


def parse_mix(text: str) -> Mix:
    """`story=6,document=3,advice=1` → shares in the order of KINDS. Raises UsageError."""
    shares: dict[str, int] = {}
    for part in text.split(","):
        kind, _, share = part.partition("=")
        kind = kind.strip()
        if kind not in KINDS or not share.strip().isdigit() or kind in shares:
            raise UsageError(
                f"--mix does not parse at '{part.strip()}'.", "Write it like story=6,document=3,advice=1."
            )
        shares[kind] = int(share)
    if not 0 < sum(shares.values()) <= 1000:
        raise UsageError(
            "--mix has no positive share, or shares over 1000 in all.", "Write it like story=6,document=3."
        )
    return tuple((kind, shares[kind]) for kind in KINDS if shares.get(kind))


def mix_text(mix: Mix) -> str:
    return ",".join(f"{kind}={share}" for kind, share in mix)


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(p for p in path.rglob("*") if p.is_file())
    else:
        yield path


def tree_hash(path: Path) -> str:
    """SHA-256 over the names and contents of a file or a folder, 16 hex digits."""
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(file.name.encode() + b"\0")
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def content_hash() -> str:
    """One hash of everything packaged that decides the bytes: tables, clauses, bank and models."""
    parts = [resources.folder("prompts"), resources.folder("constitution"), resources.data("")]
    return hashlib.sha256("".join(tree_hash(p) for p in parts).encode()).hexdigest()[:16]
