"""Runs on other filesystems: whole or not there, the same bytes, and nothing left of an earlier run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import FakeFilesystem, digests, make
from pyarrow.fs import FileSelector, LocalFileSystem, SubTreeFileSystem

from storygen import cli, publish
from storygen.errors import FolderError, UsageError
from storygen.publish import Target, open_target

N = 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("publish") / "run"
    make(folder, n=N)
    return folder


def test_a_run_arrives_byte_for_byte_and_once(run: Path, tmp_path: Path) -> None:
    target = open_target((tmp_path / "there").as_uri())
    assert publish.publish(run, target) == (tmp_path / "there").as_uri()
    assert digests(tmp_path / "there") == digests(run)
    manifest = json.loads((tmp_path / "there/manifest.json").read_bytes())
    left = {str(p.relative_to(tmp_path / "there")) for p in (tmp_path / "there").rglob("*") if p.is_file()}
    assert left == {*manifest["files"], "manifest.json"}
    assert publish.publish(run, target) == ""


def test_a_subtree_of_a_filesystem(run: Path, tmp_path: Path) -> None:
    target = Target(SubTreeFileSystem(str(tmp_path), LocalFileSystem()), "deep/er", "subtree")
    assert publish.publish(run, target)
    assert digests(tmp_path / "deep/er") == digests(run)


def test_a_filesystem_that_is_not_a_disk(run: Path) -> None:
    target = open_target("mock:///bucket/run")
    assert target is not None
    assert publish.publish(run, target)
    found = target.filesystem.get_file_info(FileSelector(target.path, recursive=True))
    assert sum(info.is_file for info in found) == len(json.loads((run / "manifest.json").read_bytes())["files"]) + 1


def test_files_of_an_earlier_run_are_removed(run: Path, tmp_path: Path) -> None:
    old = tmp_path / "data/story/train-00007-of-00008.jsonl"
    old.parent.mkdir(parents=True)
    old.write_text("{}\n", encoding="utf-8")
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    assert publish.publish(run, open_target(tmp_path.as_uri()))
    assert digests(tmp_path) == digests(run)


def test_a_copy_that_is_cut_short_has_no_manifest_and_is_made_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = open_target(tmp_path.as_uri())
    copy, copied = publish._copy, list[str]()

    def cut(source: Path, there: Target, name: str, facts: Any) -> None:
        if len(copied) == 3:
            raise OSError("connection reset")
        copied.append(name)
        copy(source, there, name, facts)

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_copy", cut)
        with pytest.raises(OSError, match="reset"):
            publish.publish(run, target)
    assert not (tmp_path / "manifest.json").exists()
    assert publish.publish(run, target)
    assert digests(tmp_path) == digests(run)


def test_a_file_that_was_changed_is_not_passed_on(run: Path, tmp_path: Path) -> None:
    make(tmp_path / "run", n=20)
    (tmp_path / "run/rejected.jsonl").write_text("changed\n", encoding="utf-8")
    with pytest.raises(FolderError, match="not what manifest"):
        publish.publish(tmp_path / "run", open_target((tmp_path / "there").as_uri()))
    assert not (tmp_path / "there/manifest.json").exists()


def test_object_stores_get_whole_files_without_a_move(run: Path) -> None:
    store = FakeFilesystem("s3")
    assert publish.publish(run, Target(store, "bucket", "s3://bucket"))
    assert not store.moved
    assert store.written[-1] == "bucket/manifest.json"
    assert not any(name.endswith(".partial") for name in store.written)


@pytest.mark.parametrize("uri", ["nowhere://x/y", "file:///proc/nothing/here"])
def test_a_uri_that_cannot_be_opened_is_a_sentence(uri: str) -> None:
    with pytest.raises(UsageError, match="cannot be opened"):
        open_target(uri)


def test_without_pyarrow_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.fs", None)
    with pytest.raises(UsageError, match="needs pyarrow"):
        open_target("s3://bucket/run")


def test_make_with_a_uri_keeps_its_ledger_in_the_scratch_folder(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri, scratch = (tmp_path / "there").as_uri(), tmp_path / "scratch"
    command = ["make", "--n", str(N), "--workers", "1", "--out", uri, "--scratch", str(scratch)]
    for said in (f"Copied to {uri}.", "Nothing was done."):
        with pytest.raises(SystemExit) as end:
            cli.main(command)
        assert end.value.code == 0
        assert said in capsys.readouterr().out
    assert digests(tmp_path / "there") == digests(run)
    assert (scratch / "run.db").is_file()
    assert not (tmp_path / "there/run.db").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scratch", "x"], "--scratch is for"),
        (["--out", "file:///tmp/x", "--shard", "0/2"], "local or shared folder"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["make", *options])
    assert end.value.code == 2
    assert said in capsys.readouterr().err
