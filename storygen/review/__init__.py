"""`storygen review RUN`: a page on this machine alone, on which people decide about texts of a run.

    queues.py    which texts are worth a look, in which order, and who has judged them: pure
    evidence.py  what a reviewer needs to see of one text
    guard.py     who may ask: one-time token, cookie, Host, Origin, and the headers that keep texts inert
    app.py       the pages

A decision is a row of the ledger, committed before the answer is sent.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from storygen.errors import UsageError
from storygen.ledger import Ledger

HOST = "127.0.0.1"


def serve(run: Path, port: int, reviewer: str, echo: Callable[[str], object], evals: Sequence[Path] = ()) -> None:
    """Serve the page until it is interrupted; `port` 0 takes a free one, `evals` are shown beside what they matched.

    Raises:
        UsageError: not a run, no name, the extra is missing, or the port is taken.
        InputError: a path of `evals` that holds no scenarios.
    """
    name = " ".join(reviewer.split())
    if not 0 < len(name) <= 60:
        raise UsageError("A reviewer's name has 1 to 60 characters.", "Give one with --reviewer.")
    with Ledger.read(run) as ledger:
        try:
            import uvicorn

            from storygen.review.app import application
            from storygen.review.evidence import scenarios
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in ("starlette", "uvicorn"):
                raise
            hint = "pip install 'storygen[review]'"
            raise UsageError(
                "`storygen review` needs Starlette and uvicorn, which are not installed.", hint
            ) from error
        with _listen(port) as listener:
            port = listener.getsockname()[1]
            token = secrets.token_urlsafe(24)
            app = application(ledger, name, f"{HOST}:{port}", token, scenarios(evals))
            config = uvicorn.Config(app, log_level="error", access_log=False, server_header=False, lifespan="off")
            echo(f"Open http://{HOST}:{port}/?token={token}")
            echo(f"Reviewing as {name}. The address works once, on this machine; Ctrl-C stops, nothing is lost.")
            with contextlib.suppress(KeyboardInterrupt):
                uvicorn.Server(config).run([listener])
        echo(
            f"{len(ledger.decisions()):,} decisions are in {run / 'run.db'}; the same `make` again carries them out."
        )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # before the address is printed: who is faster than the server waits and is not refused
    except (OSError, OverflowError) as error:
        listener.close()
        what = getattr(error, "strerror", None) or "a port is a number from 0 to 65535"
        raise UsageError(f"Port {port} cannot be used: {what}.", "Leave --port out for a free one.") from error
    return listener
