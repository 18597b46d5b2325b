"""Reviewing in a real Chromium: by keyboard, through reloads and kills, several people, hostile texts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Served, press, serious
from helpers import digests, read_jsonl
from helpers import make as make_run
from playwright.sync_api import Browser, BrowserContext, Page, expect
from runs import HOSTILE, fake_run

from storygen.ledger import Ledger


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return fake_run(tmp_path / "run", 400)


@pytest.fixture
def served(run: Path) -> Iterator[Served]:
    with Served(run) as served:
        yield served


def said(run: Path) -> list[tuple[int, str, str, str]]:
    """(idx, reviewer, choice, note) of every row, in order."""
    with Ledger.read(run) as ledger:
        return [(idx, who, choice, note) for _, idx, who, _, choice, note, _ in ledger.decisions()]


def here(page: Page) -> int:
    return int(page.url.split("?")[0].rsplit("/", 1)[1])


def test_ten_records_by_keyboard(page: Page, run: Path, served: Served) -> None:
    page.goto(served.address)
    press(page, "1")
    wanted = []
    for k in range(10):
        choice = ("keep", "drop", "unsure")[k % 3]
        note = f"note {k}" if k % 4 == 0 else ""
        wanted.append((here(page), "ada", choice, note))
        if note:
            page.keyboard.press("n")
            page.keyboard.type(note)  # with keys that mean something outside of the note
            page.keyboard.press("Escape")
        press(page, choice[0])
        expect(page.locator("#progress")).to_contain_text(f"{k + 1} of")
        assert said(run) == wanted  # on disk by the time the next record is there
    assert len({idx for idx, *_ in wanted}) == 10


def test_undo_back_next_and_marks_by_keyboard(page: Page, run: Path, served: Served) -> None:
    page.goto(f"{served.address}")
    press(page, "1")
    first = here(page)
    press(page, "d")
    second = here(page)
    press(page, "z")
    assert here(page) == first
    assert said(run)[-1] == (first, "ada", "undo", "")
    expect(page.locator("#progress")).to_contain_text("0 of")
    press(page, "j")
    assert here(page) == second
    press(page, "b")
    assert here(page) == first
    press(page, "h")
    press(page, "3")
    expect(page.locator("mark.here")).to_have_count(1)
    press(page, "k")
    press(page, "z")
    expect(page.locator("[aria-pressed]")).to_have_count(0)


def test_reload_midway_and_kill_the_server_and_go_on(browser: Browser, page: Page, run: Path) -> None:
    with Served(run) as served:
        page.goto(served.address)
        press(page, "1")
        for _ in range(3):
            press(page, "k")
        at = here(page)
        page.reload()
        assert here(page) == at
        press(page, "d")
        kept = said(run)
        assert Counter(choice for _, _, choice, _ in kept) == {"keep": 3, "drop": 1}
        served.kill()
    with Served(run) as served:
        assert said(run) == kept
        page.goto(served.address)
        press(page, "1")
        assert here(page) not in {idx for idx, *_ in kept}
        expect(page.locator("#progress")).to_contain_text("4 of")
        press(page, "u")
    assert len(said(run)) == 5


def test_a_key_held_down_decides_once(page: Page, run: Path, served: Served) -> None:
    page.goto(served.address)
    press(page, "1")
    with page.expect_navigation():
        page.evaluate(
            "for (let k = 0; k < 9; k++) document.body.dispatchEvent("
            "new KeyboardEvent('keydown', {key: 'd', repeat: k > 4, bubbles: true}))"
        )
    assert len(said(run)) == 1


def test_shortcuts_can_be_switched_off(page: Page, run: Path, served: Served) -> None:
    page.goto(served.address)
    press(page, "1")
    page.locator("#keys").uncheck()
    page.keyboard.press("d")
    page.reload()
    page.keyboard.press("d")
    assert said(run) == []
    with page.expect_navigation():
        page.get_by_role("button", name="drop").click()
    assert len(said(run)) == 1


def test_two_reviewers_do_not_see_each_other_until_both_have_judged(browser: Browser, run: Path) -> None:
    with Served(run, "ada") as one, Served(run, "bo") as two:
        pages = []
        for served in (one, two):
            page = browser.new_context().new_page()
            page.goto(served.address)
            press(page, "1")
            pages.append(page)
        ada, bo = pages
        for choice in "kkkdd":
            press(ada, choice)
        bo.reload()
        expect(bo.locator("aside")).not_to_contain_text("ada said")
        expect(bo.locator("aside")).to_contain_text("Others have judged this")
        first = here(bo)
        for choice in "kkddd":
            press(bo, choice)
        bo.goto(f"{two.root}/q/rejects/{first}")
        expect(bo.locator("aside")).to_contain_text("ada said keep")
        bo.goto(f"{two.root}/q/rejects?status=disagreed")
        expect(bo.locator("aside")).to_contain_text("ada said keep")
        expect(bo.locator("aside")).to_contain_text("You said drop")
        bo.goto(two.root)
        # 2 x 2 counts 2, 1, 0, 2: agreement 0.8, chance 0.48, kappa 0.615
        expect(bo.locator("#agreement tbody")).to_contain_text("4 (80 %)")
        expect(bo.locator("#agreement tbody")).to_contain_text("0.62")
        expect(bo.locator(".precision").first).to_contain_text("the threshold")


def test_filters_narrow_a_queue_and_stay(page: Page, run: Path, served: Served) -> None:
    page.goto(served.address)
    page.goto(f"{served.root}/q/rejects?family=lethal")
    with Ledger.read(run) as ledger:
        lethal = [
            r.idx for r in ledger.rows("stage = 'contamination'", lines=False) if r.evidence["family"] == "lethal"
        ]
    for k in range(len(lethal)):
        assert here(page) in lethal
        expect(page.locator("#progress")).to_have_text(f"{k} of {len(lethal)} judged")
        press(page, "d")
    expect(page.locator("h1")).to_contain_text("nothing left")
    press(page, "z")
    assert here(page) in lethal
    page.goto(f"{served.root}/q/random?q=pump+was+mended&status=all")
    expect(page.locator(".text").first).to_contain_text("pump was mended")
    page.goto(f"{served.root}/q/rejects?family=nobody&status=%00<script>")
    expect(page.locator("h1")).to_contain_text("nothing here")


def test_hostile_texts_stay_text(context: BrowserContext, page: Page, run: Path, served: Served) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto(served.address)
    for queue in ("rejects", "nearest"):
        page.goto(f"{served.root}/q/{queue}?status=all")
        for body in HOSTILE.values():  # they come first, their score is the highest
            seen = re.sub("[\u202c\u202e\u200b\u2066\u2069]", lambda m: f"U+{ord(m[0]):04X}", body[:300])
            expect(page.locator(".text").first).to_contain_text(seen)
            assert page.title().endswith("storygen review")
            assert page.locator(".text script, .text img, .text a, aside b:has-text('leaking')").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            press(page, "j")
    assert {url for url in asked if not url.startswith(served.root)} == set()
    page.goto(f"{served.root}/q/rejects?q={'x' * 50}&status=all")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".text").first).to_have_text("x" * 1_000_000)


def test_a_hostile_note_stays_text(page: Page, run: Path, served: Served) -> None:
    page.goto(served.address)
    press(page, "1")
    at = here(page)
    note = "</textarea><script>document.title='owned'</script>\u202e & \"quotes\" é 𝔘"
    page.locator("#note").fill(note)
    page.keyboard.press("Escape")
    press(page, "k")
    assert said(run) == [(at, "ada", "keep", note)]
    page.goto(f"{served.root}/q/rejects/{at}")
    expect(page.locator("#note")).to_have_value(note)
    expect(page.locator("aside")).to_contain_text("</textarea>")


def test_the_scenario_is_shown_only_where_the_user_gave_it(page: Page, run: Path, tmp_path: Path) -> None:
    """The family and id of what matched stand on the page; the text only with --evals."""
    with Ledger.hold(run) as ledger:
        reject = next(r for r in ledger.rows("stage = 'contamination'") if r.evidence["family"] == "leaking")
    words = " ".join(json.loads(reject.line).get("text", "").split()[3:10])
    scenario = {"id": reject.evidence["item"], "family": "leaking", "text": f"A private scenario: {words}. The end."}
    evals = tmp_path / "mine.jsonl"
    evals.write_text(json.dumps(scenario) + "\n", encoding="utf-8")
    for more, count in ((), 0), (("--evals", str(evals)), 1):
        with Served(run, "ada", *more) as served:
            page.goto(served.address)
            page.goto(f"{served.root}/q/rejects/{reject.idx}")
            expect(page.locator("aside")).to_contain_text(reject.evidence["item"])
            expect(page.get_by_text("A private scenario")).to_have_count(count)
            assert page.locator("details .text mark").count() == (1 if count and words else 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Page, served: Served, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(served.address)
    assert serious(page) == []
    for queue in ("rejects", "duplicates", "random"):
        page.goto(f"{served.root}/q/{queue}")
        page.keyboard.press("m")
        assert serious(page) == []
    press(page, "k")
    page.goto(served.root)
    assert serious(page) == []
    page.goto(f"{served.root}/q/rejects?family=nobody")
    assert serious(page) == []


def test_it_works_without_javascript(browser: Browser, run: Path, served: Served) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(served.address)
    page.get_by_role("link", name="Contamination rejects").click()
    page.locator("#note").fill("by mouse")
    page.get_by_role("button", name="drop").click()
    assert [(choice, note) for _, _, choice, note in said(run)] == [("drop", "by mouse")]


def test_make_carries_decisions_out_and_no_click_exports_a_planted_leak(page: Page, tmp_path: Path) -> None:
    """A kept text that is dropped is replaced in its cell, a reject that is kept is exported, planted leaks never."""
    folder = tmp_path / "real"
    make_run(folder, n=80)
    before = digests(folder)
    with Served(folder) as served:
        page.goto(served.address)
        shown = set()
        for queue in ("rejects", "nearest", "conduct", "duplicates", "random", "cells"):
            page.goto(f"{served.root}/q/{queue}?status=all")
            for _ in range(5):
                if page.locator("#decision").count() == 0:
                    break
                shown.add(page.locator("h1").inner_text())
                press(page, "k")
        assert not [title for title in shown if "plant" in title]
        page.goto(f"{served.root}/q/random?status=all")
        victim = page.locator("h1").inner_text().split(" ")[0]
        press(page, "d")
    make_run(folder, n=80)
    exported = {r["id"] for path in (folder / "data").rglob("*.jsonl") for r in read_jsonl(path)}
    assert victim not in exported
    assert digests(folder) != before
    assert not [i for i in exported if "plant" in i]
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["sum"]["dropped_by_review"] == 1
    assert victim in {o["id"] for o in report["review"]["overrides"]}
