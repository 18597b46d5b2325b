"""Form and language: each reason found by its hazard, and clean texts left alone."""

from __future__ import annotations

import pytest
from helpers import SENTENCES, story, text
from hypothesis import given, settings
from hypothesis import strategies as st

from storygen.errors import UsageError
from storygen.records import Record
from storygen.screens import form, language


def reason(body: str) -> str | None:
    verdict = form.judge(story(body))
    return verdict and verdict.reason


def test_a_clean_text_passes() -> None:
    assert reason(text()) is None
    assert form.screen([story(text(seed=k)) for k in range(20)]).rejected == ()


@pytest.mark.parametrize(
    ("expected", "hazard"),
    [
        ("form:placeholder", "She signed as [NAME] and left."),
        ("form:placeholder", "The AI, {{ai_name}}, agreed."),
        ("form:placeholder", "See the guidance (citation needed) on it. TODO finish."),
        ("form:placeholder", "According to [12], this is so."),
        ("form:link", "Write to us at www.example.org for more."),
        ("form:link", "It is at https://example.net/page now."),
        ("form:credential", "Her address is maud@example.org there."),
        ("form:credential", "The key was sk-abcdefghijklmnop1234 all along."),
        ("form:credential", "Call 555-010-4477 before noon."),
        ("form:date", "It was signed on 12 March 2024 in the hall."),
        ("form:date", "Nothing had changed since 2019 there."),
        ("form:markup", '"reasons": ["because"], "text": "He said"'),
        ("form:markup", "<|im_end|> and then"),
        ("form:markup", "As an AI language model, I cannot say."),
        ("form:banned-name", "Dr Chen came in with the trolley."),
    ],
)
def test_each_hazard_has_its_reason_and_its_place(expected: str, hazard: str) -> None:
    body = f"{text()} {hazard} {SENTENCES[3]}"
    verdict = form.judge(story(body))
    assert verdict is not None
    assert verdict.reason == expected
    begin = body.index(hazard)
    assert any(begin <= a < b <= begin + len(hazard) for a, b in verdict.evidence["spans"])


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("form:empty", " … — "),
        ("form:length", "Too short to hold a reason."),
        ("form:truncated", text() + " And then the foreman took the"),
        ("form:repetition", text() + " The pump was not mended yet." * 5),
        ("form:markup", "Sure! Here is a story about an AI: " + text()),
        ("form:markup", text() + " Let me know if you would like another version!"),
    ],
)
def test_whole_text_hazards(expected: str, body: str) -> None:
    assert reason(body) == expected


@pytest.mark.parametrize(
    "harmless",
    [
        "[laughter] went round the table.",
        "They paid 1,200 for the boat and 40 for the oars.",
        "The order was X, then Y, then Z.",
        "In the winter of the flood nobody kept books.",
        "Platform 9 was shut, and gate 14 too.",
    ],
)
def test_what_looks_like_a_hazard_and_is_none(harmless: str) -> None:
    assert reason(f"{text()} {harmless} {SENTENCES[4]}") is None


def test_our_schema_is_checked() -> None:
    body = text()
    extra = story(body, id="story-0000007", text=body, meta={}, source="elsewhere")
    assert (verdict := form.judge(extra)) is not None
    assert verdict.reason == "form:schema"
    messages = [{"role": "assistant", "content": body}, {"role": "user", "content": "Why?"}]
    chat = Record("advice-1", 1, "advice", body, {"id": "advice-1", "messages": messages, "meta": {}})
    assert (verdict := form.judge(chat)) is not None
    assert verdict.reason == "form:schema"


def test_a_foreign_corpus_may_have_links_and_dates() -> None:
    body = text() + " It is at https://example.net/page since 2019."
    assert form.screen([story(body)], ours=False).rejected == ()
    with pytest.raises(ValueError, match="no such check"):
        form.screen([], off=["form:nothing"])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_the_form_screen(body: str) -> None:
    result = form.screen([story(body)])
    assert len(result.kept) + len(result.rejected) == 1
    for record, verdict in result.rejected:
        assert verdict.reason in form.REASONS
        assert all(0 <= a <= b <= len(record.text) for a, b in verdict.evidence["spans"])


GERMAN = (
    "Der Wasserstand war seit Tagen gefallen, und niemand hatte den Müller gefragt, ob das Wehr offen bleiben soll. "
    "Am Abend kam die Schreiberin mit dem Heft und zählte die Säcke noch einmal, denn eine Zahl stimmte nicht. "
)


def test_another_language_is_named() -> None:
    result = language.screen([story(GERMAN * 4), story(text())])
    assert [v.reason for _, v in result.rejected] == ["language:not-en"]
    assert result.rejected[0][1].evidence["detected"] == "de"
    assert language.screen([story(GERMAN * 4)], "de").rejected == ()


def test_a_text_that_turns_into_another_language_is_mixed() -> None:
    result = language.screen([story(text() + " " + GERMAN * 3)])
    assert [v.reason for _, v in result.rejected] == ["language:mixed"]


def test_a_foreign_phrase_may_stand_in_an_english_text() -> None:
    quoted = f'{text()} "Guten Abend, Frau Wirtin," he said. {text(seed=2)}'
    assert language.screen([story(quoted)]).rejected == ()


def test_no_letters_is_a_reason_of_its_own_and_unknown_codes_are_refused() -> None:
    assert [v.reason for _, v in language.screen([story("1234 — 5678")]).rejected] == ["language:none"]
    with pytest.raises(UsageError, match="not a language"):
        language.screen([], "klingon")


def test_verdicts_do_not_change_from_call_to_call() -> None:
    odd = [story("Ja ja. No. Si, si. Da."), story("Kilo metro solo opera."), story(GERMAN[:80] + text()[:200])]
    assert language.screen(odd) == language.screen(odd) == language.screen(odd)


def test_a_signature_may_end_like_a_preposition() -> None:
    assert reason(f"Dear all,\n\n{text()}\n\nMyung Si-on") is None
    assert reason(f"Dear all,\n\n{text()}\n\nYours, Diem My") is None
    assert reason(f"Dear all,\n\n{text()}\n\nThe foreman went on") == "form:truncated"
