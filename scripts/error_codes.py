"""Find the error codes that the package uses, for the tests that compare `docs/errors.md` with the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PACKAGE", "Use", "codes_used", "default_codes"]

PACKAGE = Path(__file__).resolve().parents[1] / "airflow_provider_zapi"
#: It states Z-API's side and raises no error of the provider.
_EMULATOR = PACKAGE / "emulator"

_CODE = re.compile(r"ZAPI(-[A-Z]+)*")
#: Stands for what a message fills in when it is raised.
VARIABLE = "…"


@dataclass
class Use:
    """Where a code is used.

    :param texts: the strings of the modules that use it, each with `VARIABLE` for what is filled in
    :param classes: the error classes that it is passed to directly
    """

    texts: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)


def default_codes() -> dict[str, str]:
    """Return the code of each error class, by the name of the class."""
    from airflow_provider_zapi import exceptions

    return {name: vars(getattr(exceptions, name)).get("default_code", "") for name in exceptions.__all__}


def codes_used() -> dict[str, Use]:
    """Return every code that is written in the package, with where it is used."""
    found: dict[str, Use] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if _EMULATOR in path.parents:
            continue
        tree = ast.parse(path.read_text())
        texts: set[str] | None = None
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
                texts = texts or set(_texts(tree))
                found.setdefault(node.value, Use()).texts |= texts
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


def _texts(tree: ast.Module) -> Iterator[str]:
    """Yield a module's strings, and the names of the connection form's fields that it uses."""
    from airflow_provider_zapi import panel

    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w+\}", VARIABLE, node.value)
        elif isinstance(node, ast.JoinedStr):
            yield "".join(map(_part, node.values))
        elif isinstance(node, ast.Name) and isinstance(label := getattr(panel, node.id, None), str):
            yield label


def _part(node: ast.expr) -> str:
    """Return a part of an f-string. A name of the connection form is filled in."""
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
