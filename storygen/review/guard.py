"""Who may ask: the holder of the printed address, from this machine and this page; and no text of a corpus is run."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# No inline script or style, nothing from elsewhere, no frame around it: a text that became markup would do nothing.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers send "Origin: null" with this page's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_AGAIN = (
    "This page opens with the address that `storygen review` printed, which works once. Start it again for another."
)


class Guard:
    """ASGI middleware. `host` is the one address that may be asked for, like 127.0.0.1:8123.

    A Host that is another name is an attempt at DNS rebinding; a POST whose Origin is another page is an attempt at
    forging a decision.
    """

    def __init__(self, app: ASGIApp, host: str, token: str) -> None:
        self._app = app
        self._hosts = (host, host.replace("127.0.0.1", "localhost"))
        self._token: str | None = token
        self._name = f"storygen-{host.rpartition(':')[2]}"  # cookies do not know ports
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no web sockets here

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self._refuse(scope)
        await (refused or self._app)(scope, receive, send_guarded)

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in self._hosts:
            return PlainTextResponse("Unknown host.", 421)
        if scope["method"] not in ("GET", "HEAD") and headers.get("origin") != f"http://{host}":
            return PlainTextResponse("This request came from another page.", 403)
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if secrets.compare_digest(_cookie(headers, self._name).encode(), self._session.encode()):
            return RedirectResponse("/", 303) if token else None
        if self._token is None or not secrets.compare_digest(token.encode(), self._token.encode()):
            return PlainTextResponse(_AGAIN, 403)
        self._token = None
        response = RedirectResponse("/", 303)
        response.set_cookie(self._name, self._session, httponly=True, samesite="strict", path="/")
        return response


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
