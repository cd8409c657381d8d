"""Find up to ten thousand secrets in a string, whole or cut, in time proportional to the string's length."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

__all__ = ["Finder"]

#: The fewest characters of a cut secret that are found.
_SHORTEST_PART = 8
#: Up to this many secrets are searched for one by one. With more, one pass over the string is faster.
_FEW = 60


class Finder:
    """Find strings, or their beginnings, in another string. A server may cut what it repeats.

    A beginning counts only if it is at least half of the string and has at least 8 characters, because any text may
    contain a shorter one by chance.

    :param forms: the strings to find
    """

    def __init__(self, forms: Iterable[str]) -> None:
        # The strings are grouped by their beginning and sorted, so that neighbours have the most characters in common.
        self._by_head: dict[int, dict[str, list[str]]] = {}
        self._count = self._longest_form = 0
        for form in sorted(set(forms)):
            head = form[: max(_SHORTEST_PART, -(-len(form) // 2))]
            self._by_head.setdefault(len(head), {}).setdefault(head, []).append(form)
            self._count += 1
            self._longest_form = max(self._longest_form, len(form))

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the start and the end of each match."""
        for length, heads in self._by_head.items():
            if self._count <= _FEW:
                found = ((at, forms) for head, forms in heads.items() for at in _all_of(text, head))
            else:
                found = (
                    (at, heads[text[at : at + length]])
                    for at in range(len(text) - length + 1)
                    if text[at : at + length] in heads
                )
            for at, forms in found:
                yield at, at + _longest(text[at : at + self._longest_form], forms)


def _all_of(text: str, head: str) -> Iterator[int]:
    at = text.find(head)
    while at >= 0:
        yield at
        at = text.find(head, at + 1)


def _longest(text: str, forms: list[str]) -> int:
    """Return how many characters at the start of ``text`` are the beginning of one of the forms."""
    at = bisect.bisect(forms, text)
    return max(_shared(text, form) for form in forms[max(at - 1, 0) : at + 1])


def _shared(one: str, other: str) -> int:
    """Return the length of the common prefix of two strings."""
    length = 0
    for pair in zip(one, other, strict=False):
        if pair[0] != pair[1]:
            break
        length += 1
    return length
