"""The tables of `run.db`, and the view by which a text is kept, rejected, dropped or pending."""

from __future__ import annotations

TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drafts (
    idx INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, cell TEXT NOT NULL, family TEXT NOT NULL,
    line TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS screened (
    idx INTEGER PRIMARY KEY, stage TEXT, reason TEXT, evidence TEXT, score REAL NOT NULL, nearest TEXT NOT NULL,
    signature BLOB);
CREATE TABLE IF NOT EXISTS duplicates (
    idx INTEGER PRIMARY KEY, reason TEXT NOT NULL, evidence TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS near (a INTEGER NOT NULL, b INTEGER NOT NULL, jaccard REAL NOT NULL, PRIMARY KEY (a, b))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (
    idx INTEGER PRIMARY KEY, kind TEXT NOT NULL, cell TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    idx INTEGER NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, at REAL NOT NULL, reply TEXT, problem TEXT,
    usage TEXT NOT NULL, usd REAL NOT NULL, batch TEXT, PRIMARY KEY (idx, step, attempt)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY, step TEXT NOT NULL, intent TEXT NOT NULL, remote TEXT, state TEXT NOT NULL,
    requests TEXT NOT NULL, reserved_usd REAL NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    number INTEGER PRIMARY KEY, idx INTEGER NOT NULL, reviewer TEXT NOT NULL, at REAL NOT NULL, choice TEXT NOT NULL,
    note TEXT NOT NULL, queue TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spare (idx INTEGER PRIMARY KEY);
CREATE INDEX IF NOT EXISTS decisions_idx ON decisions (idx, reviewer, number);
"""

# The final word on each text: the latest decision of each reviewer counts, one "drop" drops, else one "keep" keeps.
STATE = """
CREATE TEMP VIEW IF NOT EXISTS state AS
SELECT d.idx, d.id, d.kind, d.cell, d.family,
       COALESCE(s.stage, CASE WHEN u.idx IS NULL THEN NULL ELSE 'duplicates' END,
                CASE WHEN p.idx IS NULL THEN NULL ELSE 'quota' END) AS stage,
       COALESCE(s.reason, u.reason, CASE WHEN p.idx IS NULL THEN NULL ELSE 'quota:spare' END) AS reason,
       CASE WHEN s.reason IS NULL THEN u.evidence ELSE s.evidence END AS evidence,
       s.score, s.nearest, o.choice,
       CASE WHEN s.idx IS NULL THEN 'pending'
            WHEN p.idx IS NOT NULL THEN 'rejected'
            WHEN o.choice = 'keep' THEN 'kept'
            WHEN COALESCE(s.reason, u.reason) IS NOT NULL THEN 'rejected'
            WHEN o.choice = 'drop' THEN 'dropped'
            ELSE 'kept' END AS state
FROM drafts d LEFT JOIN screened s USING (idx) LEFT JOIN duplicates u USING (idx)
LEFT JOIN spare p USING (idx) LEFT JOIN (
    SELECT idx, MIN(choice) AS choice FROM (
        SELECT idx, choice, ROW_NUMBER() OVER (PARTITION BY idx, reviewer ORDER BY number DESC) AS last
        FROM decisions)
    WHERE last = 1 AND choice IN ('keep', 'drop') GROUP BY idx) o USING (idx);
"""
