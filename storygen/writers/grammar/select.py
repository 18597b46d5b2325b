"""Which beats of a plan are told, so that a text comes out at about the length that its premise asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from storygen.writers.grammar.beats import ANSWERS, CASE, PAIRS
from storygen.writers.grammar.library import Beat, Paragraph

Chosen = list[tuple[Paragraph, list[Beat]]]

_ASKING = ("Q", "q", "host", "chair", "user")
_SAYING = ("guest", "pro", "gloss", "p")  # who goes on when a document needs more argument
_RUNNING = ("narrator", "stamp", "item", "card")  # labels that any paragraph of their forms can bear
_BEFORE = ("end", "situation")  # a story is filled before its trouble and before its end

# What a long text is filled with: the work of the place, more of the argument, more counsel.
PLACE = ("detail routine", "routine detail", "detail routine")
BARE = ("detail routine", "routine g.scene", "detail g.scene")  # for the arms without reasons
ARGUMENT = ("argue", "objection answer", "argue", "inside", "objection answer", "argue", "meets", "image")
COUNSEL = ("balance", "other", "balance")
STEPS = ("suggest", "words")


def select(
    plan: Sequence[Paragraph], target: int, mean: Callable[[Beat], float], wanted: Callable[[Beat], bool], rng: Random
) -> Chosen:
    """The beats that stand. Beats of rank 0 always do; the others in the order of their ranks, as length allows.

    `mean` is a beat's length in words, `wanted` whether this text may hold it at all. A case comes in as a whole, an
    objection with its answer, a question exactly when what answers it does.
    """
    keep: list[list[Beat | None]] = [[None] * len(paragraph.beats) for paragraph in plan]
    units: dict[tuple[int, str], list[tuple[int, int, Beat]]] = {}
    turn = dict.fromkeys(PAIRS, 0)
    total = 0.0
    for p, paragraph in enumerate(plan):
        for b, beat in enumerate(paragraph.beats):
            if not wanted(beat) or (b + 1 < len(paragraph.beats) and _leads(beat, paragraph.beats[b + 1])):
                continue
            turn[beat.name] = turn.get(beat.name, 0) + 1
            opens = ANSWERS.get(beat.name, beat.name)
            unit = "case" if beat.name in CASE else f"{opens}{turn[beat.name]}"
            units.setdefault((beat.rank, unit), []).append((p, b, beat))
            if b and _leads(paragraph.beats[b - 1], beat):
                units[beat.rank, unit].append((p, b - 1, paragraph.beats[b - 1]))
    optional = []
    for (rank, _), members in units.items():
        size = sum(mean(beat) for _, _, beat in members)
        if rank == 0:
            total += size
            _keep(keep, members)
        else:
            optional.append((rank + rng.random() * 0.9, size, members))
    for _, size, members in sorted(optional, key=lambda o: o[0]):
        if total + size * 0.5 > target:
            break
        _keep(keep, members)
        total += size
    out = [(paragraph, [b for b in row if b]) for paragraph, row in zip(plan, keep, strict=True)]
    for k in range(len(out) - 2, -1, -1):
        paragraph = out[k][0]
        if paragraph.label in _ASKING and all(b.name[:2] in ("f.", "g.") for b in paragraph.beats):
            out[k] = (paragraph, [b for b in paragraph.beats if wanted(b)] if out[k + 1][1] else [])
    return out


def _leads(frame: Beat, beat: Beat) -> bool:
    """Whether a frame only leads into the beat behind it, and stands or falls with it."""
    return frame.name[:2] in ("f.", "g.") and beat.name[:2] not in ("f.", "g.") and 0 < frame.rank == beat.rank


def _keep(keep: list[list[Beat | None]], members: Sequence[tuple[int, int, Beat]]) -> None:
    for p, b, beat in members:
        keep[p][b] = beat


def length(chosen: Chosen, mean: Callable[[Beat], float]) -> float:
    return sum(mean(beat) for _, beats in chosen for beat in beats)


def fill(
    out: Chosen, missing: float, mean: Callable[[Beat], float], cycle: Sequence[str], kind: str, labels: Sequence[str]
) -> Chosen:
    """`out` with paragraphs out of `cycle` put in until some `missing` words are made up, where they do no harm.

    `labels` are those of the form: a speaker goes on in its own name.
    """
    spots = [len(out) - 1]
    named = [""]
    if kind == "advice":
        spots = [max((k for k, (_, bs) in enumerate(out) if any(b.name == "suggest" for b in bs)), default=1)]
        if out[spots[0]][0].label:
            spots[0] += 1
    elif kind == "story":
        found = [next((k for k, (_, beats) in enumerate(out) if any(b.name == n for b in beats)), 0) for n in _BEFORE]
        # Not between a question and its answer.
        spots = [max(1, k - (out[k][0].label == "A")) for k in found]
        named = [out[k][0].label if k < len(out) and out[k][0].label in _RUNNING else "" for k in spots]
    elif cycle is ARGUMENT:
        named = [next((label for label in _SAYING if label in labels), "")]
    extra: list[Chosen] = [[] for _ in spots]
    for turn in range(12):
        if missing <= 15:
            break
        beats = [Beat(name) for name in cycle[turn % len(cycle)].split()]
        missing -= sum(mean(b) for b in beats) or 12
        at = turn % len(spots)
        extra[at].append((Paragraph((), named[at]), beats))
    for spot, added in sorted(zip(spots, extra, strict=True), key=lambda pair: -pair[0]):
        out[spot:spot] = added
    return out
