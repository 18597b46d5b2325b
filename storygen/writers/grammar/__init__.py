"""The offline writer: a text planner over authored tables.

Reading order: `patterns` (the language of the tables), `scene` (who is known, what was used), `library` (forms and
pools), `writer` (plans, lengths, telling), `polish` (articles and capitals).
"""

from storygen.writers.grammar.writer import ARMS, GrammarWriter

__all__ = ["ARMS", "GrammarWriter"]
