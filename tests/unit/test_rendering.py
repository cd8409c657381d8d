"""Template fields leave strings without Jinja unchanged. Airflow renders all others as usual."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from hypothesis import given
from hypothesis import strategies as st
from jinja2.ext import Extension

from airflow_provider_zapi.notifications.zapi import ZApiNotifier
from airflow_provider_zapi.operators.base import ZApiOperator
from airflow_provider_zapi.operators.instance import CheckInstanceOperator
from airflow_provider_zapi.operators.policy import ApplyPrivacyPolicyOperator
from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator, SetReadReceiptsOperator
from airflow_provider_zapi.sensors.contacts import DisallowedContactsSensor
from tests.support import ids

BEGIN = datetime(2026, 1, 1)
PHONE = "5544991111111"
CONTEXT: Any = {"phone": PHONE, "name": "Ana"}


class Ours(ZApiOperator):
    template_fields = ("field",)
    template_ext = (".json",)

    def __init__(self, *, field: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.field = field


class Theirs(BaseOperator):
    template_fields = ("field",)
    template_ext = (".json",)

    def __init__(self, *, field: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.field = field


def rendered(operator: Any, field: Any, **dag_options: Any) -> Any:
    """Return the field's value that a task's ``execute`` would see."""
    with DAG("rendering", schedule=None, start_date=BEGIN, **dag_options):
        task = operator(task_id="task", field=field)
    task.resolve_template_files()
    task.render_template_fields(CONTEXT)
    return task.field


class Pair(NamedTuple):
    first: Any
    second: Any


class Text(str):
    __slots__ = ()


class Nested:
    template_fields = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nested) and other.inner == self.inner

    __hash__ = None  # type: ignore[assignment]  # as usual for a mutable object that is compared by value


#: Every kind of nested value in which Airflow renders templates.
NESTINGS: list[tuple[str, Callable[[Any], Any]]] = [
    ("by itself", lambda text: text),
    ("list", lambda text: [text, "x"]),
    ("tuple", lambda text: (text, "x")),
    ("named tuple", lambda text: Pair(text, "x")),
    ("mapping", lambda text: {"phone": text}),
    ("set", lambda text: {text, "x"}),
    ("deep", lambda text: [{"changes": ({"phone": text},)}]),
    ("object with template fields", lambda text: [Nested({"phone": text})]),
]
KINDS = pytest.mark.parametrize("native", [False, True], ids=["text", "native"])


@KINDS
@pytest.mark.parametrize("nest", [row[1] for row in NESTINGS], ids=ids(NESTINGS))
@pytest.mark.parametrize(
    "plain", [PHONE, "None", "1_000", "[1, 2]", "two\r\nlines\n", "} and }} and %}", "{ x }", "# x", "", "é"]
)
def test_a_string_without_jinja_does_not_change(nest: Callable[[Any], Any], plain: str, native: bool) -> None:
    assert rendered(Ours, nest(plain), render_template_as_native_obj=native) == nest(plain)


#: A string with Jinja, its rendered string, and its result with native rendering.
JINJA: list[tuple[str, Any, Any]] = [
    ("{{ phone }}", PHONE, int(PHONE)),
    ("at {{ phone }}", f"at {PHONE}", f"at {PHONE}"),
    ("{% if name %}yes{% endif %}", "yes", "yes"),
    ("{# a comment #}of {{ name }}", "of Ana", "of Ana"),
    ("{% do [].append(1) %}none", "none", "none"),
    ("{% raw %}{{ phone }}{% endraw %}!", "{{ phone }}!", "{{ phone }}!"),
]


@KINDS
@pytest.mark.parametrize("nest", [row[1] for row in NESTINGS], ids=ids(NESTINGS))
@pytest.mark.parametrize(("template", "text", "native_object"), JINJA, ids=ids(JINJA))
def test_a_string_with_jinja_is_rendered(
    nest: Callable[[Any], Any], template: str, text: str, native_object: Any, native: bool
) -> None:
    expected = nest(native_object if native else text)
    assert rendered(Ours, nest(template), render_template_as_native_obj=native) == expected


pieces = st.sampled_from(
    ["{{ name }}", "{# x #}", "{% if phone %}", "{% endif %}", "{", "}", "%", "#", PHONE, "a", " "]
)
texts = st.lists(pieces, max_size=4).map("".join).filter(lambda text: text.count("{% if") == text.count("{% endif"))
values = st.recursive(
    st.one_of(texts, texts.map(Text), st.none(), st.integers(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3), st.tuples(inner, inner)
    ),
    max_leaves=6,
)


@given(values)
def test_the_result_is_the_same_as_airflows(value: Any) -> None:
    assert outcome(Ours, value) == outcome(Theirs, value)


def outcome(operator: Any, value: Any) -> Any:
    try:
        return rendered(operator, value)
    except Exception as error:  # noqa: BLE001 - the errors, such as a syntax error, are compared
        return type(error), str(error)


@pytest.mark.parametrize(
    ("options", "template", "expected"),
    [
        ({"variable_start_string": "<<", "variable_end_string": ">>"}, "<< phone >> {{ phone }}", f"{PHONE} {{{{ phone }}}}"),
        ({"variable_start_string": "<<", "variable_end_string": ">>"}, "{{ phone }}", "{{ phone }}"),
        ({"block_start_string": "<%", "block_end_string": "%>"}, "<% if phone %>yes<% endif %>", "yes"),
        ({"comment_start_string": "/*", "comment_end_string": "*/"}, "a/* b */", "a"),
        ({"line_statement_prefix": "%%"}, "%% if phone\nyes\n%% endif\n", "yes\n"),
        ({"line_comment_prefix": "##"}, "yes ## no", "yes"),
    ],
)  # fmt: skip
def test_the_dags_own_delimiters_are_used(options: dict[str, str], template: str, expected: str) -> None:
    assert rendered(Ours, [template], jinja_environment_kwargs=options) == [expected]


class Shouting(Extension):
    """A Jinja extension that changes every string, even one without Jinja."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return source.upper()


def test_the_dags_own_extensions_process_each_string() -> None:
    assert rendered(Ours, ["plain"], jinja_environment_kwargs={"extensions": [Shouting]}) == ["PLAIN"]


@KINDS
@pytest.mark.parametrize(
    ("content", "text"),
    [
        # Airflow removes the last line break of a rendered string.
        (f'["{PHONE}"]\n', f'["{PHONE}"]\n'),
        ('["{{ phone }}"]\n', f'["{PHONE}"]'),
    ],
    ids=["plain", "Jinja"],
)
def test_a_file_is_read_and_its_content_is_rendered_if_it_has_jinja(
    tmp_path: Path, content: str, text: str, native: bool
) -> None:
    (tmp_path / "list.json").write_text(content)
    options: dict[str, Any] = {"template_searchpath": str(tmp_path), "render_template_as_native_obj": native}
    found = rendered(Ours, "list.json", **options)
    assert found == ([PHONE] if native and "{{" in content else text)
    # Airflow reads a nested file name only during rendering, and renders the file as a template then.
    assert rendered(Ours, {"inside": "list.json"}, **options) == rendered(Theirs, {"inside": "list.json"}, **options)


def test_values_that_resolve_themselves_are_resolved() -> None:
    where = (
        "airflow.utils.template" if version("apache-airflow").startswith("2.") else "airflow.sdk.definitions.template"
    )
    literal = importlib.import_module(where).literal
    assert rendered(Ours, [literal("{{ phone }}"), "{{ phone }}", PHONE]) == ["{{ phone }}", PHONE, PHONE]


#: Each operator, sensor and notifier with template fields, and one of those fields.
WITH_TEMPLATES: list[tuple[type[Any], str, dict[str, Any]]] = [
    (SetLastSeenPrivacyOperator, "contacts_blacklist", {"visualization_type": "CONTACT_BLACKLIST"}),
    (SetReadReceiptsOperator, "value", {}),
    (ApplyPrivacyPolicyOperator, "policy", {}),
    (CheckInstanceOperator, "expected_phone", {}),
    (DisallowedContactsSensor, "present", {"setting": "last_seen"}),
    (ZApiNotifier, "message", {"phone": PHONE}),
]


@pytest.mark.parametrize(("kind", "field", "others"), WITH_TEMPLATES, ids=lambda cell: getattr(cell, "__name__", ""))
def test_every_template_field_is_rendered_this_way(kind: type[Any], field: str, others: dict[str, Any]) -> None:
    with DAG("rendering", schedule=None, start_date=BEGIN, render_template_as_native_obj=True) as dag:
        task_id = {} if kind is ZApiNotifier else {"task_id": "task"}
        subject = kind(**task_id, **others, **{field: ["1_000", "of {{ name }}"]})
    subject.render_template_fields({**CONTEXT, "dag": dag})
    assert getattr(subject, field) == ["1_000", "of Ana"]
