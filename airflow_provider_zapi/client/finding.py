"""Find secrets in a text: a few of them or ten thousand, whole or cut, in time in proportion to the text."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

__all__ = ["Finder"]

#: The shortest beginning of a secret that is found, in characters.
_SHORTEST_PART = 8
#: So many are searched for one by one, which is faster than one pass over the text as long as they are few.
_FEW = 60


class Finder:
    """Finds where any of some strings stand in a text, or their beginnings: a server may cut what it repeats.

    A beginning of less than half, or of less than 8 characters, could be any text.

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
    """Return how much of a text is the beginning of one of these."""
    at = bisect.bisect(forms, text)
    return max(_shared(text, form) for form in forms[max(at - 1, 0) : at + 1])


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    length = 0
    for pair in zip(one, other, strict=False):
        if pair[0] != pair[1]:
            break
        length += 1
    return length
