"""`--dry-run` of a model writer: requests, tokens and price by pass, before anything is sent.

Prompts are the real ones of a sample of premises, their tokens counted from bytes; what a model will answer is not
known and is given as a range. The assumptions are constants here and are printed with the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storygen import stages
from storygen.records import AdviceDraft, DocumentDraft, Draft, Message, Premise, StoryDraft
from storygen.writers import parse_writer
from storygen.writers.money import Price
from storygen.writers.prompts import Prompt, Prompts
from storygen.writers.run import price_of, prompts_of

if TYPE_CHECKING:
    from storygen.settings import Settings

SAMPLE = 80  # premises whose prompts are built
BYTES_A_TOKEN = (
    4.2,
    3.0,
)  # English prose: older tokenizers, and those since Claude Opus 4.7, which make a third more
TOKENS_A_WORD = (1.4, 2.0)
FIELDS = {"draft": 220, "revise": 330, "judge": 110}  # tokens of an answer beside its prose
THOUGHT = {"draft": (200, 2_500), "revise": (300, 2_500), "judge": (50, 600)}  # tokens, of models that think
LOSS = (0.05, 0.20)  # of texts: refusals (2.6 % in one published run), lengths, the judge, the screens
CACHED = (
    0.98,
    0.30,
)  # share of requests that find the prefix in the cache; 30 to 98 % in batches, by the API's guide


@dataclass(frozen=True, slots=True)
class Pass:
    """One step of all texts, cheap and dear case: requests, tokens, USD (live)."""

    step: str
    requests: tuple[float, float]
    input: tuple[float, float]
    output: tuple[float, float]
    usd: tuple[float, float]
    worst: float  # USD of one request, batch, as it is reserved


def table(settings: Settings) -> str:
    """Lines for the terminal. Raises UsageError for a model whose price nobody knows."""
    writer, plan = parse_writer(settings.writer), stages.plan(settings.spec())
    cost = price_of(writer, settings)
    kinds = Counter(plan.locate(i)[0] for i in range(settings.n))
    templates = prompts_of(settings, plan, cost)
    step = max(1, settings.n // SAMPLE)
    sample = [plan.premise(i) for i in range(0, settings.n, step)][:SAMPLE]
    passes = [_pass(name, settings.n, sample, templates, cost) for name in _steps(settings)]
    lines = [
        f"{settings.n:,} records by {settings.writer}: "
        + ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
        + ". Nothing was sent.",
        f"  {'pass':<8} {'requests':>17} {'input tokens':>19} {'output tokens':>19}"
        + (f" {'live':>17} {'batch':>17}" if writer.paid else ""),
    ]
    for p in passes:
        lines.append(
            f"  {p.step:<8} {_range(p.requests):>17} {_range(p.input, _millions):>19} "
            f"{_range(p.output, _millions):>19}" + (_money(p.usd) if writer.paid else "")
        )
    total = (sum(p.usd[0] for p in passes), sum(p.usd[1] for p in passes))
    if writer.paid:
        lines.append(f"  {'all':<8} {'':>17} {'':>19} {'':>19}{_money(total)}")
        batch = writer.source == "anthropic-batch"
        share = 0.5 if batch else 1.0
        reserve = sum(p.worst for p in passes) * (1.0 if batch else 2.0)
        lines += [
            f"a kept record: ${total[0] * share / settings.n:.4f} to ${total[1] * share / settings.n:.4f}; "
            f"at the very worst ${reserve:.4f}, which is what --max-usd reserves while its requests are under way",
            f"prices of {cost.date}" + ("" if cost.date == "the config" else "; [prices] in --config overrides them"),
        ]
        if settings.max_usd is not None:
            fits = total[1] * share <= settings.max_usd
            lines.append(
                f"--max-usd {settings.max_usd:,.2f} " + ("is enough" if fits else "may stop the run before the end")
            )
    lines.append(
        f"assumed: {LOSS[0]:.0%} to {LOSS[1]:.0%} of texts lost and made up for, {TOKENS_A_WORD[0]} to "
        f"{TOKENS_A_WORD[1]} tokens a word"
        + (f", {CACHED[1]:.0%} to {CACHED[0]:.0%} of the prefix cached" if writer.paid else "")
        + (f", up to {THOUGHT['draft'][1]:,} tokens of thinking a text" if cost.thinks else "")
        + f"; prompts of {len(sample)} premises were built and measured"
    )
    return "\n".join(lines)


def _steps(settings: Settings) -> Sequence[str]:
    return ("draft", *(["revise"] if settings.revise else []), *(["judge"] if settings.judge else []))


def _pass(step: str, n: int, sample: Sequence[Premise], templates: Prompts, cost: Price) -> Pass:
    built = [_prompt(step, premise, templates) for premise in sample]
    requests = n / (1 - LOSS[0]), n / (1 - LOSS[1])
    prefix = len(templates.system.encode())
    usd, sent, made = [], [], []
    for k in (0, 1):
        rest = sum(p.size - prefix for p in built) / len(built) / BYTES_A_TOKEN[k]
        head = prefix / BYTES_A_TOKEN[k]
        words = 0.0 if step == "judge" else sum(p.words for p in sample) / len(sample)
        out = words * TOKENS_A_WORD[k] + FIELDS[step] + (THOUGHT[step][k] if cost.thinks else 0)
        one = cost.usd(
            {
                "input_tokens": int(rest),
                "output_tokens": int(out),
                "cache_read_input_tokens": int(head * CACHED[k]),
                "cache_creation_input_tokens": int(head * (1 - CACHED[k])),
            }
        )
        usd.append(requests[k] * one)
        sent.append(requests[k] * (rest + head))
        made.append(requests[k] * out)
    worst = sum(cost.worst(p.size, p.max_tokens, batch=True) for p in built) / len(built)
    return Pass(step, requests, (sent[0], sent[1]), (made[0], made[1]), (usd[0], usd[1]), worst)


def _prompt(step: str, premise: Premise, templates: Prompts) -> Prompt:
    if step == "draft":
        return templates.draft(premise)
    draft = _filler(premise)
    return templates.revise(premise, draft) if step == "revise" else templates.judge(premise, draft)


def _filler(premise: Premise) -> Draft:
    """A draft of the premise's length, for its size alone."""
    text = "seven l " * (premise.words // 2)
    fields: dict[str, Any] = {
        "title": "A title of five words",
        "reasons": (),
        "inner_moment": "",
        "ai_action": "",
        "clause": "",
    }
    if premise.kind == "advice":
        return AdviceDraft(**fields, messages=(Message(role="assistant", content=text),))
    return (StoryDraft if premise.kind == "story" else DocumentDraft)(**fields, text=text)


def _millions(value: float) -> str:
    return f"{value / 1e6:,.1f}M"


def _dollars(value: float) -> str:
    return f"${value:,.2f}" if value < 1_000 else f"${value:,.0f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _range(pair: tuple[float, float], form: Callable[[float], str] = _count) -> str:
    return f"{form(pair[0])} - {form(pair[1])}"


def _money(usd: tuple[float, float]) -> str:
    return f" {_range(usd, _dollars):>17} {_range((usd[0] / 2, usd[1] / 2), _dollars):>17}"
