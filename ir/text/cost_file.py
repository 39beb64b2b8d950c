"""A measured cost as a file that can be shared, kept and edited: CSV or JSON, which say the same.

The first row is of the full network, the others say what each module adds to it at a rate: as a
rule less than nothing. `on` says what gave the figures, `network` whose they are.

    module,rate,ns,on,network
    ,,412345,"onnxruntime 1.32.0, CPUExecutionProvider, threads 1, batch 1, …",6d0c…
    a1,0,0,,
    a1,0.5,-41234,,

A rate of three parts is what goes inside, of what enters and of what leaves: 0.5/0.25/0.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np

from wootzc.ir.array import Array
from wootzc.ir.net.network import Network
from wootzc.ir.net.rate import Rate, rate_of, texts
from wootzc.ir.space import Measured, Space
from wootzc.ir.text.printer import print_network

COLUMNS = ("module", "rate", "ns", "on", "network")
MOST = 2**53  # nanoseconds
SHOWN = 3  # of what is missing


class Misfit(ValueError):
    """A file that holds no table of the space; the text says why."""


def cost_rows(space: Space) -> Iterator[dict[str, Any]]:
    """The table of a space that was measured, row by row."""
    table = space.measured
    assert table is not None
    yield dict(zip(COLUMNS, ("", "", table.full, table.on, of(space.network)), strict=True))
    for module, own, choices in zip(
        space.network.modules, table.variants.values, space.choices, strict=True
    ):
        for place in choices:
            rate = space.rates[place]
            yield {"module": module.name, "rate": texts(rate, "{:.17g}"), "ns": int(own[place])}


def print_costs(space: Space, form: str) -> str:
    """`form`: one of `FORMS`. The inverse of `read_costs`."""
    rows = list(cost_rows(space))
    if form == ".json":
        lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
        return f"[\n{lines}\n]\n"
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_costs(content: bytes, form: str, space: Space) -> Measured:
    """A table for what the space may have; rows of more than that do no harm. Raises `Misfit`."""
    try:
        rows = FORMS[form](content.decode("utf-8-sig"))
    except (ValueError, csv.Error) as error:
        raise Misfit(str(error)) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Misfit(f"it is no list of rows with {', '.join(COLUMNS)}")
    full: int | None = None
    on, known = "", dict[tuple[str, Rate], int]()
    names = {module.name for module in space.network.modules}
    for number, row in enumerate(rows, start=1):
        name, cost = _text(row, "module"), _nanoseconds(row, number)
        if name and name not in names:
            raise Misfit(f"row {number}: there is no module `{name}`")
        if name:
            known[name, _rate(row, number)] = cost
            continue
        if _text(row, "network") not in ("", of(space.network)):
            raise Misfit("it was measured of another network, or of one with other rules")
        full, on = cost, _text(row, "on")
    if full is None or full <= 0:
        raise Misfit("no row without a module says what the full network takes")
    if not on:
        raise Misfit("the row of the full network does not say what it was measured `on`")
    return Measured(metric="latency", on=on, full=full, variants=_table(space, known))


def of(network: Network) -> str:
    """A network, its modules and the rules by which they are pruned; not its own name."""
    return sha256(print_network(replace(network, name="")).encode()).hexdigest()[:16]


def _table(space: Space, known: Mapping[tuple[str, Rate], int]) -> Array:
    table = np.zeros((len(space.choices), len(space.rates)), np.int64)
    missing = []
    for module, (own, choices) in enumerate(zip(space.network.modules, space.choices, strict=True)):
        for place in choices:
            cost = known.get((own.name, space.rates[place]))
            if cost is None and space.rates[place] != 0:
                missing.append(f"{own.name} at {space.rates[place]}")
            table[module, place] = cost or 0
    if missing:
        more = "" if len(missing) <= SHOWN else f" and {len(missing) - SHOWN} more"
        raise Misfit(f"it lacks {', '.join(missing[:SHOWN])}{more}")
    return Array(table)


def _text(row: Mapping[str, Any], column: str) -> str:
    return str(row.get(column) or "").strip()


def _nanoseconds(row: Mapping[str, Any], number: int) -> int:
    try:
        cost = float(str(row["ns"]))
        if abs(cost) < MOST:
            return round(cost)
    except (KeyError, ValueError):
        pass
    raise Misfit(f"row {number}: `ns` is no number of nanoseconds")


def _rate(row: Mapping[str, Any], number: int) -> Rate:
    try:
        sides = [
            tuple(float(part) for part in side.split("+")) for side in str(row["rate"]).split("/")
        ]
        ends = [side[0] for side in sides[1:] if len(side) == 1]
        good = all(0 <= part <= 1 for side in sides for part in side)
        if good and len(ends) == len(sides) - 1 and len(sides) in (1, 3):
            return rate_of(sides[0], *ends)
    except (KeyError, ValueError):
        pass
    raise Misfit(f"row {number}: `rate` is the fraction of filters removed, as 0.5 or 0.5/0.25/0")


def _csv(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


FORMS: Mapping[str, Callable[[str], Any]] = {".csv": _csv, ".json": json.loads}
