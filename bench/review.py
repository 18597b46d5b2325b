"""Review of 200 records by keyboard alone, with kill -9 of the server on the way: python bench/review.py [N].

Prints seconds a decision, and that every decision that was answered is in the ledger after each kill. The run is a
made-up one of 50,000 records (tests/runs.py); nothing here touches a real one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from browser import Served, launched, press
from runs import fake_run

from storygen import finish
from storygen.ledger import Ledger

KILL_EVERY = 50


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as scratch, launched() as browser:
        run = fake_run(Path(scratch) / "run", 50_000, every=60)
        done, seconds = 0, 0.0
        while done < count:
            page = browser.new_page()
            with Served(run) as served:
                page.goto(served.address)
                press(page, "1")  # the contamination rejects
                begin = time.perf_counter()
                for k in range(min(KILL_EVERY, count - done)):
                    press(page, "kdu"[k % 3])
                    done += 1
                seconds += time.perf_counter() - begin
                served.kill()
            page.close()
            with Ledger.read(run) as ledger:
                rows = ledger.decisions()
            assert len(rows) == done == len({idx for _, idx, *_ in rows}), (len(rows), done)
            print(f"{done} records judged by keyboard, server killed, {len(rows)} decisions in the ledger")
        print(f"{seconds / count:.3f} s a decision, page to page")
        with Ledger.read(run) as ledger:
            begin = time.perf_counter()
            finish.write_report(ledger)
        size = (run / "report.html").stat().st_size
        print(f"report of 50,000 records: {size / 1e6:.2f} MB, built in {time.perf_counter() - begin:.1f} s")
        page = browser.new_page()
        begin = time.perf_counter()
        page.goto((run / "report.html").as_uri())
        page.locator("#records tbody tr").first.wait_for()
        print(f"opened, drawn and listed in {time.perf_counter() - begin:.2f} s")
        begin = time.perf_counter()
        page.locator("#records-q").fill("document-00312")
        page.locator("#records-status", has_text="25 records").wait_for()
        print(f"search over all of them: {time.perf_counter() - begin:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
