"""report.html in a real Chromium: answers, links from numbers to records, filters, hostile texts, accessibility."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser import chromium, serious
from playwright.sync_api import BrowserContext, Page, expect
from runs import HOSTILE, fake_run

from storygen import export, finish
from storygen.ledger import Ledger

N = 2_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = fake_run(tmp_path_factory.mktemp("report") / "run", N)
    with Ledger.read(folder) as ledger:
        export.export(ledger, folder)
        export.write_rejected(ledger, folder / "rejected.jsonl")
        finish.write_report(ledger)
    return folder


@pytest.fixture(scope="module")
def figures(run: Path) -> dict[str, int]:
    with Ledger.read(run) as ledger:
        counts = {str(stage): 0 for (stage,) in ledger.counts("stage")}
        for (stage, _), n in ledger.counts("stage", "state").items():
            counts[str(stage)] += n
    return counts


@pytest.fixture
def report(page: Page, run: Path) -> Page:
    page.goto((run / "report.html").as_uri())
    page.locator("#records tbody tr").first.wait_for()
    return page


def shown(page: Page) -> int:
    """How many records the table says it holds."""
    found = re.match(r"([\d,]+) record", page.locator("#records-status").inner_text())
    assert found
    return int(found[1].replace(",", ""))


def expect_shown(page: Page, count: int) -> None:
    """Wait until the table says that it holds so many records."""
    expect(page.locator("#records-status")).to_have_text(re.compile(rf"^{count:,} record"))


def test_the_first_screen_answers_four_questions(report: Page, figures: dict[str, int]) -> None:
    expect(report.locator("h1")).to_contain_text("clean against these signatures")
    expect(report.locator("#q-leaked")).to_contain_text(f"{figures['contamination']} dropped")
    expect(report.locator("#q-leaked")).to_contain_text("may still leak, at most about")
    expect(report.locator("#q-sure")).to_contain_text("95.3 % recall")
    expect(report.locator("#q-sure")).to_contain_text("95 % interval 88.5 % to 98.2 %")
    expect(report.locator("#q-weak")).to_contain_text("7 of 8 caught by the plot tier")
    expect(report.locator("#q-first li")).not_to_have_count(0)
    bottom = report.locator(".questions").bounding_box()
    assert bottom is not None
    assert bottom["y"] + bottom["height"] <= 800  # all of it without scrolling


def test_a_number_leads_to_its_records_and_an_id_to_its_text(report: Page, figures: dict[str, int]) -> None:
    report.get_by_role("list").get_by_role("link", name=str(figures["contamination"]), exact=True).click()
    expect_shown(report, figures["contamination"])
    expect(report.locator("#records")).to_be_in_viewport()
    report.locator("#records tbody button").first.click()
    expect(report.locator("dialog mark").first).to_be_visible()
    report.keyboard.press("Escape")
    expect(report.locator("dialog")).not_to_be_visible()
    report.go_back()
    report.go_forward()
    expect_shown(report, figures["contamination"])


def test_filter_search_and_sort_the_records(report: Page) -> None:
    everything = shown(report)
    report.locator("#records-column").select_option("kind")
    report.locator("#records-value").select_option(label="advice")
    advice = shown(report)
    assert 0 < advice < everything
    report.locator("#records-column").select_option("pressure")
    report.locator("#records-value").select_option(label="pressure-5")
    assert 0 < shown(report) < advice
    report.get_by_role("button", name="Remove the filter pressure").click()
    assert shown(report) == advice
    words = report.locator("#records thead button", has_text="words")
    words.click()
    column = report.locator("#records tbody td:last-child").all_inner_texts()
    assert column == sorted(column, key=lambda x: -int(x.replace(",", "")))
    report.locator("#records-q").fill("advice-0000003")
    assert shown(report) == 1


def test_every_count_of_the_heat_map_opens_that_many_records(report: Page) -> None:
    report.locator("#heat-rows").select_option("pressure")
    report.locator("#heat-columns").select_option("mode")
    for cell in report.locator("#heat td a").all()[:3]:
        count = int(cell.inner_text())
        cell.click()
        expect_shown(report, count)


def test_every_bar_of_a_histogram_opens_that_many_records(report: Page) -> None:
    for bar in report.locator("#scores svg a").all()[:40:9]:
        name = bar.get_attribute("aria-label") or ""
        bar.dispatch_event("click")
        expect_shown(report, int(name.split(" ")[0].replace(",", "")))


def test_a_family_opens_its_rejects_as_cards(report: Page) -> None:
    row = report.locator("#by-family tr", has_text="sabotage").filter(has_text="plot")
    count = int(row.locator("a").first.inner_text())
    row.locator("a").first.click()
    expect(report.locator("#rejects-cards article")).to_have_count(min(count, 12))
    for card in report.locator("#rejects-cards article").all():
        expect(card).to_contain_text("sabotage")
    expect(report.locator("#rejects-family")).to_have_value("sabotage")


def test_the_runs_folder_gives_the_texts_of_all_records(report: Page, run: Path) -> None:
    report.goto(report.url.split("#")[0] + "#records?text=story-0001600")
    report.locator("#records tbody button").first.click()
    expect(report.locator("dialog")).to_contain_text("not in this page")
    report.keyboard.press("Escape")
    report.locator("#records-folder").set_input_files(run)
    expect(report.locator("#records-list")).to_contain_text("texts at hand")
    report.locator("#records tbody button").first.click()
    line = next(json.loads(x) for x in _lines(run) if '"story-0001600"' in x)
    expect(report.locator("dialog .text")).to_contain_text(line["text"][:80])


def _lines(run: Path) -> list[str]:
    return [line for path in run.rglob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]


def test_hostile_texts_stay_text(context: BrowserContext, page: Page, run: Path) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto((run / "report.html").as_uri())
    title = page.title()
    for name in ("rejects", "nearest"):
        for body in HOSTILE.values():
            page.locator(f"#{name}-q").fill(body[:40] if "\u202e" not in body else "gnp.exe")
            first = page.locator(f"#{name}-cards article").first
            seen = body[:200].replace("\u202e", "U+202E").replace("\u202c", "U+202C").replace("\u200b", "U+200B")
            expect(first).to_contain_text(seen.replace("\u2066", "U+2066").replace("\u2069", "U+2069"))
    assert page.locator("main script, main img, main b:has-text('leaking'), main svg[onload]").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.title() == title
    assert [url for url in asked if not url.startswith("file:")] == []  # nothing is fetched, whatever a text asks for
    assert page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth"
    )  # a line of 1 MB does not widen the page


def test_marks_stand_where_the_evidence_says(report: Page, run: Path) -> None:
    """Offsets count characters, JavaScript counts UTF-16 units: the astral text tells them apart."""
    report.locator("#rejects-q").fill(HOSTILE["astral"][:20])
    expect(report.locator("#rejects-cards mark").first).to_have_text(HOSTILE["astral"][:10])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(context: BrowserContext, run: Path, scheme: str) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto((run / "report.html").as_uri())
    page.locator("#axes summary").first.click()
    assert serious(page) == []
    page.locator("#records tbody button").first.click()
    assert serious(page) == []


def test_by_keyboard_alone(report: Page) -> None:
    report.keyboard.press("Tab")
    expect(report.locator(".skip")).to_be_focused()
    report.locator("#q-first a").nth(1).focus()
    report.keyboard.press("Enter")
    expect(report.locator("#nearest")).to_be_in_viewport()
    sort = report.locator("#by-family thead button", has_text="came near")
    sort.focus()
    report.keyboard.press("Space")
    expect(report.locator("#by-family th[aria-sort='descending']")).to_have_text("came near")


def test_it_prints_without_its_controls(report: Page) -> None:
    report.emulate_media(media="print")
    expect(report.locator("nav")).not_to_be_visible()
    expect(report.locator("#rejects-q")).not_to_be_visible()
    expect(report.locator("h1")).to_be_visible()


def test_what_reviewers_decided_is_shown_and_leads_to_the_records(page: Page, tmp_path: Path) -> None:
    folder = fake_run(tmp_path / "run", 100, hostile=False)
    with Ledger.hold(folder) as ledger:
        leaks = list(ledger.rows("stage = 'contamination'", lines=False))
        for k, (row, ada, bo) in enumerate(
            zip(leaks, ("keep", "drop", "drop"), ("keep", "drop", "keep"), strict=False)
        ):
            ledger.decide(row.idx, "ada", ada, "<b>no AI in it</b>", "rejects", k)
            ledger.decide(row.idx, "bo", bo, "", "rejects", k)
        finish.write_report(ledger)
    page.goto((folder / "report.html").as_uri())
    review = page.locator("#review")
    expect(review).to_contain_text("3 texts judged by ada, bo. 1 reject let back in, 0 kept texts dropped")
    expect(review).to_contain_text("2 (67 %)")  # counts 1, 1, 1: agreement 2 / 3, chance 4 / 9, kappa 0.40
    expect(review).to_contain_text("0.40")
    expect(review).to_contain_text("<b>no AI in it</b>")
    review.get_by_role("link", name=leaks[0].id).click()
    expect_shown(page, 1)
    expect(page.locator("#records tbody")).to_contain_text("kept")


def test_without_a_browser_the_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("STORYGEN_CHROMIUM", raising=False)
    with pytest.raises(RuntimeError, match="apt-get install chromium"):
        chromium()


def test_fifty_thousand_records_are_one_page_under_five_megabytes(page: Page, tmp_path: Path) -> None:
    folder = fake_run(tmp_path / "large", 50_000, every=60)
    with Ledger.read(folder) as ledger:
        finish.write_report(ledger)
    assert (folder / "report.html").stat().st_size < 5_000_000
    page.goto((folder / "report.html").as_uri())
    assert shown(page) > 50_000
    page.locator("#records-q").fill("document-0031")
    assert shown(page) == 250
