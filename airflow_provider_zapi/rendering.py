"""Template fields that may hold 64,000 phones: a text without Jinja is passed through, not compiled.

Airflow compiles every text of a template field, however deep it lies: 20 s for 100,000 phones. It also cuts a line
break off a text's end and, with ``render_template_as_native_obj``, makes a number of digits and of ``None`` what Python
means by it. None of that happens to a text that is passed through: what stands in the DAG is what the task gets.

What walks the fields (lists, mappings, objects with template fields of their own, XComs, mapped arguments) is Airflow's
own code. It calls ``render_template`` for each thing that it meets; whoever overrides that asks here first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["is_plain"]


def is_plain(content: Any, templater: Any, jinja_env: Environment | None) -> bool:
    """Whether rendering shall leave something as it is.

    :param templater: the operator or notifier that renders it
    """
    return (
        # Of that very type: Airflow makes one of a subclass.
        type(content) is str
        and not jinja_in(templater.get_template_env() if jinja_env is None else jinja_env)(content)
        # Airflow reads the file.
        and not content.endswith(tuple(templater.template_ext))
    )


@lru_cache(maxsize=1)  # one task renders in one environment
def jinja_in(jinja_env: Environment) -> Callable[[str], object]:
    """Return what finds Jinja in a text: the delimiters, which a DAG's ``jinja_environment_kwargs`` may have changed.

    Any text can be Jinja where there are line statements, line comments, or extensions that read the text or its
    tokens; Airflow's own one, ``jinja2.ext.do``, only adds a tag.
    """
    from jinja2.ext import Extension

    if (
        jinja_env.line_statement_prefix
        or jinja_env.line_comment_prefix
        or any(
            type(extension).preprocess is not Extension.preprocess
            or type(extension).filter_stream is not Extension.filter_stream
            for extension in jinja_env.extensions.values()
        )
    ):
        return bool  # of an empty text nothing can be made
    delimiters = jinja_env.variable_start_string, jinja_env.block_start_string, jinja_env.comment_start_string
    return re.compile("|".join(map(re.escape, delimiters))).search
