"""The end of a run: export, rejects, report, dataset card, and the manifest, which is written last."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storygen import __version__, export
from storygen.errors import ShortRun, UsageError
from storygen.ledger import Ledger
from storygen.planting import Planted
from storygen.report import Index, collect, render
from storygen.stopwatch import Stopwatch

if TYPE_CHECKING:
    from storygen.pipeline import Outcome, Progress
    from storygen.settings import Settings


PAGES = ("report.json", "report.html")


def finished(folder: Path) -> dict[str, Any] | None:
    """The manifest of a whole run, or None: no manifest yet, or a reviewer has decided more since it was written."""
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}.", "Remove it and run the same command again.") from error
    with Ledger.read(folder) as ledger:
        decided = len(ledger.decisions())
    return manifest if manifest.get("decisions") == decided else None


def outcome(folder: Path, manifest: Mapping[str, Any]) -> Outcome:
    """What a finished run came to, from its manifest."""
    return replace(_outcome(folder, manifest["counts"], Planted.from_json(manifest["planted"])), already_done=True)


def finish(ledger: Ledger, settings: Settings, planted: Planted, watch: Stopwatch, progress: Progress) -> Outcome:
    """Write everything that a run of `make` leaves; `manifest.json` only if the run is whole."""
    folder = ledger.folder
    (folder / "manifest.json").unlink(missing_ok=True)
    leave_spares(ledger)
    progress.say("exporting")
    with watch.stage("export"):
        exported = export.export(ledger, folder, settings.validation)
        export.write_rejected(ledger, folder / "rejected.jsonl")
    report = _report(ledger, planted, watch, progress)
    _write(folder / "README.md", export.card(exported, report))
    if report["sum"]["kept"] >= settings.n:
        _manifest(ledger, report, exported, ("rejected.jsonl", "README.md", *PAGES))
    return _outcome(folder, report["sum"], planted)


def finish_screen(ledger: Ledger, planted: Planted, watch: Stopwatch, progress: Progress) -> Outcome:
    """Write what `screen` leaves: the kept lines as they came, the rejects, the report."""
    folder = ledger.folder
    with watch.stage("export"):
        export.write_kept(ledger, folder / "kept.jsonl")
        export.write_rejected(ledger, folder / "rejected.jsonl")
    report = _report(ledger, planted, watch, progress)
    return _outcome(folder, report["sum"], planted, ("kept.jsonl",))


def export_to(run: Path, to: Path, form: str) -> export.Exported:
    """`storygen export`: the kept records of a run as shards in another folder, with a card of their own."""
    with Ledger.read(run) as ledger:
        leave_spares(ledger)
        settings = ledger.get("settings") or {}
        to.mkdir(parents=True, exist_ok=True)
        exported = export.export(ledger, to, settings.get("validation", 0.02), form)
        _write(to / "README.md", export.card(exported, collect(ledger), form))
    return exported


def _report(ledger: Ledger, planted: Planted, watch: Stopwatch, progress: Progress) -> dict[str, Any]:
    progress.say("reporting")
    with watch.stage("report"):
        ledger.put("planted", planted.to_json())
        return write_report(ledger, seconds(watch))


def _outcome(folder: Path, sums: Mapping[str, int], planted: Planted, files: tuple[str, ...] = ("data",)) -> Outcome:
    from storygen.pipeline import Outcome

    return Outcome(folder, sums["kept"], sums["rejected"], sums["failed"], sums["attempted"], planted, files)


def _manifest(ledger: Ledger, report: Mapping[str, Any], exported: export.Exported, pages: tuple[str, ...]) -> None:
    folder = ledger.folder
    manifest = {
        "storygen": __version__,
        "settings": ledger.get("settings"),
        "counts": report["sum"],
        "splits": exported.counts,
        "tokens": report["tokens"],
        "cost": report["cost"],
        "planted": ledger.get("planted"),
        "decisions": len(ledger.decisions()),
        "files": {**exported.files, **{name: export.file_facts(folder / name) for name in pages}},
        "versions": report["versions"],
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    _write(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def write_report(ledger: Ledger, seconds: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Build `report.json` and `report.html` from the ledger alone; `seconds` of a fresh run are kept in it."""
    if seconds is not None:
        ledger.put("seconds", dict(seconds))
    index = Index()
    report = collect(ledger, index)
    _write(ledger.folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    _write(ledger.folder / "report.html", render(report, index))
    return report


def rebuild(ledger: Ledger) -> dict[str, Any]:
    """`storygen report`: the report anew, with its hashes in the manifest of a whole run."""
    leave_spares(ledger)
    report = write_report(ledger)
    path = ledger.folder / "manifest.json"
    if path.is_file():
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["files"].update({name: export.file_facts(ledger.folder / name) for name in PAGES})
        _write(path, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    return report


def leave_spares(ledger: Ledger) -> None:
    """Leave out as many of each cell as it has more than its share, since a reviewer let some back in.

    The last by index go first, as they were made to stand in for the others, and those that a reviewer chose last.
    """
    quota = ledger.get("quota")
    if quota is None:
        return
    ledger.put_spare(())
    spare: list[int] = []
    for cell, count in (ledger.kept_by_cell() - Counter(quota)).items():
        rows = list(ledger.rows("state = 'kept' AND cell = ?", (cell,), lines=False))
        rows.sort(key=lambda row: (row.choice == "keep", -row.idx))
        spare += [row.idx for row in rows[:count]]
    ledger.put_spare(spare)


def refuse_leaks(planted: Planted, folder: Path) -> None:
    """Raise ShortRun when a planted leak that a tier should catch got through."""
    if planted.missed:
        raise ShortRun(
            f"{len(planted.missed)} of {planted.count} planted leaks got through the filter.",
            f"Do not train on this corpus; see the planted leaks in {folder / 'report.html'}.",
        )


def seconds(watch: Stopwatch) -> dict[str, Any]:
    return {
        "wall": {k: round(v, 3) for k, v in watch.wall.items()},
        "workers": {k: round(v, 3) for k, v in watch.work.items()},
    }


def _write(path: Path, text: str) -> None:
    """Whole or not at all: beside the old file, then in its place."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
