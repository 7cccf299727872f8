"""Values: one text for a value, whatever Python, NumPy or a file makes of it."""

from decimal import Decimal
from enum import Enum
from fractions import Fraction

import numpy as np
import pytest

from skdl.data.categories import UNKNOWN, Vocabulary
from skdl.data.factors import Factors, factorize
from skdl.data.values import parsed, sort_key, spelled


class Colour(str, Enum):  # noqa: UP042 - the kind whose str() is not its text
    red = "red"


def objects(values):
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def known(values):
    return Vocabulary().fit([factorize(objects(values))])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([17, 17.0, np.int8(17), np.float32(17), Decimal("17.00"), Fraction(17)], "17"),
        ([1.2, np.float32(1.2), np.float16(1.2), Decimal("1.20")], "1.2"),
        (
            [0.5, Fraction(1, 2), Decimal("0.5"), Decimal(0.5), np.longdouble(0.5)],
            "0.5",
        ),
        ([0.1, Decimal(0.1), Decimal("0.1")], "0.1"),  # equal in Python: hash alike
        ([1e-7, np.float32(1e-7), Decimal("1e-7")], "0.0000001"),
        ([2**60 + 1, np.int64(2**60 + 1), Decimal(2**60 + 1)], str(2**60 + 1)),
        ([2.0**60, np.float32(2.0**60)], str(2**60)),
        ([0.0, -0.0, Decimal("-0.0"), 0], "0"),
        ([np.inf, np.float32(np.inf), Decimal("inf")], "inf"),
        ([Fraction(1, 3)], "1/3"),
        ([10**400, Decimal(10**400)], "1" + "0" * 400),
        ([10**5000], "1" + "0" * 5000),  # more than str() of an integer writes
    ],
)
def test_numbers_have_one_text(values, text):
    kinds = {spelled(value)[0] for value in values}
    texts = {spelled(value)[1].replace("infinity", "inf") for value in values}
    assert (kinds, texts) == ({"number"}, {text})


def test_texts_are_what_they_say():
    values = ["red", b"red", np.str_("red"), np.bytes_(b"red"), Colour.red]
    assert {spelled(value) for value in values} == {("text", "red")}
    assert spelled("17.0") == ("text", "17.0")
    assert spelled("\ud800")[1] == "\ud800"
    assert spelled(b"\xff")[1].encode(errors="surrogateescape") == b"\xff"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("17", "17"),
        ("17.0", "17"),
        ("017", "17"),
        ("+1.50", "1.5"),
        (" 17 ", "17"),
        ("1e3", "1000"),
        (".5", "0.5"),
        ("1.152921504606847e+18", str(2**60)),  # as 2.0 ** 60 is printed
        ("0.30000000000000004", "0.30000000000000004"),
        ("1.00000000000000000001", "1.00000000000000000001"),
        *[(text, None) for text in ("", "x", "1_000", "0x10", "nan", "inf", "1e99999")],
    ],
)
def test_texts_that_spell_numbers_are_understood(text, number):
    assert parsed(text) == number


def test_numbers_are_sorted_by_size_even_where_no_float_holds_them():
    values = [10**400, "a", 2.5, Decimal("2.25"), -1, Fraction(1, 3), np.float32(2.3)]
    ordered = sorted(values, key=sort_key)
    assert ordered == [
        -1,
        Fraction(1, 3),
        Decimal("2.25"),
        np.float32(2.3),
        2.5,
        *values[:2],
    ]


# What a column makes of them.


def test_version_numbers_stay_apart_and_no_number_is_taken_for_one():
    versions = known(["3.1", "3.10", "3.9"])
    assert versions.categories == ["3.1", "3.10", "3.9"]
    assert versions.code("3.10") != versions.code("3.1")
    assert versions.code(3.1) == UNKNOWN
    assert known(["3.1", "3.9"]).code("3.10") == UNKNOWN


def test_a_number_is_the_text_that_is_its_decimal():
    for values in (["17", "18", "x"], [17, 18], [17.0, "x"], ["x", 17, "17"]):
        column = known(values)
        alike = [17, 17.0, np.float32(17), Decimal("17.00"), "17"]
        assert len({column.code(v) for v in alike}) == 1, values
        assert column.code(17) != UNKNOWN


@pytest.mark.parametrize("written", ["17.0", "17.00", "017", "1.7e1", "+17", " 17"])
def test_in_a_column_of_numbers_text_is_a_number_and_else_it_is_text(written):
    assert known([17, 18]).code(written) == known([17, 18]).code(17) != UNKNOWN
    assert known(["17", "18"]).code(written) == UNKNOWN


@pytest.mark.parametrize(
    "fitted", [[True, False], ["true", "false"], ["TRUE", "FALSE"], [1, 0]]
)
def test_truth_is_one_in_columns_of_truth(fitted):
    column = known(fitted)
    for value in (
        True,
        np.True_,
        1,
        1.0,
        Decimal(1),
        "True",
        "true",
        "TRUE",
        "1",
        "1.0",
    ):
        assert column.code(value) == column.code(fitted[0]) != UNKNOWN


def test_in_a_column_of_text_true_is_a_word():
    column = known(["true", "maybe", "1"])
    assert column.code(True) == column.code("true")
    assert column.code("True") == UNKNOWN
    assert column.code(1) == column.code("1")
    both = known(["true", "True"])
    assert both.code("true") != both.code("True")


@pytest.mark.parametrize("values", [[True, 1, "a"], [1, True, "a"], ["a", True, 1]])
def test_the_order_of_rows_does_not_decide_what_true_is(values):
    column = known(values)
    assert column.categories == [1, True, "a"]
    factors = factorize(objects(values))
    codes = dict(zip(map(repr, values), column.encode(factors).tolist(), strict=True))
    assert codes == {"1": 2, "True": 3, "'a'": 4}


def test_true_and_one_are_one_number():
    for values in ([True, 1, 2], [1, True, 2]):
        assert known(values).categories == [1, 2]


# Widths of floats.


@pytest.mark.parametrize("other", [np.float32, np.float16])
def test_floats_are_the_same_at_the_narrower_width(other):
    values = [1.2, 1.4, 2.0, 0.1]
    narrow = [other(v) for v in values]
    upcast = [float(v) for v in narrow]
    texts = [str(v) for v in values]
    for fitted in (values, narrow):
        column = known(fitted)
        expected = [column.code(v) for v in fitted]
        assert UNKNOWN not in expected
        asked = [values, narrow, texts] + ([upcast] if other is np.float32 else [])
        for queries in asked:
            assert [column.code(v) for v in queries] == expected
    assert known(narrow).categories == sorted(values)


def test_float64_fitted_from_float32_takes_what_it_was():
    column = known([float(np.float32(v)) for v in (1.2, 1.4)])
    assert [column.code(v) for v in (1.2, np.float32(1.4))] == [2, 3]


def test_fit_does_not_merge_what_float32_cannot_tell():
    close = [0.1, 0.1 + 1e-10, 0.1 + 2e-10, 0.5]
    column = known(close)
    assert [column.code(v) for v in close] == [2, 3, 4, 5]
    assert column.code(np.float32(0.1)) == UNKNOWN  # it may be any of three
    assert column.code(np.float32(0.5)) == 5


def test_large_integers_are_exact_and_rounded_ones_are_not_guessed():
    ids = [2**60 + i for i in range(4)]
    column = known(ids)
    assert [column.code(v) for v in ids] == [2, 3, 4, 5]
    assert column.code(float(2**60)) == UNKNOWN  # it may be any of four
    assert known([2**60 + 1, 5]).code(float(2**60 + 1)) == 3
    rounded = known([float(2**60 + 1), 5.0])  # as pandas has ids with a missing one
    assert rounded.code(2**60 + 1) == 3


def test_halves_are_not_taken_for_float32():
    assert known([0.5, 1.5]).code(0.500000001) == UNKNOWN


# Vocabularies that grow, share and hash.


def test_a_column_of_numbers_stays_one_when_text_comes_later():
    column = known([17, 18]).extended([factorize(objects(["19", "19.0", "17.0", "x"]))])
    assert column.categories == [17, 18, 19, "x"]
    assert column.code(19) == column.code("19.00") == 4


def test_text_stays_text_when_numbers_come_later():
    column = known(["a", "3.10"]).extended([factorize(objects([3.1, "3.1"]))])
    assert len({column.code(v) for v in ("3.10", 3.1, "3.1")}) == 3


def test_a_column_of_nothing_is_what_comes_first():
    column = known([None]).extended([factorize(objects(["3.1", "3.10"]))])
    assert column.categories == ["3.1", "3.10"]


def test_hashed_values_do_not_depend_on_the_container():
    many = [2**40 + i for i in range(100)]
    column = Vocabulary(8).fit([factorize(objects(many))])
    codes = [column.code(v) for v in many]
    for convert in (str, float, Decimal, lambda v: f"{v}.0"):
        assert [column.code(convert(v)) for v in many] == codes
    texts = Vocabulary(8).fit([factorize(objects([f"\ud800{i}" for i in range(50)]))])
    assert texts.code("\ud8007") != UNKNOWN


def test_which_categories_are_kept_does_not_depend_on_the_rows_order():
    values = objects([f"v{i}" for i in range(50)])
    first = Vocabulary(8).fit([factorize(values)])
    second = Vocabulary(8).fit([factorize(values[::-1])])
    assert first.categories == second.categories


def test_distinct_values_are_looked_up_once():
    column = known([1, 2])
    factors = factorize(objects([1, 2, 3]))
    table = column.lookup(factors)
    assert column.lookup(factors.take([0, 1])) is table
    other = known([3])
    assert other.encode(factors).tolist() == [UNKNOWN, UNKNOWN, 2]
    assert isinstance(factors, Factors)
