"""Skip the rendering of strings without Jinja, because a template field may hold 64,000 phones.

Airflow compiles every string of a template field, at any depth. That takes 20 s for 100,000 phones. Rendering also
removes a line break at the end of a string. With ``render_template_as_native_obj``, it turns digits into a number and
``None`` into Python's None. A string that is not rendered keeps the value that the DAG file gives it.

Airflow's own code walks through the fields (lists, mappings, objects with template fields, XComs, mapped arguments) and
calls ``render_template`` for each item. Classes that override ``render_template`` call this module first.
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
    """Return whether rendering can leave an item as it is.

    :param templater: the operator or notifier that renders the item
    """
    return (
        # A subclass of str does not count, because Airflow renders it into a plain str.
        type(content) is str
        and not jinja_in(templater.get_template_env() if jinja_env is None else jinja_env)(content)
        # Airflow replaces a file name with the content of the file.
        and not content.endswith(tuple(templater.template_ext))
    )


@lru_cache(maxsize=1)  # one task renders in one environment
def jinja_in(jinja_env: Environment) -> Callable[[str], object]:
    """Return a function that finds Jinja's delimiters in a string.

    A DAG can change the delimiters with ``jinja_environment_kwargs``. If the environment has line statements, line
    comments, or extensions that read the source or its tokens, any string can be Jinja. Airflow's own extension,
    ``jinja2.ext.do``, only adds a tag.
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
        return bool  # an empty string renders to itself
    delimiters = jinja_env.variable_start_string, jinja_env.block_start_string, jinja_env.comment_start_string
    return re.compile("|".join(map(re.escape, delimiters))).search
