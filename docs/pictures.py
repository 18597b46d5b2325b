"""The pictures of the pages in docs/, from a run that is there: python docs/pictures.py RUN [--to docs].

The report is built again. Reviewing happens on a copy of the ledger, with the decisions of two made-up reviewers, so
that progress, agreement and precision have something to show; the run itself stays as it is.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import Served, launched, press  # noqa: E402
from playwright.sync_api import Browser, Page  # noqa: E402

from storygen import finish  # noqa: E402
from storygen.ledger import Ledger  # noqa: E402

SIZE = {"width": 1280, "height": 800}
SECTIONS = ("planted", "contamination", "duplicates", "diversity", "coverage", "samples", "records")
JUDGED = {
    "ada": {"rejects": "dkdddkudddkd", "nearest": "kkkkkdkkkkuk"},
    "bo": {"rejects": "dddddkkudddd", "nearest": "kkkkkdkkkkkk"},
}


def report(browser: Browser, run: Path, to: Path) -> None:
    """report-summary in light and dark, report-<section> for the others."""
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce")
        page.goto((run / "report.html").as_uri())
        page.screenshot(path=to / f"report-summary{'-dark' if scheme == 'dark' else ''}.png")
        if scheme == "light":
            for section in SECTIONS:
                page.locator(f"#{section}").evaluate("node => node.scrollIntoView()")
                page.screenshot(path=to / f"report-{section}.png")
        page.close()


def review(browser: Browser, run: Path, to: Path) -> None:
    """review-record, review-duplicates and review-home, after two reviewers have judged some."""
    for reviewer, judged in JUDGED.items():
        with Served(run, reviewer) as served:
            page = browser.new_page(viewport=SIZE)
            page.goto(served.address)
            for queue, choices in judged.items():
                page.goto(f"{served.root}/q/{queue}")
                for choice in choices:
                    if page.locator("#decision").count():
                        press(page, choice)
            if reviewer == "bo":
                _pictures(page, served.root, to)
            page.close()


def _pictures(page: Page, root: str, to: Path) -> None:
    page.goto(f"{root}/q/rejects")
    if not page.locator("#decision").count():
        page.goto(f"{root}/q/nearest")
    page.screenshot(path=to / "review-record.png")
    page.goto(f"{root}/q/duplicates?status=all")
    page.screenshot(path=to / "review-duplicates.png")
    page.goto(root)
    page.screenshot(path=to / "review-home.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--to", type=Path, default=HERE)
    given = parser.parse_args()
    with Ledger.read(given.run) as ledger:
        finish.write_report(ledger)
    with tempfile.TemporaryDirectory() as scratch, launched() as browser:
        report(browser, given.run, given.to)
        copy = Path(scratch) / given.run.resolve().name
        copy.mkdir()
        source, target = sqlite3.connect(given.run / "run.db"), sqlite3.connect(copy / "run.db")
        source.backup(target)
        source.close()
        target.close()
        review(browser, copy, given.to)
    print(f"{len(list(given.to.glob('re*.png')))} pictures in {given.to}")


if __name__ == "__main__":
    main()
