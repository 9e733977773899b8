"""Test where a value stands in a text, in every script, and that what does not stand there is not found."""

from __future__ import annotations

import pytest

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mem0_exports_engine.extract.llm.folding import fold, fold_value
from mem0_exports_engine.extract.llm.grounding import Text
from tests.support.examples import examples
from tests.support.literal import plain, stands_in


DATE = {"format": "date"}
ENUM = {"enum": ["trail_running", "vegan"]}

FOUND = [
    ("Alex lives in  LISBON.", "lisbon", {}, "LISBON"),
    ("He earns 42 and 142", "42", {}, "42"),
    ("He has 42 cats", 42, {}, "42"),
    ("It takes 4.50 or 4.5", 4.5, {}, "4.50"),
    ("temp -5 deg", -5, {}, "-5"),
    ("temp \u22125 deg", -5, {}, "\u22125"),
    ("in 1979-05-07", 1979, {}, "1979"),
    ("٤٢ قطة", 42, {}, "٤٢"),
    ("\uff13\uff15 years", 35, {}, "\uff13\uff15"),
    ("45歳です", 45, {}, "45"),
    ("born 7. Mai 1979", "1979-05-07", DATE, "7. Mai 1979"),
    ("born on May 7th, 1979", "1979-05-07", DATE, "May 7th, 1979"),
    ("7 de mayo de 1979", "1979-05-07", DATE, "7 de mayo de 1979"),
    ("1979年5月7日生まれ", "1979-05-07", DATE, "1979年5月7日"),
    ("on 13/7/1979", "1979-07-13", DATE, "13/7/1979"),
    ("on 1979-07-13.", "1979-07-13", DATE, "1979-07-13"),
    ("他住在北京市。", "北京", {}, "北京"),
    ("서울에 산다", "서울", {}, "서울"),
    ("يعيش ولندن", "لندن", {}, "لندن"),
    ("Straße und mehr", "strasse", {}, "Straße"),
    ("cafe\u0301 Zoë", "CAFÉ", {}, "cafe\u0301"),
    ("ﬁne wine", "fine", {}, "ﬁne"),
    ("a trail-running fan", "trail_running", ENUM, "trail-running"),
    ("New\n  York", "new york", {}, "New\n  York"),
    ("She moved to Zürich.", "Zürich", {}, "Zürich"),
    ("이름은 \u1112\u1161\u11ab", "한", {}, None),
]
NOT_FOUND = [
    ("it takes ½ hour", 1, {}),
    ("it takes ½ hour", 2, {}),
    ("it takes 1½ hours", 11, {}),
    ("an area of 5² m", 52, {}),
    ("on 2020-05-1²", "2020-05-12", DATE),
    (".½", ".1", {}),
    ("Alex lives in Lisbonne", "Lisbon", {}),
    ("142", "42", {}),
    ("3.50 euro", "50", {}),
    ("He earns 42.5", 42, {}),
    ("at 10:30", 10, {}),
    ("1,250 euro", 1250, {}),
    ("1,250 euro", 250, {}),
    ("a 4k screen", 4, {}),
    ("temp -5 deg", 5, {}),
    ("猫", "猫", {}),
    ("a b", "a", {}),
    ("ﬁne", "in", {}),
    ("5/7/1979", "1979-05-07", DATE),
    ("5/7/1979", "1979-07-05", DATE),
    ("7 May", "1979-05-07", DATE),
    ("17 May 1979", "1979-05-07", DATE),
    ("31 February 2020", "2020-02-31", DATE),
    ("vegan", True, {}),
    ("null", None, {}),
    ("anything", "", {}),
    ("anything", "   ", {}),
    ("اكلندن", "لندن", {}),
    ("a trail running fan", "trail_running", {}),
]


@pytest.mark.parametrize(("text", "value", "node", "piece"), FOUND)
def test_what_stands_in_a_text_is_found_at_its_place(text, value, node, piece):
    span = Text(text).find(value, node)

    assert (None if span is None else text[span.start : span.end]) == piece


@pytest.mark.parametrize(("text", "value", "node"), NOT_FOUND)
def test_what_does_not_stand_in_a_text_is_not_found(text, value, node):
    assert Text(text).find(value, node) is None


letters = st.text(
    st.sampled_from("aAbßé\u0301ﬁ \n\tÅÅ①½한\u1112\u1161\u11abن京都ก1\uff12.-,\u00a0\u200b🍵"), max_size=20
)
# Letters that become one only if three of them follow each other (Hangul, Kannada, Sinhala), and marks in any order.
_TRIPLES = (
    "\u1112\u1161\u11ab \u1161\u11ab \ud558\u11ab \u0cc6\u0cc2\u0cd5 \u0cc2\u0cd5 \u09c7\u09be \u0dd9\u0dcf\u0dca"
)
_MARKS = "\u0301 \u0323 \u0345 \u0327 a \u03b1 \u0130 \u1100 \u1b05\u1b35"
joining = st.lists(st.sampled_from([*_TRIPLES.split(), *_MARKS.split()]), max_size=8).map("".join)


@given(letters | joining | st.text(max_size=10))
@example("\u1112\u1161\u11ab")
@example("\u0cc6\u0cc2\u0cd5")
@settings(max_examples=examples(400))
def test_a_folded_text_is_the_normal_form_and_every_place_leads_back(text):
    folded = fold(text)

    assert folded.text.split() == plain(text).split()
    for start in range(len(folded.text)):
        begin, end = folded.span(start, start + 1)
        assert 0 <= begin < end <= len(text)
        assert folded.text[start].strip() in fold_value(text[begin:end]) or folded.text[start] == " "


@given(letters, letters, letters)
@settings(max_examples=examples(400))
def test_whatever_is_found_stands_there(before, value, after):
    text = before + value + after
    span = Text(text).find(value, {})

    if span is not None:
        assert stands_in(value, text[span.start : span.end])
        assert plain(text[span.start : span.end]) == plain(value)


@given(st.integers(-(10**12), 10**12) | st.floats(-1e6, 1e6).map(lambda each: round(each, 3)))
@settings(max_examples=examples(200))
def test_a_number_is_found_between_words(number):
    text = f"it is {number} exactly"
    span = Text(text).find(number, {})

    if "e" not in str(number):
        assert span is not None
        assert float(text[span.start : span.end]) == number


@given(st.dates())
@settings(max_examples=examples(200))
def test_a_date_is_found_as_it_is_written(day):
    for text in (
        f"on {day.isoformat()}.",
        f"on {day.day}.{day.month}.{day.year:04}",
        f"{day.year:04}年{day.month}月{day.day}日",
    ):
        span = Text(text).find(day.isoformat(), DATE)

        assert span is not None, text
