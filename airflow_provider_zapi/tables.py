"""Tables for people, in plain text: the command line prints them, and a task's log holds them.

Not by rich, which Airflow's own commands use: it cuts columns to a width that a log does not have, and a task would
have to import it.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["text_table"]


def text_table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as lines whose columns line up: numbers to the right, all else to the left.

    :param rows: all of the same length; headings, if any, are the first of them
    """
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:>{width}}" if isinstance(cell, int) else f"{cell!s:<{width}}"
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )
