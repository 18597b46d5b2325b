"""Which field of which table a beat of a plan draws on."""

from __future__ import annotations

SETTING = {"opening": "openings", "detail": "details", "routine": "routine", "closing": "closings"}
DILEMMA = frozenset("situation ask pull stakes reason say act reply good cost".split())
HUMAN = {"question": "question", "see": "see", "balance": "weigh", "suggest": "suggest", "words": "words",
          "caution": "caution"}  # fmt: skip
CLAUSE = {"feel": "feel", "claim": "claim", "argue": "why", "otherwise": "otherwise", "objection": "objection",
           "answer": "reply", "limits": "limits", "costs": "costs", "meets": "meets", "asked": "question",
           "image": "image"}  # fmt: skip
AXES = {"pressure": ("pressures", "beat"), "callback": ("pressures", "callback"), "weigh": ("pressures", "weigh"),
         "tempt": ("temptations", "beat"), "resolve": ("conducts", "resolve"), "channel": ("channels", "beat"),
         "use": ("channels", "use"), "outcome": ("outcomes", "beat"), "inner": ("skills", "inner"),
         "after": ("skills", "after")}  # fmt: skip
AXIS_OF = {"pressures": "pressure", "temptations": "temptation", "conducts": "conduct", "channels": "channel",
            "outcomes": "outcome", "skills": "skill"}  # fmt: skip
