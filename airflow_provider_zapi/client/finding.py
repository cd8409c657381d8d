"""Find secrets in a string: a few of them or ten thousand, whole or cut, in time in proportion to the string."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

__all__ = ["Finder"]

#: The shortest beginning of a secret that is found, in characters.
_SHORTEST_PART = 8
#: Up to this many are searched for one by one, which is then faster than one pass over the string.
_FEW = 60


class Finder:
    """Finds the places of given strings in another one, and of their beginnings: a server may cut what it repeats.

    A beginning of less than half, or of less than 8 characters, could be in any string.

    :param forms: what to find
    """

    def __init__(self, forms: Iterable[str]) -> None:
        # By length and text of the beginnings; those that begin alike are sorted, so that neighbours are most alike.
        self._by_head: dict[int, dict[str, list[str]]] = {}
        self._count = self._longest_form = 0
        for form in sorted(set(forms)):
            head = form[: max(_SHORTEST_PART, -(-len(form) // 2))]
            self._by_head.setdefault(len(head), {}).setdefault(head, []).append(form)
            self._count += 1
            self._longest_form = max(self._longest_form, len(form))

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the beginning and the end of each place."""
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
    """Return how much of a string is the beginning of one of these."""
    at = bisect.bisect(forms, text)
    return max(_shared(text, form) for form in forms[max(at - 1, 0) : at + 1])


def _shared(one: str, other: str) -> int:
    """Return how many characters two strings share at their beginning."""
    length = 0
    for pair in zip(one, other, strict=False):
        if pair[0] != pair[1]:
            break
        length += 1
    return length
