"""Characters that look like those of the language, come from another keyboard, or are not seen."""

import re
import unicodedata

from wootzc.grammar.parse.slips.row import Match, Slip

_LIKE = {
    **dict(zip("авекмнорстухіјѕ", "aBekmHopcTyxijs", strict=True)),
    **dict(zip("АВЕКМНОРСТУХІЈЅ", "ABEKMHOPCTYXIJS", strict=True)),
    **dict(zip("αενικορτυχ", "aevikoptux", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
    **dict.fromkeys("‐‑‒–—−﹣", "-"), **dict.fromkeys("×✕⨯", "x"), **dict.fromkeys("∗⁎﹡✱", "*"),
    **dict.fromkeys("∕⁄÷", "/"), **dict.fromkeys("≧⩾⇒", ">="), **dict.fromkeys("≦⩽", "<="),
    "٪": "%", "¬": "-", "،": ",", "、": ",", "。": ".", "；": ";", "¦": "|",
}  # fmt: skip
_WIDTHS = ("<wide>", "<narrow>", "<font>")


def _alike(match: Match) -> str:
    """The text in the characters that it looks to be in; as it is where there are none."""
    plain = "".join(map(_same, match[0]))
    return plain if plain.isascii() else match[0]


def _same(character: str) -> str:
    if character in _LIKE:
        return _LIKE[character]
    match unicodedata.category(character):
        case "Cf":
            return ""
        case "Nd":
            return str(unicodedata.digit(character))
        case _:
            width = unicodedata.decomposition(character).split(" ")[0] in _WIDTHS
            return unicodedata.normalize("NFKC", character) if width else character


def _without_accents(match: Match) -> str:
    plain = re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFD", match[0]))
    return plain if plain.isascii() else match[0]


_WORD = r"[\w.]*(?:[^\x00-\x7f≤≥“”„«»‘’‚…][\w.]*)+"

LOOK_ALIKES = (
    Slip(_WORD, _alike, "what stands here only looks like characters of the language", safe=True,
         code="WZ005"),
    Slip(_WORD, _without_accents, "names use letters a-z, digits and `_`", code="WZ005"),
)  # fmt: skip
