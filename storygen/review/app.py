"""The pages of the review: home, one record of a queue at a time, decide, undo."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from storygen import decisions
from storygen.ledger import Ledger
from storygen.report import leakage
from storygen.review import queues
from storygen.review.evidence import view
from storygen.review.guard import Guard

HERE = Path(__file__).parent
NOTE = 4_000  # characters of a note
BODY = 64 * 1024  # bytes of a form


def application(
    ledger: Ledger, reviewer: str, host: str, token: str, scenarios: Mapping[tuple[str, str], str]
) -> Starlette:
    """The app of one reviewer over one ledger. Handlers run one after another, so they share its connection."""
    desk = Desk(ledger, reviewer, scenarios)
    routes = [
        Route("/", desk.home),
        Route("/q/{queue}", desk.enter),
        Route("/q/{queue}/{idx:int}", desk.record),
        Route("/q/{queue}/{idx:int}", desk.decide, methods=["POST"]),
        Route("/undo", desk.undo, methods=["POST"]),
        Route("/static/{name}", _static),
    ]
    handlers: Mapping[Any, Any] = {HTTPException: desk.failed, sqlite3.Error: desk.failed}
    return Starlette(
        routes=routes, middleware=[Middleware(Guard, host=host, token=token)], exception_handlers=handlers
    )


async def _static(request: Request) -> Response:
    if (name := request.path_params["name"]) not in ("review.css", "review.js"):
        raise HTTPException(404, "There is no such file.")
    return FileResponse(HERE / "static" / name)


class Desk:
    """What the pages share: the ledger, the queues, and the templates."""

    def __init__(self, ledger: Ledger, reviewer: str, scenarios: Mapping[tuple[str, str], str]) -> None:
        self.ledger, self.reviewer, self.scenarios = ledger, reviewer, scenarios
        self.text_field = (ledger.get("settings") or {}).get("field", "")
        loader = jinja2.FileSystemLoader(HERE / "templates")
        self._pages = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._size = -1
        self._queues: dict[str, list[queues.Item]] = {}
        self._load()

    def _load(self) -> None:
        """Sort the run into queues, again if it has grown (a `make` may be going on)."""
        size = sum(n for (state,), n in self.ledger.counts("state").items() if state != "pending")
        if size != self._size:
            self._queues = queues.sort_out(self.ledger.rows("state != 'pending'", lines=False))
            self._size = size

    def _words(self) -> decisions.Words:
        return decisions.latest(self.ledger.decisions())

    def _page(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        common = {"folder": self.ledger.folder.resolve().name, "reviewer": self.reviewer}
        return HTMLResponse(self._pages.get_template(name).render(**common, **values), status)

    def _queue(self, request: Request) -> tuple[queues.Queue, queues.Filter, list[queues.Item], str]:
        """The queue of an address, its filter, the items that it takes, and the query that keeps the filter."""
        queue = queues.BY_NAME.get(request.path_params["queue"])
        if queue is None:
            raise HTTPException(404, "There is no such queue.")
        asked = queues.Filter.of(dict(request.query_params))
        items = self._queues[queue.name]
        matching = self._search(items, asked.q) if asked.q else None
        taken = [item for item in items if asked.takes(item, matching)]
        changed = {n: getattr(asked, n) for n in asked.__slots__ if getattr(asked, n) != getattr(queues.Filter(), n)}
        return queue, asked, taken, f"?{urlencode(changed)}" if changed else ""

    def _search(self, items: list[queues.Item], q: str) -> frozenset[int]:
        low = q.casefold()
        return frozenset(i.idx for i in items if low in i.id.casefold() or low in self.ledger.line(i.idx).casefold())

    async def home(self, request: Request) -> Response:
        self._load()
        words = self._words()
        shown = [
            {"queue": queue, "count": len(items), "judged": queues.judged(items, words, self.reviewer)}
            for queue in queues.QUEUES
            for items in [self._queues[queue.name]]
        ]
        failures = len(self.ledger.failures())
        return self._page(
            "home.html", queues=shown, review=leakage.review(self.ledger), failures=failures, done=words
        )

    async def enter(self, request: Request) -> Response:
        queue, asked, items, query = self._queue(request)
        item = queues.step(items, None, self._words(), self.reviewer, asked.status)
        if item is None:
            return self._page("done.html", queue=queue, asked=asked, count=len(items))
        return RedirectResponse(f"/q/{queue.name}/{item.idx}{query}", 303)

    async def record(self, request: Request) -> Response:
        queue, asked, items, query = self._queue(request)
        idx = request.path_params["idx"]
        if all(item.idx != idx for item in self._queues[queue.name]):
            raise HTTPException(404, "There is no such record in this queue.")
        row = next(self.ledger.rows("idx = ?", (idx,)))
        words = self._words()
        said = words.get(idx, {})
        everything = self._queues[queue.name]
        before = queues.step(items, idx, words, self.reviewer, "all", -1)
        after = queues.step(items, idx, words, self.reviewer, asked.status)
        return self._page(
            "record.html",
            queue=queue, asked=asked, query=query,
            view=view(self.ledger, row, self.text_field, self.scenarios, "whole" in request.query_params),
            own=said.get(self.reviewer),
            # What others said is shown once one has judged, so that agreement means something.
            others=[w for name, w in said.items() if name != self.reviewer] if self.reviewer in said else [],
            hidden=self.reviewer not in said and bool(said),
            place=next((k for k, item in enumerate(items, 1) if item.idx == idx), 0),
            count=len(items), judged=queues.judged(items, words, self.reviewer),
            before=before, after=after,
            choices={name: sorted({getattr(i, name) for i in everything} - {""})
                     for name in ("kind", "tier", "family", "reason")},
            statuses=queues.STATUSES,
            can_undo=self._last() is not None,
            clock=lambda at: time.strftime("%Y-%m-%d %H:%M", time.localtime(at)),
        )  # fmt: skip

    async def decide(self, request: Request) -> Response:
        """One decision, on disk before the answer; then the next record that is still to be judged."""
        queue, asked, items, query = self._queue(request)
        idx = request.path_params["idx"]
        form = await _form(request)
        choice, note = form.get("choice", ""), form.get("note", "").strip()
        if choice not in decisions.CHOICES:
            raise HTTPException(400, "A decision is keep, drop or unsure.")
        if len(note) > NOTE:
            raise HTTPException(400, f"A note has at most {NOTE:,} characters; nothing was decided.")
        # Planted leaks are in no queue, so that no click can touch one.
        if all(item.idx != idx for item in self._queues[queue.name]):
            raise HTTPException(404, "There is no such record in this queue.")
        self.ledger.decide(idx, self.reviewer, choice, note, queue.name, time.time())
        after = queues.step(items, idx, self._words(), self.reviewer, asked.status)
        return RedirectResponse(f"/q/{queue.name}{f'/{after.idx}' if after else ''}{query}", 303)

    async def undo(self, request: Request) -> Response:
        """Take back this reviewer's last word, and go back to its record."""
        last = self._last()
        if last is None:
            return RedirectResponse("/", 303)
        self.ledger.decide(last.idx, self.reviewer, "undo", "", last.queue, time.time())
        query = str(request.url.query)
        return RedirectResponse(f"/q/{last.queue}/{last.idx}{'?' + query if query else ''}", 303)

    def _last(self) -> decisions.Word | None:
        own = [said[self.reviewer] for said in self._words().values() if self.reviewer in said]
        own = [word for word in own if word.queue in queues.BY_NAME]
        return max(own, key=lambda word: word.number, default=None)

    async def failed(self, request: Request, error: Exception) -> Response:
        """What went wrong, in a sentence."""
        if isinstance(error, HTTPException):
            return self._page("failed.html", error.status_code, what=error.detail)
        what = f"The ledger cannot be used: {error}. If this was a decision, it is not saved; go back and try again."
        return self._page("failed.html", 503, what=what)


async def _form(request: Request) -> dict[str, str]:
    """The fields of an urlencoded form."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY:
            raise HTTPException(413, "That is too long; nothing was decided.")
    return {k: v[0] for k, v in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items()}
