"""The report of a run: `collect` gathers report.json from the ledger, `render` makes report.html of it."""

from storygen.report.collect import collect
from storygen.report.index import Index
from storygen.report.page import render

__all__ = ["Index", "collect", "render"]
