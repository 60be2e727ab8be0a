"""Exact arithmetic in Q and in Q(sqrt d), for growth factors such as (7+sqrt(13))/6.

The slices of GSA and the classes of GBA are floors of powers of a growth
factor alpha, and the ratio bounds are rational functions of it.  Both must be
exact: a floor that is off by one changes a schedule, a rounded bound changes a
verdict.  `Fraction` covers rational alpha, `Quadratic` the irrational ones that
the theory singles out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from kvopt.model.errors import InputError

__all__ = ["GOLDEN_RATIO", "Exact", "Quadratic", "format_exact", "parse_exact"]


@dataclass(frozen=True, slots=True)
class Quadratic:
    """The real number a + b * sqrt(d), with b != 0.

    Parameters
    ----------
    a, b
        Rational coefficients.
    d
        Radicand: an integer >= 2 that is not divisible by a square > 1.

    Raises
    ------
    InputError
        If b is zero (use a `Fraction`) or d is not square-free.

    Notes
    -----
    The ring operations stay exact and return a `Fraction` whenever the
    irrational part cancels.  Numbers with different radicands do not mix.
    """

    a: Fraction
    b: Fraction
    d: int

    def __post_init__(self) -> None:
        if self.b == 0:
            raise InputError("Quadratic: b must not be 0")
        if self.d < 2 or any(self.d % (p * p) == 0 for p in range(2, math.isqrt(self.d) + 1)):
            raise InputError(f"Quadratic: d must be square-free and at least 2, got {self.d}")

    def _pair(self, other: Exact | int) -> tuple[Fraction, Fraction] | None:
        """Coordinates of `other` over 1 and sqrt(d), or None if it has none."""
        if isinstance(other, Quadratic):
            return (other.a, other.b) if other.d == self.d else None
        if isinstance(other, int | Fraction):
            return Fraction(other), Fraction(0)
        return None

    def __add__(self, other: Exact | int) -> Exact:
        if (pair := self._pair(other)) is None:
            return NotImplemented
        return _exact(self.a + pair[0], self.b + pair[1], self.d)

    __radd__ = __add__

    def __neg__(self) -> Quadratic:
        return Quadratic(-self.a, -self.b, self.d)

    def __sub__(self, other: Exact | int) -> Exact:
        return self + (-other)

    def __rsub__(self, other: Exact | int) -> Exact:
        return -self + other

    def __mul__(self, other: Exact | int) -> Exact:
        if (pair := self._pair(other)) is None:
            return NotImplemented
        c, e = pair
        return _exact(self.a * c + self.b * e * self.d, self.a * e + self.b * c, self.d)

    __rmul__ = __mul__

    def inverse(self) -> Exact:
        """Return 1 / self; the norm a^2 - d*b^2 is never 0, as sqrt(d) is irrational."""
        norm = self.a * self.a - self.d * self.b * self.b
        return _exact(self.a / norm, -self.b / norm, self.d)

    def __truediv__(self, other: Exact | int) -> Exact:
        if isinstance(other, Quadratic):
            return self * other.inverse()
        return self * (1 / Fraction(other))

    def __rtruediv__(self, other: Exact | int) -> Exact:
        return self.inverse() * other

    def __pow__(self, exponent: int) -> Exact:
        """Return self to a non-negative integer power, by repeated squaring."""
        result: Exact = Fraction(1)
        square: Exact = self
        while exponent:
            if exponent & 1:
                result = result * square
            square = square * square
            exponent >>= 1
        return result

    def sign(self) -> int:
        """Return -1 or 1; a quadratic irrational is never 0."""
        if (self.a >= 0) == (self.b >= 0):
            return 1 if self.b > 0 else -1
        rational_part_wins = self.a * self.a > self.d * self.b * self.b
        return (1 if self.a > 0 else -1) if rational_part_wins else (1 if self.b > 0 else -1)

    def __lt__(self, other: Exact | int) -> bool:
        return _sign(self - other) < 0

    def __gt__(self, other: Exact | int) -> bool:
        return _sign(self - other) > 0

    # An irrational number equals no rational one, but it may equal itself.
    def __le__(self, other: Exact | int) -> bool:
        return _sign(self - other) <= 0

    def __ge__(self, other: Exact | int) -> bool:
        return _sign(self - other) >= 0

    def __floor__(self) -> int:
        c = math.lcm(self.a.denominator, self.b.denominator)
        a, b = int(self.a * c), int(self.b * c)
        root = math.isqrt(b * b * self.d)
        return (a + root) // c if b > 0 else (a - root - 1) // c

    def __float__(self) -> float:
        # Through an integer floor, so that cancellation between a and b costs no digits.
        shift = 64
        while True:
            scaled = math.floor(self * (1 << shift))
            if abs(scaled).bit_length() >= 60:
                return float(Fraction(scaled, 1 << shift))
            shift += 64

    def __str__(self) -> str:
        c = math.lcm(self.a.denominator, self.b.denominator)
        a, b = int(self.a * c), int(self.b * c)
        root = f"sqrt({self.d})" if abs(b) == 1 else f"{abs(b)}*sqrt({self.d})"
        head = f"{a}{'+' if b > 0 else '-'}" if a else ("" if b > 0 else "-")
        return f"{head}{root}" if c == 1 else f"({head}{root})/{c}"


Exact = Fraction | Quadratic
"""A number kvopt computes with exactly: rational or quadratic irrational."""


def _exact(a: Fraction, b: Fraction, d: int) -> Exact:
    return Quadratic(a, b, d) if b else a


def _sign(x: Exact) -> int:
    return x.sign() if isinstance(x, Quadratic) else (x > 0) - (x < 0)


def _square_root(n: int) -> Exact:
    """Return sqrt(n) for an integer n >= 0, square factors taken out."""
    outside = next(p for p in range(math.isqrt(n), 0, -1) if n % (p * p) == 0) if n else 0
    inside = n // (outside * outside) if n else 1
    return Fraction(outside) if inside == 1 else Quadratic(Fraction(0), Fraction(outside), inside)


def square_root(x: Exact) -> Exact:
    """Return the square root of x > 0: exactly if x is rational, else rounded up.

    The square root of a quadratic irrational need not be quadratic; a rational number at
    most 2^-64 above it takes its place.

    Examples
    --------
    >>> print(square_root(Fraction(1, 2)), square_root(Fraction(9, 4)))
    (sqrt(2))/2 3/2
    """
    if isinstance(x, Fraction) and x.numerator * x.denominator < LARGEST_RADICAND:
        return _square_root(x.numerator * x.denominator) / x.denominator
    return Fraction(math.isqrt(math.floor(x * (1 << 128))) + 1, 1 << 64)


LARGEST_RADICAND = 10**12
"""Larger integers are not searched for square factors."""


def format_exact(x: Exact) -> str:
    """Write x as "p/q" (always with a denominator) or as an expression in sqrt(d).

    Examples
    --------
    >>> format_exact(Fraction(2)), format_exact(parse_exact("(7+sqrt(13))/6"))
    ('2/1', '(7+sqrt(13))/6')
    """
    return f"{x.numerator}/{x.denominator}" if isinstance(x, Fraction) else str(x)


_RATIONAL = re.compile(r"\d{1,30}(/\d{1,30}|\.\d{1,30})?", re.ASCII)
_QUADRATIC = re.compile(
    r"(?P<open>\()?(?:(?P<a>-?\d{1,30})(?=[+-]))?(?P<sign>[+-])?(?:(?P<b>\d{1,30})\*)?"
    r"sqrt\((?P<d>\d{1,6})\)(?(open)\))(?:/(?P<c>\d{1,30}))?",
    re.ASCII,
)


def parse_exact(text: str, name: str = "number") -> Exact:
    """Read a number as written on the command line.

    Parameters
    ----------
    text
        "2", "4/3", "1.69" (an exact decimal), "phi" (the golden ratio) or an
        expression like "(7+sqrt(13))/6".
    name
        What the number is, for the error message.

    Raises
    ------
    InputError
        If the text has none of these forms (NaN, infinities, exponents and
        signs are not accepted), or a denominator is 0.

    Examples
    --------
    >>> parse_exact("1.69"), str(parse_exact("phi"))
    (Fraction(169, 100), '(1+sqrt(5))/2')
    """
    if text == "phi":
        return GOLDEN_RATIO
    try:
        if _RATIONAL.fullmatch(text):
            return Fraction(text)
        if match := _QUADRATIC.fullmatch(text.replace(" ", "")):
            a, b = Fraction(match["a"] or 0), Fraction(match["b"] or 1)
            c = Fraction(match["c"] or 1)
            return (a + (-b if match["sign"] == "-" else b) * _square_root(int(match["d"]))) / c
    except ZeroDivisionError:
        raise InputError(f"{name}: the denominator must not be 0, got {text!r}") from None
    shown = text if len(text) <= 40 else text[:40] + "..."
    raise InputError(
        f"{name}: must be a number like 2, 4/3, 1.69, phi or (7+sqrt(13))/6, got {shown!r}"
    )


GOLDEN_RATIO = Quadratic(Fraction(1, 2), Fraction(1, 2), 5)
