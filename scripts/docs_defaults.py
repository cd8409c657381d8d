"""Shows a parameter's default as its value, where the code names a constant: griffe calls this for ``make docs``."""

from __future__ import annotations

from typing import Any

import griffe


class Defaults(griffe.Extension):  # type: ignore[misc]  # not installed where types are checked
    """Puts the values of constants in the places of their names, once the whole package is read."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Look at every parameter of every function."""
        for function in _functions(pkg):
            for parameter in function.parameters:
                if isinstance(parameter.default, griffe.ExprName):
                    try:
                        constant = pkg.modules_collection[parameter.default.canonical_path]
                    except KeyError:
                        continue
                    parameter.default = constant.value


def _functions(thing: griffe.Module | griffe.Class) -> list[griffe.Function]:
    found = []
    for member in thing.members.values():
        if isinstance(member, griffe.Function):
            found.append(member)
        elif isinstance(member, (griffe.Module, griffe.Class)):
            found += _functions(member)
    return found
