"""Helpers for the text of messages."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 contact`` and ``2 contacts``."""
    return f"{number:d} {noun}{'' if number == 1 else 's'}"
