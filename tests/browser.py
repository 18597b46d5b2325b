"""A real Chromium for the tests of the pages: the machine's own, or Debian's, installed when that is possible.

No browser comes as a wheel. So: STORYGEN_CHROMIUM, else a Chromium or Chrome on the path, else (as root on a Debian
machine, such as a fresh container) `apt-get install chromium`, else a failure that says what to install.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split()

expect.set_options(timeout=30_000)  # machines may be busy; what is there sooner is not waited for


def chromium() -> str:
    """The path of a Chromium."""
    named = os.environ.get("STORYGEN_CHROMIUM")
    found = named or _on_path()
    if not found and shutil.which("apt-get") and os.geteuid() == 0:
        for command in ("update", "install -y --no-install-recommends chromium fonts-liberation"):
            subprocess.run(["apt-get", "-qq", *command.split()], check=False, stdout=subprocess.DEVNULL)
        found = _on_path()
    if not found:
        raise RuntimeError(
            "The tests of the pages need a Chromium and found none: install it (Debian: apt-get install chromium), "
            "or name one in STORYGEN_CHROMIUM."
        )
    return found


def _on_path() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")  # not the session's: while it is open no other test could run an event loop
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of one's own: its cookies are its own. Any error on a page fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    problems: list[str] = []
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield context
    context.close()
    assert not problems, problems


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def serious(page: Page) -> list[str]:
    """What axe-core finds on a page that is serious or critical, rule and element."""
    session = page.context.new_cdp_session(
        page
    )  # past the page's own security policy, which allows no script of ours
    session.send("Runtime.evaluate", {"expression": AXE_FILE_PATH.read_text(encoding="utf-8")})
    run = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})"
    answer = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
    found: list[dict[str, Any]] = answer["result"]["value"]["violations"]
    return [
        f"{rule['id']}: {node['html'][:120]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


class Served:
    """`storygen review` in a process of its own; `address` is what it printed."""

    def __init__(self, run: Path, reviewer: str = "ada", *more: str) -> None:
        command = [sys.executable, "-m", "storygen", "review", str(run), "--reviewer", reviewer, *more]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", first)
        assert found, first
        self.address, self.port, self.token = found.group(), int(found[1]), found[2]
        self.root = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """kill -9, and gone when this returns."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def press(page: Page, key: str) -> None:
    """Press a key that leads to another page, and wait until that is there."""
    with page.expect_navigation():
        page.keyboard.press(key)
