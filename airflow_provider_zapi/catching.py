"""Turn one error into another so that the second does not lead to the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["caught"]

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def caught(function: Callable[[], T], *kinds: type[E]) -> T | E:
    """Call a function, and return its result or the error that it raises.

    In Python, an error that is raised inside an ``except`` block leads to the one that is handled there, whose frames
    may hold a request, a connection or a phone. So whatever turns one error into another catches it with this function
    and raises where nothing is being handled any more.

    :param kinds: the errors that are returned; any other is raised
    """
    try:
        return function()
    except kinds as error:
        return error
