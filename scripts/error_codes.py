"""Find the error codes that the package uses, for the tests that compare `docs/errors.md` with the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PACKAGE", "Use", "codes_used", "default_codes"]

PACKAGE = Path(__file__).resolve().parents[1] / "airflow_provider_zapi"
#: The emulator plays Z-API, so it does not raise errors of the provider.
_EMULATOR = PACKAGE / "emulator"

_CODE = re.compile(r"ZAPI(-[A-Z]+)*")
#: Replaces the parts of a message that are filled in at run time.
VARIABLE = "…"


@dataclass
class Use:
    """The places where a code is used.

    :param strings: all strings of the modules that use the code, with `VARIABLE` for each part that is filled in
    :param classes: the error classes to which the code is passed directly
    """

    strings: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)


def default_codes() -> dict[str, str]:
    """Return the code of each error class, by the name of the class."""
    from airflow_provider_zapi import exceptions

    return {name: vars(getattr(exceptions, name)).get("default_code", "") for name in exceptions.__all__}


def codes_used() -> dict[str, Use]:
    """Return every code in the package, with the places where it is used."""
    found: dict[str, Use] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if _EMULATOR in path.parents:
            continue
        tree = ast.parse(path.read_text())
        strings: set[str] | None = None
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
                strings = strings or set(_strings(tree))
                found.setdefault(node.value, Use()).strings |= strings
            elif isinstance(node, ast.Call):
                for code, kind in _passed(node):
                    found.setdefault(code, Use()).classes.add(kind)
    return found


def _passed(call: ast.Call) -> Iterator[tuple[str, str]]:
    """Yield the code and the error class of a call such as ``ZApiError(..., code=...)``."""
    kinds = [call.func, *call.args[:1]]
    for kind in kinds:
        name = kind.attr if isinstance(kind, ast.Attribute) else kind.id if isinstance(kind, ast.Name) else ""
        if name.startswith("ZApi") and name.endswith("Error"):
            for keyword in call.keywords:
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value), name


def _strings(tree: ast.Module) -> Iterator[str]:
    """Yield a module's strings, and the labels of the connection form's fields that it uses."""
    from airflow_provider_zapi import panel

    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w+\}", VARIABLE, node.value)
        elif isinstance(node, ast.JoinedStr):
            yield "".join(map(_part, node.values))
        elif isinstance(node, ast.Name) and isinstance(label := getattr(panel, node.id, None), str):
            yield label


def _part(node: ast.expr) -> str:
    """Return a part of an f-string, with labels of the connection form filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    value = node.value if isinstance(node, ast.FormattedValue) else node
    if isinstance(value, ast.Name):
        from airflow_provider_zapi import panel

        return str(getattr(panel, value.id, VARIABLE))
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        from airflow_provider_zapi.connection.form import LABELS

        if isinstance(value.value, ast.Name) and value.value.id == "LABELS":
            return LABELS[str(value.slice.value)]
    return VARIABLE
