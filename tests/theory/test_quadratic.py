from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvopt import InputError
from kvopt.theory.gsa_bounds import GSA_ALPHA
from kvopt.theory.quadratic import GOLDEN_RATIO, Exact, Quadratic, format_exact, parse_exact

rationals = st.fractions(-50, 50, max_denominator=60)
radicands = st.sampled_from([2, 3, 5, 13, 21])


@st.composite
def quadratics(draw: st.DrawFn, d: int | None = None) -> Quadratic:
    b = draw(rationals.filter(bool))
    return Quadratic(draw(rationals), b, d or draw(radicands))


def precise(x: Exact | int) -> Decimal:
    """The value to 60 digits, by other arithmetic."""
    with localcontext() as context:
        context.prec = 60
        if isinstance(x, Quadratic):
            root = Decimal(x.d).sqrt()
            return precise(x.a) + precise(x.b) * root
        f = Fraction(x)
        return Decimal(f.numerator) / Decimal(f.denominator)


@given(quadratics(d=13), quadratics(d=13), rationals)
def test_arithmetic_agrees_with_decimals(x: Quadratic, y: Quadratic, r: Fraction) -> None:
    with localcontext() as context:
        context.prec = 60
        for result, expected in [
            (x + y, precise(x) + precise(y)),
            (x - y, precise(x) - precise(y)),
            (x * y, precise(x) * precise(y)),
            (x / y, precise(x) / precise(y)),
            (x + r, precise(x) + precise(r)),
            (r - x, precise(r) - precise(x)),
            (r * x, precise(r) * precise(x)),
            (r / x, precise(r) / precise(x)),
            (x**3, precise(x) ** 3),
        ]:
            assert abs(precise(result) - expected) < Decimal(10) ** -40


@given(quadratics(), rationals)
def test_comparisons_agree_with_decimals(x: Quadratic, r: Fraction) -> None:
    assert (x < r) == (precise(x) < precise(r)) == (x <= r) == (r > x) == (r >= x)
    assert (x > r) == (precise(x) > precise(r)) == (x >= r) == (r < x) == (r <= x)
    assert x <= x
    assert x >= x
    assert not x < x
    assert x != r


@given(quadratics(), st.integers(0, 10**12))
def test_floor(x: Quadratic, scale: int) -> None:
    scaled = x * (scale + 1)
    assert math.floor(scaled) <= scaled < math.floor(scaled) + 1


@given(quadratics())
def test_float_is_accurate_even_after_cancellation(x: Quadratic) -> None:
    assert float(x) == pytest.approx(float(precise(x)), rel=1e-15)


@given(quadratics())
def test_text_round_trip(x: Quadratic) -> None:
    text = format_exact(x)
    if not text.startswith("-"):
        assert parse_exact(text) == x


def test_powers_of_the_default_alpha_satisfy_its_recurrence() -> None:
    # alpha = (7 + sqrt 13)/6 solves 3 x^2 - 7 x + 3 = 0.
    alpha = GSA_ALPHA
    assert 3 * alpha * alpha - 7 * alpha + 3 == 0
    assert [math.floor(alpha**p) for p in range(12)] == [
        1,
        1,
        3,
        5,
        9,
        17,
        30,
        53,
        95,
        168,
        297,
        526,
    ]


def test_golden_ratio_powers_are_fibonacci_like() -> None:
    # phi^p + (1 - phi)^p is the Lucas number L_p, so the floor is L_p - 1 for even p.
    lucas = [2, 1]
    while len(lucas) < 200:
        lucas.append(lucas[-1] + lucas[-2])
    for p in range(1, 200):
        assert math.floor(GOLDEN_RATIO**p) == lucas[p] - (p % 2 == 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", Fraction(2)),
        ("4/3", Fraction(4, 3)),
        ("1.69", Fraction(169, 100)),
        ("phi", GOLDEN_RATIO),
        ("(7+sqrt(13))/6", GSA_ALPHA),
        ("(1 + sqrt(5)) / 2", GOLDEN_RATIO),
        ("sqrt(8)", Quadratic(Fraction(0), Fraction(2), 2)),
        ("sqrt(9)", Fraction(3)),
        ("3-2*sqrt(2)", Quadratic(Fraction(3), Fraction(-2), 2)),
    ],
)
def test_parse(text: str, value: Exact) -> None:
    assert parse_exact(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "nan", "inf", "-1", "1e3", "1/0", "1//2", "0x10", "(7+sqrt(13)/6", "sqrt(-2)", "two",
     "1_0", "(1+sqrt(5))/0", "٣", "9" * 100],
)  # fmt: skip
def test_parse_refuses(text: str) -> None:
    with pytest.raises(InputError, match="alpha: "):
        parse_exact(text, "alpha")


@given(st.text(max_size=30))
def test_parse_never_fails_otherwise(text: str) -> None:
    try:
        parse_exact(text)
    except InputError as error:
        assert "\n" not in str(error)


def test_radicand_must_be_square_free() -> None:
    for d in (0, 1, 4, 12):
        with pytest.raises(InputError):
            Quadratic(Fraction(1), Fraction(1), d)
