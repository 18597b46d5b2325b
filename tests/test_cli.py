"""The command line: help for everything, and every user's error one sentence and a hint, without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from storygen import cli


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        cli.main(arguments)
    out = capsys.readouterr()
    return int(done.value.code or 0), out.out, out.err


def commands(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        found.append(((*before, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*before, name))
    return found


def test_every_command_and_option_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    found = commands(cli.cli)
    named = {" ".join(path) for path, _ in found}
    assert named >= {
        "make",
        "screen",
        "report",
        "review",
        "export",
        "stats",
        "evals list",
        "evals fingerprint",
        "merge",
    }
    for path, command in found:
        assert command.help, path
        assert run(capsys, *path, "--help")[0] == 0
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["make", "--writer", "parrot"], "There is no writer 'parrot'"),
        (["make", "--writer", "anthropic"], "There is no writer 'anthropic'"),
        (["make", "--n", "0"], "--n must be at least 1"),
        (["make", "--n", "-5"], "--n must be at least 1"),
        (["make", "--n", "many"], "not a valid integer"),
        (["make", "--mix", "story=6;advice=1"], "--mix does not parse"),
        (["make", "--mix", "poem=1"], "--mix does not parse at 'poem=1'"),
        (["make", "--mix", "story=0"], "no positive share"),
        (["make", "--arm", "legs"], "There is no arm 'legs'"),
        (["make", "--evals", "nowhere.jsonl"], "nowhere.jsonl does not exist"),
        (["make", "--constitution", "nowhere"], "nowhere does not exist"),
        (["make", "--validation", "1"], "--validation must be"),
        (["make", "--max-usd", "nan"], "--max-usd must be an amount"),
        (["make", "--max-usd", "-1"], "--max-usd must be an amount"),
        (["make", "--out", ""], "--out is empty"),
        (["make", "--language", "de"], "writes English only"),
        (["merge", "shard", "--out", "shard"], "is one of the shards"),
        (["make", "--workers", "0"], "--workers must be at least 1"),
        (["make", "--shard", "4/4"], "--shard does not parse"),
        (["make", "--config", "nowhere.toml"], "cannot be read"),
        (["make", "--engine", "magic"], "magic"),
        (["screen", "nowhere.jsonl", "--out", "o"], "nowhere.jsonl cannot be read"),
        (["report", "nowhere"], "is not a run"),
        (["export", "nowhere", "--to", "o"], "is not a run"),
        (["stats", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["dance"], "No such command"),
    ],
)
def test_bad_input_is_a_sentence_and_a_hint(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 4
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"text": "whole"}\n{"text": "cut', "line 2: not JSON, perhaps cut short"),
        (b'{"text": "whole"}\n\n{"text": "caf\xe9"}\n', "line 3: not UTF-8"),
        (b'["a", "list"]\n', "line 1: a list, not an object"),
        (b'{"body": "x"}\n', "line 1: neither text nor messages"),
        (b'{"messages": [{"role": "user"}]}\n', "line 1: a message without content"),
    ],
)
def test_a_broken_corpus_is_named_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(content)
    for command in (["screen", str(path), "--out", str(tmp_path / "o")], ["stats", str(path)]):
        code, _, err = run(capsys, *command)
        assert code == 2
        assert f"{path}, {said}" in err
        assert not (tmp_path / "o/kept.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("n = 5\nwritter = 'grammar'\n", "writter"),
        ("n = five\n", "is not TOML"),
        ("n = 'five'\n", "n: "),
        ("api_key = 'x'\n", "api_key"),
    ],
)
def test_a_config_with_an_unknown_key_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "run.toml"
    path.write_text(content, encoding="utf-8")
    code, _, err = run(capsys, "make", "--config", str(path))
    assert code == 2
    assert said in err


def test_a_folder_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    code, _, err = run(capsys, "make", "--n", "3", "--workers", "1", "--out", str(tmp_path / "file" / "run"))
    assert code == 1
    assert "cannot be written" in err


def test_a_full_disk_is_said_in_a_sentence() -> None:
    """/dev/full takes nothing: the ledger cannot be made there, and no traceback says so."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from storygen import cli; cli._guarded(lambda: open('/dev/full', 'w').write('x' * 99999))",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "The disk is full; everything committed so far is kept." in done.stderr
    assert "Traceback" not in done.stderr


def test_two_processes_cannot_run_on_one_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from storygen.ledger import Ledger

    with Ledger.hold(tmp_path / "run"):
        code, _, err = run(capsys, "make", "--n", "3", "--workers", "1", "--out", str(tmp_path / "run"))
    assert code == 1
    assert f"is being worked on by process {os.getpid()}" in err


def test_a_start_that_failed_leaves_the_folder_free(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    code, _, _ = run(capsys, "make", "--n", "5", "--out", out, "--workers", "1", "--writer", "gguf:/nowhere.gguf")
    assert code != 0
    code, said, err = run(capsys, "make", "--n", "5", "--out", out, "--workers", "1")
    assert (code, err.count("other settings")) == (0, 0), err + said


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = "from storygen import engines; import os\nif __name__ == '__main__':\n"
    code += "    pool = engines.Local(2); print(*pool.map(os.path.basename, ['a', 'b', 'c']), flush=True)\n"
    code += "    os.kill(os.getpid(), 9)\n"
    script = tmp_path / "parent.py"
    script.write_text(code, encoding="utf-8")
    # A worker left behind would hold the pipe, and this call would not come back.
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.split()) == (-9, ["a", "b", "c"])


def test_an_interruption_says_that_everything_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert cli._guarded(interrupted) == 130
    assert "everything so far is kept" in capsys.readouterr().err


def test_version_and_import_are_light() -> None:
    """`storygen --version` must not load numpy, outlines or the anthropic SDK."""
    code = (
        "import sys; from storygen import cli; cli._guarded(lambda: cli.cli(['--version'], standalone_mode=False)); "
        "print(sorted({'numpy', 'outlines', 'anthropic', 'datasketch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_page_of_commands_is_current() -> None:
    import runpy

    docs = Path(__file__).parent.parent / "docs"
    page = runpy.run_path(str(docs / "commands.py"))["page"]
    assert (docs / "commands.md").read_text(encoding="utf-8") == page(), "run python docs/commands.py"
