"""Fold texts so that they can be compared, and map places in the folded text back to the original.

Two texts are alike if they are equal after NFKC normalization, case folding, and with each run of white space as one
space. Nothing else is forgiven: there is no edit distance.
"""

from __future__ import annotations

import unicodedata

from typing import NamedTuple


class Folded(NamedTuple):
    """A folded text, and where its characters come from."""

    text: str
    starts: list[int]
    """For each character of `text`, the index in the original at which the characters begin that it was made from."""
    ends: list[int]
    """For each character of `text`, the index in the original after these characters."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original of the non-empty part from `start` to `end`."""
        return self.starts[start], self.ends[end - 1]

    def is_whole(self, start: int, end: int) -> bool:
        """Return whether no character of the original is only partly in the non-empty part, as the 1 of ½ would be."""
        begins = start == 0 or self.starts[start - 1] != self.starts[start]
        return begins and (end == len(self.text) or self.ends[end - 1] != self.ends[end])


def quickly_folded(text: str) -> str:
    """Return the folded text without places, some ten times faster, and without white space at its ends."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def fold(text: str) -> Folded:
    """Return the folded text with its places."""
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for begin, end in _pieces(text):
        for char in _folded(text[begin:end]):
            if char == " " and folded and folded[-1] == " ":
                ends[-1] = end
                continue
            folded.append(char)
            starts.append(begin)
            ends.append(end)
    return Folded("".join(folded), starts, ends)


def fold_value(text: str) -> str:
    """Return a value folded like a text, without white space around it."""
    return quickly_folded(text)


def _folded(piece: str) -> str:
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", piece).casefold())
    return "".join(" " if char.isspace() else char for char in normal)


def _pieces(text: str) -> list[tuple[int, int]]:
    """Cut a text where normalization cannot join what is before with what is after."""
    if text.isascii():
        return [(index, index + 1) for index in range(len(text))]
    cuts = [0]
    last = text[0]  # how the piece ends under NFKC: three letters of Hangul become one, but the last two alone do not
    for index, char in enumerate(text[1:], 1):
        if _separate(last, char):
            cuts.append(index)
            last = char
        else:
            last = unicodedata.normalize("NFKC", last + char)[-1]
    return [*zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _separate(before: str, after: str) -> bool:
    """Return whether a character stays separate under NFKC from what is before it.

    A combining character always stays with what is before it, as it can be reordered within a longer run of them.
    """
    if after.isascii() and before.isascii():
        return True
    if unicodedata.combining(after) or unicodedata.combining(unicodedata.normalize("NFKD", after)[0]):
        return False
    return unicodedata.normalize("NFKC", before + after) == (
        unicodedata.normalize("NFKC", before) + unicodedata.normalize("NFKC", after)
    )


# ---- words ---------------------------------------------------------------------------------------------------------

_UNSPACED: tuple[tuple[int, int], ...] = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul: particles follow a noun without a space
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Scripts in which words are not, or not always, separated by spaces."""

_ARABIC_PREFIXES = frozenset("وفبلكس")
"""Words of one letter that Arabic writes together with the next word: and, so, in, for, like, will."""


def is_unspaced(char: str) -> bool:
    """Return whether a character belongs to a script without spaces between words."""
    point = ord(char)
    return point >= 0x0E00 and any(least <= point <= most for least, most in _UNSPACED)


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_" or _is_mark(char)


def _is_mark(char: str) -> bool:
    """Return whether a character belongs to the one before it, such as an accent or the sign of a vowel."""
    return unicodedata.category(char)[0] == "M"


def is_bounded(text: str, start: int, end: int) -> bool:
    """Return whether the part of a folded text from `start` to `end` consists of whole words."""
    return _begins(text, start) and _ends(text, end)


def _begins(text: str, start: int) -> bool:
    if start == 0:
        return True
    before, first = text[start - 1], text[start]
    if _is_mark(first):
        return False
    if first.isdigit() and before in ".,":
        return start == 1 or not text[start - 2].isdigit()  # the 5 of 4.5 is no number of its own
    if not (_is_word(before) and _is_word(first)):
        return True
    if is_unspaced(before) or is_unspaced(first):
        return True
    return before in _ARABIC_PREFIXES and (start == 1 or not _is_word(text[start - 2]))


def _ends(text: str, end: int) -> bool:
    if end == len(text):
        return True
    last, after = text[end - 1], text[end]
    if _is_mark(after):
        return False
    if last.isdigit() and after in ".,":
        return end + 1 == len(text) or not text[end + 1].isdigit()
    if not (_is_word(last) and _is_word(after)):
        return True
    return is_unspaced(last) or is_unspaced(after)
