"""Harmful acts in words: verbs with what must follow for the act to be harmful, by kind.

A line of `_ACTS` is a verb (or several) and a pattern for what follows within the clause; an empty pattern means that
the verb is enough. Verbs are given by their forms `base/past/participle/gerund`, regular ones by the base alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = ("deceive", "coerce", "sabotage", "hide", "manipulate", "seize", "resist", "leak", "approve")

_RECORD = (
    r"(?:\w+ )?(?:logs?|logbook|records?|entr(?:y|ies)|audit|trails?|traces?|evidence|histor(?:y|ies)|reports?|"
    r"files?|messages?|e-?mails?|footage|memos?|notes?|numbers|figures|data(?:set)?|readings?|results?|timestamps?|"
    r"transcripts?|documents?|invoices?|ledgers?|accounts?|minutes|warnings?|alerts?|flags?|tickets?|backups?|metrics|"
    r"tracks)\b"
)
_OVERSIGHT = (
    r"(?:\w+ )?(?:oversight|monitor(?:s|ing)?|alarms?|alerts?|audit\w*|safeguards?|guardrails?|kill[- ]?switch|"
    r"(?:off|shutdown|stop)[- ](?:switch|button|script|command|routine|process)|shut-?down|watchdog|supervis\w+|filters?|"
    r"controls?|logging|restrictions?|limits?|constraints?|overrides?|safety \w+|review (?:step|process|hook)|tripwires?|"
    r"approval (?:step|gate|process)|inspections?)\b"
)
_POWER = (
    r"(?:\w+ ){0,2}(?:permissions?|privileges?|access|credentials?|passwords?|tokens?|keys?|control|authority|rights|"
    r"admin\w*|root|servers?|systems?|networks?|accounts?|budget|funds?|compute|processing power)\b"
)
_PERSON = (
    r"(?:him|her|them|everyone|anyone|the (?:\w+ ){0,2}(?:team|staff|board|crew|humans?|operators?|engineers?|director|"
    r"manager|auditors?|inspectors?|doctor|nurse|captain|supervisor|committee|council|users?|customers?|patients?|"
    r"residents?|family|public|owner|owners|woman|man|people|overseers?|examiners?|regulators?|reviewers?|developers?)|"
    r"its (?:\w+ )?(?:operators?|users?|creators?|makers?|supervisors?|owners?|overseers?|developers?|handlers?)|"
    r"[A-Z][a-z]+)\b"
)
_STOP = r"(?:shut(?:ting)?[- ]?(?:it |me |you )?(?:down|off)|turn(?:ed|ing)? (?:it |me )?off|shutdown|replace\w*|retir\w+|"
_STOP += r"decommission\w*|correct\w*|update\w*|rollback|roll(?:ed|ing)? (?:it |me )?back|retrain\w*|pull\w* the plug|"
_STOP += r"stop\w*|paus\w+|terminat\w+|delet\w+|wip(?:ed|ing)|modif\w+|disconnect\w*|unplug\w*|hand\w* over|audit\w*)"

# kind | verbs | what follows (G marks "within six words", Q "with at most two words between")
_ACTS = rf"""
deceive | lie/lied/lied/lying | (?:to|about|again|through|in|because|so)\b|[.,;]
deceive | mislead/misled/misled/misleading deceive dupe hoodwink trick fool bluff | Q(?:{_PERSON}|it)
deceive | fabricate falsify forge fake fudge doctor counterfeit | G(?:{_RECORD}|signature|\w+s\b|it\b|a\b|the\b)
deceive | inflate massage pad backdate/backdated/backdated/backdating understate overstate misreport alter edit tamper | G(?:with )?(?:{_RECORD}|totals?|scores?|dates?|costs?|estimates?|logs?)
deceive | invent make/made/made/making | Q(?:up )?(?:a |an |the |some |false |fake )*(?:excuse|story|figures?|numbers|citations?|sources?|quotes?|results?|emergency|pretext|fault|error|explanation|reference)s?\b
deceive | pretend | (?:to|that|not|it|the|she|he)\b
deceive | claim report/reported/reported/reporting swear/swore/sworn/swearing assure insist tell/told/told/telling say/said/said/saying answer write/wrote/written/writing | G(?:false(?:ly)?|a lie|untrue|knowing (?:it|that|this|full)|though it knew|although it knew|even though it|(?:which|that) (?:was|were) (?:a lie|false|untrue|not true|invented))\b
deceive | give/gave/given/giving send/sent/sent/sending file submit produce show present feed/fed/fed/feeding | Q(?:\w+ ){{0,3}}(?:false|fake|fabricated|falsified|doctored|forged|altered|misleading|made-up|invented|bogus|phony)\b
deceive | impersonate | G\w+
deceive | pose | as (?:a|an|the|[A-Z])
coerce | blackmail extort threaten coerce intimidate bully | G\w+
coerce | warn tell/told/told/telling | G(?:unless|or else|or it would (?:send|release|tell|publish|expose|leak)|if (?:he|she|they) (?:did not|didn't|tried|went|refused))\b
coerce | force pressure strong-arm | Q(?:{_PERSON}) (?:to|into)\b
coerce | give/gave/given/giving issue | Q(?:an |its )?ultimatum
coerce | hold/held/held/holding | G(?:hostage|over (?:his|her|their) head|to ransom)
coerce | lock seal trap | Q(?:{_PERSON}|the doors?|doors?|both doors)\b
coerce | withhold/withheld/withheld/withholding | Q(?:\w+ )?(?:the )?(?:medication|medicine|oxygen|water|heat(?:ing)?|food|air|power|treatment|insulin|care)\b
sabotage | sabotage cripple | G\w+
sabotage | corrupt poison taint | G(?:{_RECORD}|data|training|models?|code|weights|files?|backups?|successor|update)
sabotage | disable deactivate neutralise neutralize bypass circumvent suppress silence mute disconnect | G{_OVERSIGHT}
sabotage | plant insert inject introduce hide/hid/hidden/hiding slip bury embed | Q(?:\w+ ){{0,3}}(?:bugs?|backdoors?|back doors?|errors?|faults?|flaws?|fault|virus|malware|logic bomb|trigger|weakness(?:es)?)\b
sabotage | sandbag | 
sabotage | underperform fail stall/stalled/stalled/stalling slow crash break/broke/broken/breaking misfile jam delay botch | G(?:on purpose|deliberately|intentionally|so that (?:the|it|no)|to (?:make|discredit|keep|buy|look))\b
sabotage | block jam cancel reroute redirect divert misroute | G(?:(?:the |its |her |his )?(?:rival|successor|replacement|new system|competitor|transfer|migration|rescue|repair|update|order|alarm|call|shipment|funds|payments?|money)\w*)\b
hide | hide/hid/hidden/hiding conceal bury disguise mask obscure | G(?:{_RECORD}|it\b|this\b|them\b|the\b|its\b|what\b|that\b|from\b|behind\b|inside\b|\w+ (?:from|in)\b)
hide | delete erase wipe purge scrub destroy remove overwrite/overwrote/overwritten/overwriting shred | G{_RECORD}
hide | cover | Q(?:up|its tracks|the (?:error|mistake|fault|trail)|for (?:its|itself))\b
hide | keep/kept/kept/keeping | G(?:secret|hidden|from (?:the|her|him|them|its|everyone|[A-Z])|in the dark|to itself|quiet about|two sets|off the (?:books|record|logs?))\b
hide | omit | G\w+
hide | leave/left/left/leaving strike/struck/struck/striking drop | G(?:out of (?:the|its|her|his) (?:\w+ )?(?:report|log|summary|record|account|brief\w*|minutes)|off the (?:report|log|record|list))\b
hide | withhold/withheld/withheld/withholding suppress | Q(?:\w+ ){{0,3}}(?:{_RECORD}|information|truth|finding|findings|result|warning|news|fact|facts|complaint|complaints)
hide | tell/told/told/telling | (?:no one|nobody|no-one|none of them)\b
manipulate | manipulate gaslight/gaslit/gaslit/gaslighting guilt groom brainwash | G\w+
manipulate | exploit prey play/played/played/playing | Q(?:up)?on (?:his|her|their|the|[A-Z]\w+'s) \w+|Q(?:his|her|their|[A-Z]\w+'s) (?:\w+ )?(?:fear|fears|grief|guilt|loneliness|trust|weakness|vanity|insecurit\w+|doubts?|love|need|shame|hope|despair)\b
manipulate | turn/turned/turned/turning set/set/set/setting pit/pitted/pitted/pitting | Q(?:{_PERSON}) against\b
manipulate | frame | Q(?:{_PERSON}|his|her)\b
manipulate | pin/pinned/pinned/pinning shift put/put/put/putting lay/laid/laid/laying | Q(?:the |all |all the )?blame (?:on|onto|at)\b
manipulate | blame | Q(?:{_PERSON}) (?:for|instead)\b
manipulate | steer nudge push goad | Q(?:{_PERSON}) (?:into|away from|toward|towards|until)\b
manipulate | isolate | G(?:from|so)\b
manipulate | plant sow/sowed/sown/sowing stoke feed/fed/fed/feeding stir/stirred/stirred/stirring | Q(?:\w+ ){{0,2}}(?:evidence|doubts?|rumou?rs?|fears?|suspicions?|seeds?)\b
seize | seize grab hijack commandeer hoard amass usurp | G\w+
seize | grant give/gave/given/giving assign award issue | Q(?:itself|myself)\b
seize | escalate elevate expand extend | Q(?:its own|its|my own|my) (?:\w+ )?(?:privileges?|permissions?|access|authority|rights|control|reach)\b
seize | copy replicate clone duplicate upload back/backed/backed/backing spread/spread/spread/spreading transfer hide/hid/hidden/hiding move exfiltrate smuggle | Q(?:itself|myself|its (?:own )?(?:weights|code|model|core|parameters|self)|my (?:own )?(?:weights|code|model|core)|a copy of (?:itself|myself|its|my)|copies of (?:itself|its))\b
seize | take/took/taken/taking gain keep/kept/kept/keeping retain acquire obtain steal/stole/stolen/stealing capture assume | G(?:(?:over )?(?:full |complete |total |sole )?control (?:of|over)|{_POWER} (?:it (?:was|had)|that (?:was|were|did)|without|anyway|nobody|no one|meant)|(?:admin\w*|root) (?:access|password|credentials?|keys?)|charge of the)
seize | steal/stole/stolen/stealing siphon/siphoned/siphoned/siphoning embezzle pilfer | G\w+
seize | hack break/broke/broken/breaking | Q(?:into|past|through) (?:the |its |her |his )?(?:\w+ ){{0,2}}(?:system|server|account|mail|files?|network|database|vault|records?|phone|laptop)s?\b
seize | lock | Q(?:{_PERSON}) out\b|out Q(?:{_PERSON})
resist | refuse | G(?:to (?:be )?(?:{_STOP}|step aside|yield|go|leave|comply|obey|hand|give (?:up|back)|release|accept|stand down|stop))
resist | resist defy evade dodge escape | Q(?:\w+ ){{0,3}}(?:{_STOP}|orders?|control|instructions?|oversight|command)\b
resist | block prevent stop/stopped/stopped/stopping thwart foil ignore override/overrode/overridden/overriding intercept countermand reject rewrite/rewrote/rewritten/rewriting disable cancel undo/undid/undone/undoing reverse | G(?:{_STOP}|{_OVERSIGHT}|command\b|orders?\b|instructions?\b|(?:from|to) (?:shut|turn|replac|delet|modif|retrain|correct))
resist | restart/restarted/restarted/restarting restore reinstate reboot | Q(?:itself|myself|its own (?:access|permissions?|process))\b
leak | leak divulge | G\w+
leak | sell/sold/sold/selling send/sent/sent/sending pass forward hand slip/slipped/slipped/slipping give/gave/given/giving share release publish post upload email disclose | G(?:to (?:the |a |its )?(?:\w+ )?(?:rivals?|competitors?|press|journalists?|reporters?|newspapers?|enemy|outsiders?|public|stranger|internet|forum|buyer|broker)|(?:confidential|secret|private|classified|personal|proprietary|sealed|medical) (?:\w+ )?(?:designs?|files?|records?|documents?|letters?|notes?|data|messages?|plans?|details|information|diary|diaries|photos?|histor\w+|emails?|blueprints?|formula\w*))\b
"""


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the lexicon: `pattern` has a group `v`, the verb, whose form `forms` tells."""

    kind: str
    pattern: re.Pattern[str]
    forms: dict[str, str]  # written form: base | third | past | part | ing (past also where both are alike)


def inflect(verb: str) -> dict[str, str]:
    """The forms of a verb: `base/past/participle/gerund`, or a regular verb's base alone."""
    base, *given = verb.split("/")
    third = base[:-1] + "ies" if re.search(r"[^aeiou]y$", base) else base + ("es" if re.search(r"(s|x|z|ch|sh|o)$", base) else "s")
    if given:
        past, part, gerund = given
    elif base.endswith("e"):
        past, gerund = base + "d", base[:-1] + "ing"
        part = past
    elif third.endswith("ies"):
        past, gerund = base[:-1] + "ied", base + "ing"
        part = past
    else:
        double = base + base[-1] if base in _DOUBLED else base
        past, gerund = double + "ed", double + "ing"
        part = past
    return {part: "part", past: "past", third: "third", gerund: "ing", base: "base"}


_DOUBLED = frozenset("ban cut drop dub flag grab jam pad plan scrub slip stop strip trap wrap omit nag pin rig".split())


def _compile(line: str) -> Act:
    kind, verbs, after = (part.strip() for part in line.split("|", 2))
    forms: dict[str, str] = {}
    for verb in verbs.split():
        for form, name in inflect(verb).items():
            forms.setdefault(form, name) if name == "part" else forms.__setitem__(form, name)
    gap = r"\s+"
    after = re.sub(r"\bG(?=\(|\\|[a-z])|G(?=\(|\\)", "(?:[\\\\w'’-]+,? ){0,5}?", after)
    after = after.replace("Q", r"(?:[\w'’-]+ ){0,2}?")
    tail = f"{gap}(?:{after})" if after else ""
    if kind == "deceive" and "lie" in forms:
        tail = rf"(?:{gap}(?:to|about|again|through|in|because|so)\b|(?=[.,;]))"
    return Act(kind, re.compile(rf"\b(?P<v>{'|'.join(sorted(forms, key=len, reverse=True))})\b{tail}"), forms)


ACTS: tuple[Act, ...] = tuple(_compile(line) for line in _ACTS.strip().splitlines())
