"""Format tables as plain text, for the command line and for task logs.

Airflow's own commands use rich. It is not used here, because it cuts columns to the width of a terminal, which a log
does not have, and because each task would have to import it.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["text_table"]


def text_table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as lines with aligned columns: numbers to the right, everything else to the left.

    :param rows: the rows, all of the same length; headings, if any, are the first row
    """
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:>{width}}" if isinstance(cell, int) else f"{cell!s:<{width}}"
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )
