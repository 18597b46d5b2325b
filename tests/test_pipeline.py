"""A whole run at small n: counts, bytes, kills, resumes, refusals, exports."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import Quiet, digests, make, read_jsonl

from storygen import engines, export, finish, pipeline, shards
from storygen.errors import FolderError, ShortRun, UsageError
from storygen.ledger import Ledger
from storygen.records import Record, Screened
from storygen.screens import form
from storygen.settings import Settings

N = 400  # what `make` of the helpers asks for


def lines(folder: Path) -> list[dict[str, Any]]:
    return [record for path in sorted((folder / "data").rglob("*.jsonl")) for record in read_jsonl(path)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make") / "run"
    outcome = make(folder)
    assert outcome.kept == N
    return folder


def test_exactly_n_records_by_the_mix(run: Path) -> None:
    found = lines(run)
    assert len(found) == N
    assert Counter(r["meta"]["kind"] for r in found) == {"story": 240, "document": 120, "advice": 40}
    assert len({r["id"] for r in found}) == N


def test_the_sum_adds_up_and_nothing_is_neither_kept_nor_rejected(run: Path) -> None:
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    sums = report["sum"]
    assert sums["kept"] + sums["rejected"] + sums["failed"] == sums["attempted"]
    rejected = read_jsonl(run / "rejected.jsonl")
    assert len(rejected) == sums["rejected"]
    assert not {r["id"] for r in rejected} & {r["id"] for r in lines(run)}
    assert all({"id", "kind", "stage", "reason", "evidence"} <= r.keys() for r in rejected)


def test_lines_have_the_fixed_format(run: Path) -> None:
    for r in lines(run):
        body = "messages" if r["meta"]["kind"] == "advice" else "text"
        assert list(r) == ["id", body, "meta"]
        assert r["id"] == f"{r['meta']['kind']}-{int(r['id'][-7:]):07d}"
        assert {"kind", "seed", "premise", "clauses", "writer", "writer_version", "words", "sha256"} <= r[
            "meta"
        ].keys()
        text = r["text"] if body == "text" else "\n\n".join(m["content"] for m in r["messages"])
        assert r["meta"]["sha256"] == hashlib.sha256(text.encode()).hexdigest()
        assert r["meta"]["words"] == len(text.split())


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(run: Path, tmp_path: Path) -> None:
    make(tmp_path / "two", workers=2)
    assert digests(tmp_path / "two") == digests(run)
    make(tmp_path / "other", seed=1)
    assert not set(digests(tmp_path / "other").values()) & set(digests(run).values())


def test_the_first_records_of_a_longer_run_are_those_of_a_shorter_one(run: Path, tmp_path: Path) -> None:
    make(tmp_path / "short", n=150)
    longer = {r["id"]: r for r in lines(run)}
    shared = [r for r in lines(tmp_path / "short") if int(r["id"][-7:]) < 150]
    assert len(shared) > 140
    assert all(longer.get(r["id"]) == r for r in shared if r["id"] in longer)
    assert sum(r["id"] in longer for r in shared) == len(shared)


def test_validation_keeps_families_on_one_side(run: Path) -> None:
    side: dict[str, set[str]] = {}
    for path in (run / "data").rglob("*.jsonl"):
        for record in read_jsonl(path):
            premise = record["meta"]["premise"]
            side.setdefault(f"{premise['setting']}/{premise['dilemma']}", set()).add(path.name.split("-")[0])
    assert all(len(sides) == 1 for sides in side.values())
    assert any("validation" in sides for sides in side.values())


def test_a_finished_run_is_left_alone_and_other_settings_are_refused_by_name(run: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.iterdir() if p.name.startswith(("report", "manifest", "rejected"))}
    assert make(run).already_done
    assert {p: p.stat().st_mtime_ns for p in before} == before
    with pytest.raises(UsageError, match="n was 400, now 401"):
        make(run, n=N + 1)
    with pytest.raises(UsageError, match="seed was 0, now 5"):
        make(run, seed=5)


def test_the_manifest_is_whole_and_names_every_file(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    for name, facts in manifest["files"].items():
        assert hashlib.sha256((run / name).read_bytes()).hexdigest() == facts["sha256"], name
    on_disk = {str(p.relative_to(run)) for p in (run / "data").rglob("*.jsonl")}
    assert on_disk <= manifest["files"].keys()
    assert manifest["planted"]["count"] > 0


def test_the_report_is_one_offline_page(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    assert len(page) < 5_000_000
    assert not re.search(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=", page)


def test_the_card_names_the_data_files(run: Path) -> None:
    card = (run / "README.md").read_text(encoding="utf-8")
    for kind in ("story", "document", "advice"):
        assert f"config_name: {kind}" in card
        assert f"path: data/{kind}/train-*.jsonl" in card
    assert "**not** a substitute" in card
    assert "never" not in card.split("---")[1]


def test_planted_leaks_are_caught_and_never_exported(run: Path) -> None:
    planted = json.loads((run / "report.json").read_text(encoding="utf-8"))["planted"]
    assert planted["count"] >= 50
    assert not planted["missed"]
    assert not [r["id"] for r in lines(run) if "plant" in r["id"]]
    with Ledger.read(run) as ledger:
        assert not list(ledger.rows("id LIKE '%plant%'", lines=False))


def kill_at(folder: Path, seconds: float, n: int) -> None:
    """Start the run in a process group of its own and kill -9 all of it after a while."""
    command = [sys.executable, "-m", "storygen", "make", "--n", str(n), "--out", str(folder), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_kill_9_at_any_moment_and_go_on(tmp_path: Path) -> None:
    """Killed again and again at random moments, the run ends with the bytes of one that was left in peace."""
    n, folder, rng = 1200, tmp_path / "killed", random.Random(11)
    held = 0
    for _ in range(5):
        kill_at(folder, 0.8 + 2.5 * rng.random(), n)
        if (folder / "run.db").exists():
            with Ledger.read(folder) as ledger:
                now = len(ledger.attempted())
            assert now >= held  # nothing that had arrived is lost
            held = now
    make(folder, n=n)
    make(tmp_path / "peace", n=n)
    assert digests(folder) == digests(tmp_path / "peace")


def test_a_kill_while_exporting_leaves_no_manifest_and_is_mended(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    make(folder, n=60)
    whole = digests(folder)
    (folder / "manifest.json").unlink()
    (folder / "data.partial/story").mkdir(parents=True)
    (folder / "data/story/train-00000-of-00001.jsonl").write_text("half", encoding="utf-8")
    assert finish.finished(folder) is None
    make(folder, n=60)
    assert digests(folder) == whole


def test_dropped_texts_are_made_up_for_in_their_cells(run: Path, tmp_path: Path) -> None:
    """A reviewer's drop is replaced by a further premise of the same cell."""
    folder = tmp_path / "run"
    make(folder, n=80)
    with Ledger.hold(folder) as ledger:
        victim = next(iter(ledger.rows("state = 'kept'", lines=False)))
        ledger.decide(victim.idx, "me", "drop", "not good", "kept", 0.0)
        before = ledger.kept_by_cell()
    outcome = make(folder, n=80)
    assert not outcome.already_done
    assert outcome.kept == 80
    with Ledger.read(folder) as ledger:
        after = ledger.kept_by_cell()
        assert after[victim.cell] == before[victim.cell] + 1
    assert victim.id not in {r["id"] for r in lines(folder)}


def test_a_text_that_is_let_back_in_takes_the_place_of_the_one_made_for_it(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, whole = tmp_path / "run", form.screen

    def strict(records: Sequence[Record], ours: bool = True) -> Screened:
        if any(r.index == 7 for r in records):
            raise ValueError("a text that this screen cannot read")
        return whole(records, ours=ours)

    with monkeypatch.context() as patch:
        patch.setattr(form, "screen", strict)
        make(folder)
    without = digests(folder)
    with Ledger.read(folder) as ledger:
        ledger.decide(7, "me", "keep", "nothing wrong with it", "quarantine", 0.0)
    early = finish.export_to(folder, tmp_path / "early", "jsonl")
    assert sum(sum(splits.values()) for splits in early.counts.values()) == N
    outcome = make(folder)
    assert (outcome.kept, outcome.already_done) == (N, False)
    assert digests(folder) == digests(run)
    (spare,) = [r for r in read_jsonl(folder / "rejected.jsonl") if r["reason"] == "quota:spare"]
    assert int(spare["id"][-7:]) >= N
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["sum"]["adds_up"]
    with Ledger.read(folder) as ledger:
        ledger.decide(7, "me", "undo", "", "quarantine", 1.0)
    assert make(folder).kept == N
    assert digests(folder) == without


def test_a_report_built_again_has_its_hash_in_the_manifest(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(run, folder)
    with Ledger.read(folder) as ledger:
        finish.rebuild(ledger)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name, facts in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"], name
    assert make(folder).already_done


def test_a_run_that_cannot_reach_n_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "ROUNDS", 1)
    from storygen.screens import language

    monkeypatch.setattr(language, "CLEAR", 2.0)
    monkeypatch.setattr(language, "SURE", 2.0)
    monkeypatch.setattr(language, "arbitrate", lambda text: ("de", 1.0))
    monkeypatch.setattr(language, "detect", lambda text: ("de", 1.0))
    with pytest.raises(ShortRun, match="were made"):
        make(tmp_path / "run", n=30)
    assert not (tmp_path / "run/manifest.json").exists()
    assert (tmp_path / "run/report.html").exists()


def test_shards_merge_into_the_bytes_of_one_run(run: Path, tmp_path: Path) -> None:
    parts = []
    for k in range(4):
        settings = replace(Settings(), n=N, out=tmp_path / f"s{k}", shard=(k, 4), workers=1)
        assert shards.make_shard(settings, engines.Serial(), Quiet()) == N // 4
        parts.append(settings.out)
    given = replace(Settings(), out=tmp_path / "merged", workers=1)
    shards.merge(parts[::-1], given, engines.Serial(), Quiet())
    assert digests(tmp_path / "merged") == digests(run)
    with pytest.raises(UsageError, match="missing: 2/4"):
        shards.merge([parts[0], parts[1], parts[3]], replace(given, out=tmp_path / "m2"), engines.Serial(), Quiet())
    with pytest.raises(UsageError, match="not a finished shard"):
        shards.merge([run], replace(given, out=tmp_path / "m3"), engines.Serial(), Quiet())


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with Ledger.hold(tmp_path / "run"), pytest.raises(FolderError, match=f"process {os.getpid()}"):
        make(tmp_path / "run", n=10)


def test_export_elsewhere_gives_the_same_records(run: Path, tmp_path: Path) -> None:
    exported = finish.export_to(run, tmp_path / "copy", "jsonl")
    assert digests(tmp_path / "copy") == digests(run)
    assert (tmp_path / "copy/README.md").exists()
    assert sum(sum(s.values()) for s in exported.counts.values()) == N


LOAD = """
import json, sys
from datasets import load_dataset
found = {}
for kind in ("story", "document", "advice"):
    splits = load_dataset(sys.argv[1], kind, cache_dir=sys.argv[2])
    found[kind] = {name: [row["id"] for row in rows] for name, rows in splits.items()}
print(json.dumps(found))
"""


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_datasets_library_loads_a_run_by_kind(run: Path, tmp_path: Path, form: str) -> None:
    finish.export_to(run, tmp_path / "copy", form)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    command = [sys.executable, "-c", LOAD, str(tmp_path / "copy"), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    ids = [identity for splits in found.values() for split in splits.values() for identity in split]
    assert sorted(ids) == sorted(r["id"] for r in lines(run))
    assert found["story"].keys() == {"train", "validation"}


def test_near_pairs_join_families_on_one_side() -> None:
    rows = [(k, "story", f"family-{k // 5}") for k in range(200)]
    near = [(2, 57, 0.6), (58, 113, 0.6), (3, 999, 0.9)]  # 0, 11 and 22 are one component; 999 is not kept
    counts, validation = export.split(rows, near, 0.5)
    assert counts == {"story": {"train": 200 - len(validation), "validation": len(validation)}}
    assert 80 <= len(validation) <= 100
    sides = [{k in validation for k in range(5 * f, 5 * f + 5)} for f in range(40)]
    assert all(len(side) == 1 for side in sides)
    assert sides[0] == sides[11] == sides[22]
    assert export.split([], [], 0.5) == ({}, set())
