"""Tables for spreadsheets, in which what members wrote stays text."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

# A spreadsheet takes a cell that begins so for a formula; the full-width signs too.
FORMULA = "=+-@\t\r\n\0＝＋－＠"


def cell(value: Any) -> str:
    """A value as a cell. Text that would be a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Some programs skip spaces and other blanks before they look at the first sign.
    first = text.lstrip(" \u00a0\u200b\ufeff\u3000")[:1]
    dangerous = first in FORMULA or (text[:1] in FORMULA)
    return f"'{text}" if first and dangerous else text


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """RFC 4180: a header line, CRLF, quotes where needed. Empty without a row."""
    out = io.StringIO(newline="")
    if rows:
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(rows[0])
        writer.writerows([cell(value) for value in row.values()] for row in rows)
    return out.getvalue()
