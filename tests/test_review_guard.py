"""The review server from outside a browser: who is refused, what is refused, and what never becomes a decision."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from browser import Served
from runs import fake_run

from storygen import cli
from storygen.ledger import Ledger
from storygen.review.guard import HEADERS


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_run(tmp_path_factory.mktemp("guard") / "run", 200, hostile=False)


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[Served]:
    with Served(run) as served:
        yield served


class Client:
    """One HTTP client without a browser's manners: it sends what it is told."""

    def __init__(self, served: Served, cookie: str = "") -> None:
        self.served, self.cookie = served, cookie

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=30)
        own = f"127.0.0.1:{self.served.port}"
        sent = {"Host": own, "Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        if method == "POST":
            sent["Origin"] = f"http://{own}"
        connection.request(method, path, body.encode(), {k: v for k, v in {**sent, **headers}.items() if v})
        answer = connection.getresponse()
        found = answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        connection.close()
        return found


@pytest.fixture(scope="module")
def client(served: Served) -> Client:
    """The one that used the token; the cookie is what it got for it."""
    status, _, headers = Client(served).ask("GET", f"/?token={served.token}")
    assert status == 303
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    return Client(served, cookie.split(";")[0])


def decisions(run: Path) -> int:
    with Ledger.read(run) as ledger:
        return len(ledger.decisions())


def first_reject(run: Path) -> int:
    with Ledger.read(run) as ledger:
        return next(iter(ledger.rows("stage = 'contamination'", lines=False))).idx


def test_without_the_token_nothing_is_shown(served: Served, client: Client) -> None:
    stranger = Client(served)
    for path in ("/", "/q/rejects", "/static/review.js", "/?token=guess", f"/?token={served.token}x"):
        status, body, _ = stranger.ask("GET", path)
        assert status == 403
        assert "works once" in body
    assert stranger.ask("GET", "/", Cookie=f"storygen-{served.port}=guess")[0] == 403


def test_the_token_works_once_and_its_cookie_goes_on(served: Served, client: Client) -> None:
    assert Client(served).ask("GET", f"/?token={served.token}")[0] == 403
    assert client.ask("GET", "/")[0] == 200
    assert client.ask("GET", f"/?token={served.token}")[0] == 303  # the same browser opens the address again


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}"]
)
def test_another_host_name_is_refused(served: Served, client: Client, host: str) -> None:
    """DNS rebinding: a name of somebody else's that points to 127.0.0.1."""
    assert client.ask("GET", "/", Host=host.format(port=served.port))[0] == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1"])
def test_a_decision_from_another_page_is_refused(run: Path, client: Client, origin: str) -> None:
    before = decisions(run)
    path = f"/q/rejects/{first_reject(run)}"
    assert client.ask("POST", path, "choice=keep", Origin=origin)[0] == 403
    assert client.ask("POST", "/undo", Origin=origin)[0] == 403
    assert decisions(run) == before


def test_every_answer_has_the_strict_headers(client: Client) -> None:
    for path in ("/", "/q/rejects", "/nowhere", "/static/review.css"):
        headers = client.ask("GET", path)[2]
        assert {k.lower(): v for k, v in HEADERS.items()}.items() <= headers.items()
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]


def test_it_listens_on_loopback_alone(served: Served) -> None:
    listening = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
    own = [line.split()[1] for line in listening if line.split()[1].endswith(f":{served.port:04X}")]
    assert set(own) == {f"0100007F:{served.port:04X}"}


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/q/rejects/{other}", {"choice": "keep"}, 404),  # a text that is in another queue
        ("/q/rejects/9999999", {"choice": "keep"}, 404),  # no text at all: so also every planted leak
        ("/q/rejects/99999999999999999999999", {"choice": "keep"}, 404),
        ("/q/planted/1", {"choice": "keep"}, 404),
        ("/q/rejects/{idx}", {"choice": "export"}, 400),
        ("/q/rejects/{idx}", {"choice": "undo"}, 400),
        ("/q/rejects/{idx}", {}, 400),
        ("/q/rejects/{idx}", {"choice": "keep", "note": "x" * 4_001}, 400),
        ("/q/rejects/{idx}", {"choice": "keep", "note": "x" * 70_000}, 413),
    ],
)
def test_what_is_no_decision_leaves_no_row(
    run: Path, client: Client, path: str, form: dict[str, str], status: int
) -> None:
    before = decisions(run)
    with Ledger.read(run) as ledger:
        other = next(iter(ledger.rows("stage = 'form'", lines=False))).idx
    assert client.ask("POST", path.format(idx=first_reject(run), other=other), urlencode(form))[0] == status
    assert decisions(run) == before


def test_no_page_asks_for_a_file_of_the_machine(client: Client) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2Fapp.py", "/static/base.html"):
        assert client.ask("GET", path)[0] == 404


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as done:
        cli.main(["review", *arguments])
    assert done.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_a_missing_extra_is_a_sentence_and_the_pip_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = refused(capsys, str(run))
    assert "needs Starlette and uvicorn" in said
    assert "pip install 'storygen[review]'" in said


def test_bad_arguments_are_a_sentence(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    assert "is not a run" in refused(capsys, str(tmp_path))
    assert "1 to 60 characters" in refused(capsys, str(run), "--reviewer", "  ")
    assert "1 to 60 characters" in refused(capsys, str(run), "--reviewer", "x" * 61)
    assert "Port 70000 cannot be used" in refused(capsys, str(run), "--port", "70000")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} cannot be used" in refused(capsys, str(run), "--port", str(port))
