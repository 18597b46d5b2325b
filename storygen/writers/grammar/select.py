"""Which beats of a plan are told, so that a text comes out at about the length that its premise asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from storygen.writers.grammar.beats import ANSWERS, CASE, PAIRS
from storygen.writers.grammar.library import Beat, Paragraph

Chosen = list[tuple[Paragraph, list[Beat]]]
Place = tuple[int, int, Beat]  # paragraph, beat in it

_ASKING = ("Q", "q", "host", "chair", "user")
_SAYING = ("guest", "pro", "gloss", "p")  # who goes on when a document needs more argument
_RUNNING = ("narrator", "stamp", "item", "card")  # labels that any paragraph of their forms can bear
_BEFORE = ("situation",)  # a story is filled before its trouble: later the place is in its way

# What a long text is filled with: the work of the place, more of the argument, more counsel.
PLACE = ("detail routine", "routine detail", "detail routine")
BARE = ("detail routine", "routine g.scene", "detail g.scene")  # for the arms without reasons
ARGUMENT = (
    "argue",
    "objection answer",
    "argue",
    "inside",
    "g.concede doubt",
    "argue",
    "objection answer",
    "meets",
    "image",
)
COUNSEL = ("balance", "other", "balance")
STEPS = ("suggest", "words")


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan taken apart, once: what always stands, and what comes in as length allows, in units by rank."""

    plan: tuple[Paragraph, ...]
    always: tuple[Place, ...]
    optional: tuple[tuple[int, tuple[Place, ...]], ...]
    asking: tuple[tuple[int, tuple[Beat, ...]], ...]  # paragraphs that only ask, last first, and all they could say


def outline(plan: Sequence[Paragraph], wanted: Callable[[Beat], bool]) -> Outline:
    """`plan` as units; `wanted` says whether a text may hold a beat at all.

    A case comes in as a whole, an objection with its answer, a frame with what it leads into.
    """
    units: dict[tuple[int, str], list[Place]] = {}
    turn = dict.fromkeys(PAIRS, 0)
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
    asking = [
        (k, tuple(b for b in plan[k].beats if wanted(b)))
        for k in range(len(plan) - 2, -1, -1)
        if plan[k].label in _ASKING and all(b.name[:2] in ("f.", "g.") for b in plan[k].beats)
    ]
    return Outline(
        tuple(plan),
        tuple(place for (rank, _), places in units.items() if rank == 0 for place in places),
        tuple((rank, tuple(places)) for (rank, _), places in units.items() if rank),
        tuple(asking),
    )


def select(given: Outline, target: int, mean: Callable[[Beat], float], rng: Random) -> Chosen:
    """The beats that stand. Those of rank 0 always do; the others in the order of their ranks, as length allows.

    `mean` is a beat's length in words. A question stands exactly when what answers it does.
    """
    keep: list[list[Beat | None]] = [[None] * len(paragraph.beats) for paragraph in given.plan]
    for p, b, beat in given.always:
        keep[p][b] = beat
    total = sum(mean(beat) for _, _, beat in given.always)
    for _, places in sorted(((rank + rng.random() * 0.9, unit) for rank, unit in given.optional), key=lambda o: o[0]):
        size = sum(mean(beat) for _, _, beat in places)
        if total + size * 0.5 > target:
            break
        for p, b, beat in places:
            keep[p][b] = beat
        total += size
    out = [(paragraph, [b for b in row if b]) for paragraph, row in zip(given.plan, keep, strict=True)]
    for k, beats in given.asking:
        out[k] = (out[k][0], list(beats) if out[k + 1][1] else [])
    return out


def _leads(frame: Beat, beat: Beat) -> bool:
    """Whether a frame only leads into the beat behind it, and stands or falls with it."""
    return frame.name[:2] in ("f.", "g.") and beat.name[:2] not in ("f.", "g.") and 0 < frame.rank == beat.rank


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
