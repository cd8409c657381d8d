"""Replace one error with another, so that the new error has no reference to the old one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["caught"]

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


def caught(function: Callable[[], T], *kinds: type[E]) -> T | E:
    """Call a function, and return its result or the error that it raises.

    An error that is raised inside an ``except`` block refers to the handled error, whose frames may hold a request, a
    connection or a phone. To replace an error, catch it with this function and raise the new one outside of any
    ``except`` block.

    :param kinds: the classes of errors to return; any other error is raised
    """
    try:
        return function()
    except kinds as error:
        return error
