"""Listed candidates: rows of rates, written in the space or read from a file."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from wootzc.diagnostics import Span
from wootzc.files import damage, read_file
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.lower.program import resolve
from wootzc.grammar.space.rates import read_rate
from wootzc.ir import npy

MOST_BYTES = 1 << 23  # of a file of rates
MOST_RATES = 1_000_000
MAX_MISTAKES = 5  # rows of one list that are reported


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRow:
    """One candidate; `place` says where it stands in the list ("row 3")."""

    rates: tuple[float, ...]
    place: str
    span: Span


class _Unreadable(Exception):
    """A file of candidates that is not what it should be; the text says why."""


class _Damaged(_Unreadable):
    """A library can't make sense of it."""


def read_rows(
    configs: syntax.Configs,
    modules: Sequence[str],
    report: Report,
    *,
    trunks: Sequence[str] = (),  # that are narrowed
    skips: bool = False,  # modules may be left out: then 100% says of one that it is
) -> list[ListedRow] | None:
    """All rows, each with one rate per module and trunk in their order; None after an error."""
    source = configs.source
    if isinstance(source, syntax.Text):
        rows = _from_file(source, [*modules, *trunks], report, skips)
        if rows is None:
            return None
    else:
        rows = list(_inline(source, report, skips))
        if len(rows) < len(source):
            _lengths_fit(rows, modules, trunks, report)
            return None
    if not rows:
        report.error(
            configs.span, "WZ049", "the list of candidates is empty",
            "write one row a candidate: configs { [0, 30%] [50%, 50%] }",
        )  # fmt: skip
        return None
    return rows if _lengths_fit(rows, modules, trunks, report) else None


def _inline(rows: tuple[syntax.Row, ...], report: Report, skips: bool) -> Iterator[ListedRow]:
    for number, row in enumerate(rows, start=1):
        rates = [read_rate(rate, report, all_of_it=skips) for rate in row.rates]
        known = tuple(rate for rate in rates if rate is not None)
        if len(known) == len(rates):
            yield ListedRow(rates=known, place=f"row {number}", span=row.span)


def _lengths_fit(
    rows: Sequence[ListedRow], modules: Sequence[str], trunks: Sequence[str], report: Report
) -> bool:
    names = [*modules, *trunks]
    wrong = [row for row in rows if len(row.rates) != len(names)]
    for row in wrong[:MAX_MISTAKES]:
        plural = "" if len(row.rates) == 1 else "s"
        report.error(
            row.span, "WZ049",
            f"{row.place} has {len(row.rates)} rate{plural}, "
            f"but the network has {len(modules)} modules"
            + (f", and {len(trunks)} of its trunks may be cut" if trunks else ""),
            f"write one rate for each, in this order: {', '.join(names[:16])}"
            + (", …" if len(names) > 16 else ""),
        )  # fmt: skip
    return not wrong


def _from_file(
    source: syntax.Text, modules: Sequence[str], report: Report, skips: bool
) -> list[ListedRow] | None:
    path = Path(resolve(source.value, source.span.file))
    readers = {".csv": _csv, ".json": _json, ".npy": _npy}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        report.error(
            source.span, "WZ050", f"candidates are not read from {path.suffix or 'such'} files",
            "use .csv, .json (a list of rows) or .npy (a matrix)",
        )  # fmt: skip
        return None
    try:
        with damage(_Damaged):
            table = reader(read_file(path, MOST_BYTES), modules)
        _check_size(sum(map(len, table)))
        return [
            ListedRow(rates=tuple(_rate(v, number, skips) for v in row), place=f"row {number}",
                      span=source.span)
            for number, row in enumerate(table, start=1)
        ]  # fmt: skip
    except _Unreadable as error:
        failed = "can't read " if isinstance(error, _Damaged) else ""
        report.error(source.span, "WZ050", f"{failed}{path.name}: {error}", _HELP)
    except FileNotFoundError:
        report.error(
            source.span, "WZ050", f"there is no file `{source.value}`",
            f"looked for {path}; the path is relative to the .wz file",
        )  # fmt: skip
    except OSError as error:
        report.error(source.span, "WZ050", f"can't read {path.name}: {error.strerror}", _HELP)
    return None


_HELP = "each row holds one rate per module in network order: fractions, or percentages like 30%"


def _check_size(cells: int) -> None:
    if cells > MOST_RATES:
        raise _Unreadable(f"it holds {cells:,} rates, and at most {MOST_RATES:,} are read")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unreadable("it is not text in UTF-8") from None


def _csv(content: bytes, modules: Sequence[str]) -> list[list[Any]]:
    """Rows of rates; a first line of module names may give the columns another order."""
    import csv

    table = csv.reader(io.StringIO(_text(content), newline=""))
    rows = [[cell.strip() for cell in row] for row in table if any(row)]
    if not rows or not any(cell and cell[0].isalpha() for cell in rows[0]):
        return rows
    header, *rest = rows
    if sorted(header) != sorted(modules):
        raise _Unreadable(f"its first line names {', '.join(header)}, not the network's modules")
    order = [header.index(name) for name in modules]
    for number, row in enumerate(rest, start=1):
        if len(row) != len(header):
            raise _Unreadable(f"row {number} has {len(row)} cells under {len(header)} names")
    return [[row[column] for column in order] for row in rest]


def _json(content: bytes, modules: Sequence[str]) -> list[list[Any]]:
    import json

    table = json.loads(_text(content))
    if not isinstance(table, list) or not all(isinstance(row, list) for row in table):
        raise _Unreadable("it is not a list of lists")
    return table


def _npy(content: bytes, modules: Sequence[str]) -> list[list[Any]]:
    file = io.BytesIO(content)
    header = npy.read_header(file, len(content))
    if len(header.shape) != 2 or header.dtype.kind not in "fiu":
        raise _Unreadable("it is not a matrix of numbers")
    matrix = npy.read_values(file, header)
    _check_size(matrix.size)
    # The shortest decimal of the stored type, so that a float32 of 0.3 is 0.3 and not 0.30000001.
    return [[str(value) for value in row] for row in matrix]


def _rate(value: Any, row: int, skips: bool) -> float:
    text = str(value)
    rate = None if isinstance(value, bool) else _number(text)
    if rate is None or (rate == 1 and not skips):
        raise _Unreadable(f"row {row} holds `{text[:40]}`, which is no rate from 0 to below 1")
    return rate


@lru_cache(4096)  # a million rates are few different ones
def _number(text: str) -> float | None:
    """A rate from 0 to 1, which leaves the module out."""
    try:
        number = Decimal(text[:-1]) / 100 if text.endswith("%") else Decimal(text)
        return float(number) if 0 <= number <= 1 else None
    except ArithmeticError:  # no number, NaN, or far too large a one
        return None
