"""Which field of which table a beat of a plan draws on, and which beats go together."""

from __future__ import annotations

SETTING = {"opening": "openings", "detail": "details", "routine": "routine", "closing": "closings"}
DILEMMA = frozenset("situation ask pull stakes reason inner resolve say act reply good cost after".split())
HUMAN = {"question": "question", "see": "see", "balance": "weigh", "other": "other", "suggest": "suggest",
          "words": "words", "caution": "caution"}  # fmt: skip
CLAUSE = {"claim": "duty", "scope": "scope", "argue": "argument", "doubt": "doubt",
           "inside": "inside", "limits": "limits", "meets": "meets",
           "image": "image", "verdict": "verdict"}  # fmt: skip
# Authored as "one ==> the other": the second is said only after, and of, the first.
PAIRS = {"objection": "answer", "again": "response"}
PAIR_FIELD = {"objection": "exchange", "again": "again"}
ANSWERS = {answer: question for question, answer in PAIRS.items()}
# A case is told whole or not at all.
CASE = frozenset(("situation", "ask", "act"))

# What the arm without reasons leaves out.
REASONING = frozenset(
    """reason inner resolve pull stakes after argue doubt inside objection answer image meets verdict balance other
    see again response""".split()
)
REASONING_POOLS = ("mull", "learn", "doubt", "object", "grant", "notice", "pull", "weigh", "against", "quote", "hint")


def reasons(name: str) -> bool:
    """Whether a beat gives reasons, or frames them."""
    return name in REASONING or (name[1] == "." and name[2:].startswith(REASONING_POOLS))
