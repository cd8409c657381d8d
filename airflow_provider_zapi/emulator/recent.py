"""A store of the newest items, with a limit on their number and size."""

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")

__all__ = ["Recent", "drop_oldest"]


class Recent(Generic[T]):
    """Keep the newest items. The oldest ones are dropped when there are too many, or when they are too large together.

    :param items: the most items to keep
    :param size: the most bytes to keep, by the sizes given to `add`; the newest item is always kept
    """

    def __init__(self, items: int, size: int) -> None:
        self._items = items
        self._size = size
        self._kept: deque[tuple[T, int]] = deque()
        self._kept_size = 0

    def __iter__(self) -> Iterator[T]:
        return (item for item, _ in self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def kept_size(self) -> int:
        """Return the total size of the items in bytes."""
        return self._kept_size

    def add(self, item: T, size: int) -> None:
        """Add an item with its size in bytes."""
        self._kept.append((item, size))
        self._kept_size += size
        while len(self._kept) > self._items or (self._kept_size > self._size and len(self._kept) > 1):
            self.drop()

    def drop(self) -> int:
        """Drop the oldest item, and return its size in bytes."""
        size = self._kept.popleft()[1]
        self._kept_size -= size
        return size

    def last(self, count: int) -> list[T]:
        """Return the newest ``count`` items, oldest first."""
        newest = [item for item, _ in self._kept]
        return newest[max(len(newest) - count, 0) :]

    def clear(self) -> None:
        """Delete all items."""
        self._kept.clear()
        self._kept_size = 0


def drop_oldest(memories: Sequence[Recent[Any]], size: int) -> None:
    """Limit the total size of several stores. The largest ones drop their oldest items.

    :param size: the most bytes that all stores may have together
    """
    excess = sum(memory.kept_size for memory in memories) - size
    heap = [(-memory.kept_size, number, memory) for number, memory in enumerate(memories)] if excess > 0 else []
    heapq.heapify(heap)
    while excess > 0:
        _, number, largest = heap[0]
        excess -= largest.drop()
        heapq.heapreplace(heap, (-largest.kept_size, number, largest))
