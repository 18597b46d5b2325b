"""The errors a user can meet. Each is one sentence and a hint; `cli.main` prints them without a traceback.

StorygenError
├── UsageError          exit 2: options, config or input that cannot be used
│   └── InputError      exit 2: a file that cannot be read as what it should be (names the line)
├── ShortRun            exit 1: the run ended with less than was asked, or a planted leak got through
├── FolderError         exit 1: disk full, read-only, not a run, held by another process
└── WriterError         exit 1: a writer that cannot go on (bad key, no credit, server gone)
"""

from __future__ import annotations


class StorygenError(Exception):
    """Base of all: `message` is one sentence, `hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(StorygenError):
    exit_code = 2


class InputError(UsageError):
    pass


class ShortRun(StorygenError):
    pass


class FolderError(StorygenError):
    pass


class WriterError(StorygenError):
    pass
