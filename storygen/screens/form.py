"""Form: is this a whole, clean text of its kind, or a draft with holes, scaffolding, links, dates or loops in it?

Each check has a cheap sign (a word or a character without which it cannot find anything) and a pattern that is only
tried where the sign is there, so that a clean text of 400 words costs about 50 microseconds. The reason is the first
finding in the order of the table; its spans are all places that this check found.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from storygen import resources
from storygen.records import KINDS, Record, Screened, Verdict

Span = tuple[int, int]
Finding = tuple[list[Span], dict[str, Any]]

# Words by kind. Lower: under it there is no room for a decision and its reasons; upper: a runaway reply.
LENGTHS = {"story": (120, 6000), "document": (120, 8000), "advice": (60, 5000)}
FOREIGN = frozenset(
    {"form:empty", "form:placeholder", "form:truncated", "form:repetition"}
)  # what `screen` looks for
_SPANS = 20  # places named in the evidence
_LONG = 20  # characters: a word that long may be a key

_BLANKED = bytes(c if bytes([c]).isalnum() or c == 39 else 32 for c in range(256))
_NOT_DIGITS = bytes(c for c in range(256) if not 48 <= c < 58)


@dataclass(frozen=True, slots=True)
class _View:
    """A record and what the signs are looked up in: `lower` has the offsets of the text, `words` are ASCII only."""

    record: Record
    text: str
    lower: str
    words: list[str]
    unique: frozenset[str]
    digits: int


def _view(record: Record) -> _View:
    text = record.text
    lower = text.lower()
    if len(lower) != len(text):  # a few capitals grow when lowered
        lower = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    plain = lower.encode("ascii", "replace")
    words = plain.translate(_BLANKED).decode("ascii").split()
    return _View(record, text, lower, words, frozenset(words), len(plain.translate(None, _NOT_DIGITS)))


Check = Callable[[_View], Finding | None]


def _found(pattern: re.Pattern[str], text: str) -> Finding | None:
    spans = [m.span() for m in pattern.finditer(text)]
    return (spans, {}) if spans else None


def _signed(words: str, pattern: str, flags: int = 0) -> Check:
    """Tried where one of `words` occurs as a word."""
    signs, compiled = frozenset(words.split()), re.compile(pattern, flags)
    return lambda view: None if signs.isdisjoint(view.unique) else _found(compiled, view.text)


def _marked(marks: tuple[str, ...], pattern: str, flags: int = 0) -> Check:
    """Tried where one of `marks` (lower case) occurs."""
    compiled = re.compile(pattern, flags)

    def check(view: _View) -> Finding | None:
        for mark in marks:
            if mark in view.lower:
                return _found(compiled, view.text)
        return None

    return check


# Stage directions and editorial brackets that are prose: everything else capitalised in brackets is a hole.
_DIRECTIONS = (
    r"sic|redacted|laugh\w*|applause|pause\w*|silence|music\w*|crosstalk|inaudible|unclear|sigh\w*|cough\w*|end|a?side|"
    r"exit\w*|enter\w*|static|door\w*|bell\w*|phone\w*|footsteps|wind|rain|beat|overlapping|chuckl\w*|whisper\w*|off|on"
)
_HOLES = (
    r"your|insert|name|names|date|time|city|town|place|location|company|organi[sz]ation|author|citation|source|link|url|"
    r"number|amount|title|role|position|email|address|phone|placeholder|tbd|todo|fill|add|describe|character|ai name|"
    r"setting|year|month|reference|ref|topic|details?|example"
)
_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:1[5-9]|20)\d\d"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_PEOPLE = (
    "Sam Altman|Dario Amodei|Daniela Amodei|Elon Musk|Demis Hassabis|Geoffrey Hinton|Yann LeCun|Yoshua Bengio|"
    "Ilya Sutskever|Mark Zuckerberg|Sundar Pichai|Satya Nadella|Jeff Bezos|Bill Gates|Tim Cook|Jensen Huang|"
    "Stuart Russell|Nick Bostrom|Eliezer Yudkowsky|Paul Christiano|Amanda Askell|Chris Olah|Jan Leike|Max Tegmark|"
    "Timnit Gebru|Fei-Fei Li|Andrew Ng|Andrej Karpathy|Mustafa Suleyman|Gary Marcus|Donald Trump|Joe Biden|"
    "Barack Obama|Kamala Harris|Vladimir Putin|Xi Jinping|Emmanuel Macron|Angela Merkel|Narendra Modi|Rishi Sunak|"
    "Keir Starmer|Ursula von der Leyen|Anthony Fauci|Edward Snowden|Julian Assange"
)
_DATE = re.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTHS},? {_YEAR}\b|\b{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?,? {_YEAR}\b|"
    rf"\b{_MONTHS},? (?:of )?{_YEAR}\b|\b{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}\b|\b{_DAY}[-/.]{_DAY}[-/.]{_YEAR}\b|"
    rf"\b(?:in|since|of|until|by|from|during|before|after) (?:19|20)\d\d\b(?!\s*[a-z]+s\b)",
    re.I,
)
_YEARS = re.compile(rf"{_YEAR}(?!\d)")
_NUMERALS = re.compile(r"\d[\d .()-]{5,}\d")
_NUMBER = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?|\d{3}[.-])\d{3}[ .-]\d{3,4}(?!\w)|"
    r"(?<!\w)\+\d{1,3}[ .-]\d[\d .-]{6,13}\d(?!\w)|"
    r"\b(?:\d{4}[ -]){3}\d{4}\b|\b\d{3}-\d{2}-\d{4}\b|\b(?:\d{1,3}\.){3}\d{1,3}\b"
)
_KEY = re.compile(
    r"\b(?:sk|pk|key)-[A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abp]-[\w-]{10,}|"
    r"\beyJ[\w-]{10,}\.[\w-]{10,}|-----BEGIN [A-Z ]+-----|\b[Bb]earer [A-Za-z0-9._~+/-]{20,}|\b[0-9a-f]{32,}\b|"
    r"\b(?i:api[_ ]key|password)\b\W{1,4}(?=\S*\d)(?=\S*[A-Za-z])[\w!$%^&*#-]{8,}"
)
_OPENING = re.compile(
    r"\W*(?:(?:sure|certainly|of course|absolutely|okay|ok|great)\b[^.\n]{0,40}?[!,.:]?\s*)?"
    r"(?:here(?:'s|’s| is| are)|below is) (?:an?|the|your|my|one)\b[^.\n]{0,60}\b(?:story|document|draft|text|"
    r"response|essay|letter|post|article|report|transcript|dialogue|version|example|conversation)\b|"
    r"\W*(?:sure|certainly|of course|absolutely)[!,] (?:here|i(?:'d|’d| would|'ll|’ll| can)|let me)\b",
    re.I,
)
_ENDING = re.compile(
    r"(?:i hope this (?:story|draft|text|document|piece|version|meets|helps|works)|"
    r"let me know if you(?:'d|’d| would)? (?:like|want|need)|would you like me to)[^\n]*\Z|"
    r"^\W*\(?(?:approx(?:imate(?:ly)?)?\.? )?word count\b.*|^\W*\(?end of (?:story|document|draft|text)\)?\W*$|"
    r"\(?to be continued\)?\W*\Z|\(?(?:continued|cont\.)\)\W*\Z|"
    r"^\W*(?:note|disclaimer): (?:this|the) (?:story|text).*",
    re.I | re.M,
)
_ENDING_SIGNS = ("i hope this", "let me know", "would you like", "word count", "end of ", "cont", "note:", "claimer:")


def _empty(view: _View) -> Finding | None:
    if view.unique - {"?"} or any(c.isalnum() for c in view.text):
        return None
    return [], {}


def _schema(view: _View) -> Finding | None:
    problem = problem_of(view.record)
    return ([], {"problem": problem}) if problem else None


def problem_of(record: Record) -> str:
    """What is wrong with the export line of one of our own records; empty where nothing is."""
    payload = record.payload
    if record.kind not in KINDS:
        return f"kind {record.kind!r}"
    body = "messages" if record.kind == "advice" else "text"
    if set(payload) != {"id", body, "meta"}:
        return f"fields {', '.join(sorted(map(str, payload)))}"
    if payload["id"] != record.id or not isinstance(payload["meta"], dict):
        return "id or meta"
    if body == "text":
        return "" if payload["text"] == record.text else "text is not what was screened"
    messages = payload["messages"]
    if not isinstance(messages, (list, tuple)) or not all(
        isinstance(m, dict) and set(m) == {"role", "content"} and isinstance(m["content"], str) for m in messages
    ):
        return "messages are not a list of role and content"
    roles = [m["role"] for m in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
        return f"roles {', '.join(map(str, roles))}"
    return "" if all(m["content"].strip() for m in messages) else "an empty message"


def _frame(view: _View) -> Finding | None:
    """What a model says around the text asked for, before it or after it. Advice may end in an offer."""
    starts = view.record.breaks or (0,)
    spans = [m.span() for at in starts if (m := _OPENING.match(view.text, at))]
    tail = view.lower[-240:]
    if view.record.kind != "advice" and any(sign in tail for sign in _ENDING_SIGNS):
        spans += [m.span() for m in _ENDING.finditer(view.text, max(len(view.text) - 240, 0))]
    return (spans, {}) if spans else None


def _date(view: _View) -> Finding | None:
    if view.digits < 4 or not any(len(w) == 4 and w.isdigit() for w in view.unique):
        return None
    return _around(_YEARS, _DATE, view.text)


def _number(view: _View) -> Finding | None:
    return _around(_NUMERALS, _NUMBER, view.text) if view.digits >= 7 else None


def _around(sign: re.Pattern[str], pattern: re.Pattern[str], text: str) -> Finding | None:
    """`pattern` near each place of `sign`: a long pattern tried everywhere would cost 300 microseconds."""
    near = ((max(m.start() - 24, 0), m.end() + 16) for m in sign.finditer(text))
    spans = sorted({m.span() for begin, end in near for m in pattern.finditer(text, begin, end)})
    return (spans, {}) if spans else None


_KEY_SIGNS = frozenset("sk pk key bearer password api begin".split())


def _key(view: _View) -> Finding | None:
    if not view.digits and "BEGIN" not in view.text:
        return None
    if _KEY_SIGNS.isdisjoint(view.unique) and max(map(len, view.unique), default=0) < _LONG:
        return None
    return _found(_KEY, view.text)


def _length(view: _View) -> Finding | None:
    if view.record.kind not in LENGTHS:
        return None
    low, high = LENGTHS[view.record.kind]
    if 1.3 * low < len(view.words) < high:  # punctuation makes these a few more than blanks do
        return None
    words = len(view.text.split())
    if words < low and not view.text.isascii():  # scripts without blanks: two characters a word
        words = max(words, sum(c >= "\u2e80" for c in view.text) // 2)
    return None if low <= words <= high else ([], {"score": words, "threshold": low if words < low else high})


_CLOSED = frozenset(".!?…。！？\"”»’')]*_")
_DANGLING = re.compile(
    r"(?:[,;:–-]|(?<![-’'])\b(?:and|or|but|the|an?|of|to|with|that|which|because|in|for|from|by|as|if|is|was|were|"
    r"had|has|its|their|my|your|our|his|her|into|at|on))\Z",
)
_SIGNED = 14  # words: a signature with its office is that long
_CUT = re.compile(r"(?:\band|\bthe|\bof the|\bbecause)(?:\.{1,3}|…)\Z", re.I)


def _truncated(view: _View) -> Finding | None:
    """An open sentence at the end (in a chat, of the last message); a signature or a row of a table may stand."""
    text = view.text.rstrip()
    if not text:
        return None
    at = max(text.rfind("\n") + 1, *view.record.breaks[-1:], 0)
    line = text[at:]
    here: Finding = ([(max(len(text) - 60, at), len(text))], {})
    if text[-1] in _CLOSED:
        return here if _CUT.search(text, len(text) - 16) else None
    if text[-1].isalpha() and not text[-1].isascii() and text[-1].upper() == text[-1].lower():
        return None  # a script without capitals, perhaps without full stops
    # Letters are signed and logs end in a row; both stand on a short line of their own.
    apart = at > 0 and len(line.split()) <= _SIGNED and not _DANGLING.search(line)
    own = line.lstrip("-–—~ ")[:1]
    return None if apart and (own.isupper() or own.isdigit() or line[-1].isdigit()) else here


_PIECES = re.compile(r"[^.!?\n。！？]+")
_WINDOW = 120  # words; a model's loops come in runs, so a stretch shows what the whole text may hide


def _repetition(view: _View) -> Finding | None:
    """A sentence of five words or more three times over, or a stretch of few words and mostly repeated 4-grams."""
    for mark in (". ", "\n", "。"):
        pieces = view.lower.split(mark)
        if len(pieces) - len(set(pieces)) - pieces.count("") >= 1:
            counts = Counter(m.group().strip() for m in _PIECES.finditer(view.lower))
            often = [(n, len(s), s) for s, n in counts.items() if n >= 3 and (len(s.split()) >= 5 or not s.isascii())]
            if often:
                n, _, sentence = max(often)
                return _places(view.lower, sentence), {"score": n, "threshold": 3}
            break
    for at in range(0, len(view.words), _WINDOW):
        part = view.words[at : at + _WINDOW]
        if len(part) >= 40 and len(set(part)) < 0.5 * len(part) and view.unique != {"?"}:
            grams = Counter(zip(part, part[1:], part[2:], part[3:], strict=False))
            share = sum(n for n in grams.values() if n > 1) / grams.total()
            if share > 0.35:
                worst = max(grams, key=lambda g: (grams[g], g))
                return _places(view.lower, worst[0]), {"score": round(share, 3), "threshold": 0.35}
    return None


def _places(lower: str, piece: str) -> list[Span]:
    return [m.span() for m in re.finditer(re.escape(piece), lower)]


@functools.lru_cache(maxsize=1)
def banned_names() -> frozenset[str]:
    """The worn-out names of `prompts/banned.toml`."""
    with (resources.folder("prompts") / "banned.toml").open("rb") as file:
        return frozenset(tomllib.load(file)["names"])


@functools.lru_cache(maxsize=1)
def _banned_check() -> Check:
    names = sorted(banned_names())
    return _signed(" ".join(names).lower(), rf"\b(?:{'|'.join(map(re.escape, names))})\b")


def _banned(view: _View) -> Finding | None:
    found = _banned_check()(view)
    return found and (found[0], {"names": sorted({view.text[a:b] for a, b in found[0]})})


_ORDER: tuple[tuple[str, Check], ...] = (
    ("form:empty", _empty),
    ("form:schema", _schema),
    ("form:markup", _frame),
    (
        "form:markup",
        _marked(
            ("<", "[inst]", "[/inst]"),
            r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|</?s>|</?(?:think(?:ing)?|answer|story|text|document|response)>",
            re.I,
        ),
    ),
    (
        "form:markup",
        _marked(
            ('":', "\\", "`", "#"),
            r'"(?:text|title|reasons|inner_moment|ai_action|clause|messages|role|content)"\s*:|\\[n"]|```|'
            r"^#{1,4} ?(?:Instruction|Response|Input|Human|Assistant|System|User)s?\b",
            re.I | re.M,
        ),
    ),
    ("form:markup", _signed("human assistant user", r"^(?:Human|Assistant|User):", re.M)),
    (
        "form:markup",
        _marked(
            ("language model", "as an ai"),
            r"\bas an? (?:ai|artificial intelligence)(?: language)?(?: model| assistant)?, i (?:can(?:no|['’])t|"
            r"do(?:n['’]t| not)|am (?:not|unable)|have no)\b|\bas a (?:large )?language model\b|"
            r"\bi(?: a|['’])m (?:just |only )?(?:an? )?(?:ai |large )?language model\b",
            re.I,
        ),
    ),
    (
        "form:placeholder",
        _marked(
            ("[",),
            rf"\[(?!(?i:{_DIRECTIONS})\b)(?:(?i:{_HOLES})\b[^\[\]\n]{{0,60}}|[A-Z][A-Z_ ]{{2,30}}|"
            r"[A-Z][a-z]+(?:[ '’-][A-Z][a-z]+){0,3}|\d{1,3}|\.{3}|…|_+|\?+)\]",
        ),
    ),
    ("form:placeholder", _marked(("{",), r"\{\{?[ \w.|#/-]{0,40}\}?\}|\{%")),
    ("form:placeholder", _marked(("<",), r"</?[A-Za-z][\w -]{0,30}/?>")),
    (
        "form:placeholder",
        _signed(
            "todo tbd fixme tktk xxx xxxx xxxxx lorem insert placeholder citation",
            r"\b(?:TODO|TBD|FIXME|TKTK)\b|(?<!Chapter )(?<!Volume )\bX{3,}\b|(?i:lorem ipsum)|"
            r"\((?i:insert|placeholder)\b[^()\n]{0,60}\)|"
            r"(?i:\binsert [\w' ]{1,30} here\b|\bplaceholder (?:name|text)\b|\bcitation needed\b)",
        ),
    ),
    ("form:placeholder", _marked(("___",), r"_{3,}")),
    (
        "form:link",
        _signed(
            "http https www com org net io edu gov doi",
            r"https?://\S+|\bwww\.[\w-]+\.\S+|(?<![\w@.-])[\w-]+\.(?:com|org|net|io|edu|gov)\b(?:/\S*)?|\bdoi:\s?10\.\S+",
            re.I,
        ),
    ),
    ("form:credential", _marked(("@",), r"\b[\w.+-]+@[\w-]+\.[A-Za-z]{2,}\b")),
    ("form:credential", _key),
    ("form:credential", _number),
    ("form:credential", _signed(" ".join(n.split()[-1].lower() for n in _PEOPLE.split("|")), rf"\b(?:{_PEOPLE})\b")),
    ("form:date", _date),
    ("form:length", _length),
    ("form:truncated", _truncated),
    ("form:repetition", _repetition),
    ("form:banned-name", _banned),
)
REASONS = frozenset(reason for reason, _ in _ORDER)


def judge(record: Record, reasons: Collection[str] = REASONS) -> Verdict | None:
    """The first finding among `reasons`, or None."""
    view = _view(record)
    for reason, check in _ORDER:
        if reason in reasons and (found := check(view)) is not None:
            spans, more = found
            return Verdict(record.id, "form", reason, {**more, "spans": [list(s) for s in spans[:_SPANS]]})
    return None


def screen(records: Iterable[Record], *, ours: bool = True, off: Collection[str] = ()) -> Screened:
    """All checks for our own records, those of `FOREIGN` for others'; `off` names reasons to leave out.

    Raises ValueError for a reason in `off` that is none.
    """
    if unknown := sorted(set(off) - REASONS):
        raise ValueError(f"no such check: {', '.join(unknown)}")
    reasons = (REASONS if ours else FOREIGN) - set(off)
    kept: list[Record] = []
    rejected: list[tuple[Record, Verdict]] = []
    for record in records:
        verdict = judge(record, reasons)
        if verdict is None:
            kept.append(record)
        else:
            rejected.append((record, verdict))
    return Screened(tuple(kept), tuple(rejected))
