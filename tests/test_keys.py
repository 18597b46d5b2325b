"""Keys: in no file, no line of output and no traceback, whatever the writer and whatever goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import paid
import pytest
from fake_api import KEY, MODEL, FakeApi
from fake_openai import says, server

from storygen import cli
from storygen.errors import UsageError, WriterError
from storygen.writers import keys, parse_writer

# The command line with milliseconds in the place of seconds.
QUICKLY = """
import sys, paid
from storygen import cli
from storygen.writers import run
run.Pace = paid.pace
cli.main(sys.argv[1:])
"""
OPENAI_KEY = "plain-0123-secret"  # nothing in its looks tells that it is one


def sweep(tmp_path: Path, writer: str, secret: str, *arguments: str, **more: str) -> tuple[int, str]:
    """Exit status and output of `storygen make` in a process of its own, once no trace of the secret was found."""
    command = [sys.executable, "-c", QUICKLY, "make", "--n", "3", "--out", str(tmp_path / "run"), "--workers", "1",
               "--writer", writer, *arguments]  # fmt: skip
    environment = paid.environment(ANTHROPIC_LOG="debug", OPENAI_LOG="debug", **more)
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120)
    shown = (done.stdout + done.stderr).decode()
    assert secret not in shown
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file
    return done.returncode, shown


@pytest.mark.parametrize("mode", ["anthropic", "anthropic-batch"])
@pytest.mark.parametrize("case", ["good", "wrong", "echo", "poor", "cut"])
def test_a_key_for_claude_is_nowhere(mode: str, case: str, api: FakeApi, tmp_path: Path) -> None:
    """Good and failing runs: a key that is refused and repeated, a reply that holds it, no credit, a spent cap."""
    api.echoes, api.credit = case == "echo", case != "poor"
    secret = KEY if case != "wrong" else "sk-ant-" + "wrong-key-with-no-credit"
    cap = ["--max-usd", "0.0001"] if case == "cut" else []
    status, shown = sweep(tmp_path, f"{mode}:{MODEL}", secret, *cap, ANTHROPIC_API_KEY=secret)
    assert status == (case not in ("good", "echo")), shown[-2000:]
    assert "Traceback" not in shown
    told = {"wrong": "did not accept the key", "poor": "no credit", "cut": "the cap was reached"}
    assert told.get(case, "kept") in shown
    if case == "echo":
        assert api.generated


@pytest.mark.parametrize("status", [200, 401, 429, 500])
def test_a_key_for_an_openai_server_is_nowhere(status: int, tmp_path: Path) -> None:
    def answer(_: dict[str, Any]) -> tuple[int, Any]:
        text = f"your key is {OPENAI_KEY}"
        return (200, says(text)) if status == 200 else (status, {"error": {"message": text, "type": "x"}})

    with server(answer) as url:
        code, shown = sweep(tmp_path, f"openai:{url}#m", OPENAI_KEY, OPENAI_API_KEY=OPENAI_KEY)
    assert code == 1
    assert "Traceback" not in shown
    assert "[key]" in shown


@pytest.mark.parametrize("broken", ["sk-ant-0123456789\n", "sk-ant-ü123456789", "sk-ant-01234\r\nX: y", " "])
@pytest.mark.parametrize("source", ["anthropic:claude-haiku-5-5", "anthropic-batch:claude-haiku-5-5", "openai:URL#m"])
def test_a_key_that_no_header_takes_is_one_error_that_does_not_show_it(
    source: str,
    broken: str,
    api: FakeApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The hazard of a key read from a file: HTTP libraries quote the header that they refuse."""
    monkeypatch.setenv("OPENAI_API_KEY" if source.startswith("openai") else "ANTHROPIC_API_KEY", broken)
    writer = source.replace("URL", f"{api.url}/v1")
    with pytest.raises(SystemExit) as done:
        cli.main(["make", "--n", "3", "--out", str(tmp_path / "run"), "--workers", "1", "--writer", writer])
    shown = capsys.readouterr().err
    assert done.value.code == 1
    assert "holds a character that no key has" in shown
    assert "sk-ant" not in shown
    assert not api.asked


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret-0123@host/v1#model",
        "http://secret-0123@host/v1#model",
        "http://host/v1?key=secret-0123#model",
        "http://host/v1/sk-secret-0123456/openai#model",
        "http://host/v1#sk-secret-0123456#model",
        f"http://host/{OPENAI_KEY}/v1#model",
        "http://host/sk-secret-0123456/v1",
    ],
)
def test_a_url_with_a_key_is_refused_before_anything_is_written(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
    with pytest.raises(SystemExit) as done:
        cli.main(["make", "--n", "3", "--out", str(tmp_path / "run"), "--writer", f"openai:{url}"])
    assert done.value.code == 2
    shown = capsys.readouterr()
    assert "secret-0123" not in shown.out + shown.err
    assert OPENAI_KEY not in shown.out + shown.err
    assert not (tmp_path / "run").exists()


def test_a_url_that_only_looks_odd_is_taken() -> None:
    assert parse_writer("openai:http://10.0.0.7:8000/key-management/v1#org/model-7b").model == "org/model-7b"
    with pytest.raises(UsageError, match="password"):
        parse_writer("openai:http://host/v1?key=x#model")


def test_a_fault_of_ours_shows_its_traceback_without_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)

    def broken(*_: Any) -> None:
        raise AssertionError(f"headers: {OPENAI_KEY}")

    monkeypatch.setattr("storygen.pipeline.make", broken)
    with pytest.raises(SystemExit) as done:
        cli.main(["make", "--n", "3", "--out", str(tmp_path / "run"), "--workers", "1"])
    assert done.value.code == 1
    shown = capsys.readouterr().err
    assert "AssertionError: headers: [key]" in shown
    assert OPENAI_KEY not in shown


def test_what_looks_like_a_key_is_not_repeated_and_prose_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
    assert keys.scrub(f"bad sk-ant-api03-abcdefgh, {OPENAI_KEY}, Bearer x.y") == "bad [key], [key], [key]"
    assert keys.hide(f"the bearer of bad news, {OPENAI_KEY}") == "the bearer of bad news, [key]"
    monkeypatch.setenv("OPENAI_API_KEY", 'quote"key-77')
    assert keys.hide('{"message": "quote\\"key-77"}') == '{"message": "[key]"}'
    monkeypatch.setenv("OPENAI_API_KEY", "abc def")
    with pytest.raises(WriterError, match="OPENAI_API_KEY holds a character"):
        keys.check("OPENAI_API_KEY")
