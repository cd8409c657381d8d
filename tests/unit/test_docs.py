"""The documentation agrees with the code: links, examples, tables and messages."""

from __future__ import annotations

import inspect
import json
import re
import runpy
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from airflow_provider_zapi.connection.form import FIELDS
from airflow_provider_zapi.emulator import RunningEmulator, running_emulator
from airflow_provider_zapi.emulator.__main__ import parse as parse_emulator
from airflow_provider_zapi.emulator.server import DEMO_INSTANCE
from airflow_provider_zapi.exceptions import ZApiConfigurationError, ZApiInvalidRequestError
from airflow_provider_zapi.hooks.zapi import ZApiHook
from airflow_provider_zapi.operators import fleet, policy, privacy
from airflow_provider_zapi.privacy.policy import parse_policy
from airflow_provider_zapi.privacy.settings import SETTINGS
from benchmarks.harness import FIGURES_PAGE, GOAL_HEADINGS, GOALS_PAGE, GROUPS, HEADINGS, NOTHING, group, regions
from tests.airflow.support import dag_bag
from tests.support import code_blocks

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
README, CONNECTION, OPERATORS = (
    (PROJECT / name).read_text() for name in ("README.md", "docs/connection.md", "docs/operators.md")
)
OPERATOR_CLASSES = [
    *(getattr(privacy, name) for name in privacy.__all__),
    policy.ApplyPrivacyPolicyOperator,
    fleet.ApplyFleetPolicyOperator,
]
#: The operators that have a setting's name in their class name.
SETTING_OPERATORS = [kind for kind in OPERATOR_CLASSES if issubclass(kind, privacy.SettingOperator)]


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{page.name} {number}")
        for page in PAGES
        # Its code would change this process's environment. `tests/airflow/test_own_project.py` runs it instead.
        if (language, page.stem) != ("python", "test-your-own-dag")
        for number, block in enumerate(code_blocks(page.read_text(), language))
    ]


def section(page: str, title: str) -> str:
    """Return the part of a page below a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


def table(text: str, first_heading: str) -> list[list[str]]:
    """Return the rows of the table that begins with this heading."""
    found = re.search(rf"^\| {re.escape(first_heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, f"no table {first_heading!r}"
    return [line.strip("| ").split(" | ") for line in found[1].splitlines()]


def code_of(cell: str) -> str:
    found = re.search(r"`([^`]+)`", cell)
    assert found, cell
    return found[1]


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, in the form that GitHub generates."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


# Links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        assert PROJECT in path.parents, target
        if anchor:
            assert anchor in anchors(path.read_text()), target


def test_every_page_and_every_picture_is_linked() -> None:
    index = (PROJECT / "docs" / "index.md").read_text()
    for page in PROJECT.glob("docs/**/*.md"):
        assert page.name == "index.md" or f"({page.relative_to(PROJECT / 'docs')})" in index
    texts = "".join(page.read_text() for page in PAGES)
    for picture in PROJECT.glob("docs/images/*"):
        assert f"images/{picture.name})" in texts
        assert picture.stat().st_size < 150_000


def test_every_term_of_the_glossary_is_linked_from_another_page_and_in_order() -> None:
    glossary = PROJECT / "docs" / "glossary.md"
    terms = re.findall(r"^## (.*)$", glossary.read_text(), re.MULTILINE)
    assert terms == sorted(terms)
    others = "".join(page.read_text() for page in PAGES if page != glossary)
    for term in terms:
        assert f"glossary.md#{term.lower().replace(' ', '-')})" in others, term


# Code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_code_has_a_language_and_a_test(page: Path) -> None:
    text = page.read_text()
    opened = re.findall(r"^ *```(.*)$", text, re.MULTILINE)[::2]
    assert set(opened) <= {"python", "bash", "json", "yaml", "text"}
    # Markdown also treats indented lines as code, except below a list item.
    before = ""
    for paragraph in re.split(r"\n{2,}", re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        assert not paragraph.startswith("    ") or re.match(r" *(- |\d+\. )", before), paragraph
        before = before if paragraph.startswith("  ") else paragraph


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs_and_its_dags_are_loaded_by_airflow(code: str, tmp_path: Path, airflow_db: None) -> None:
    file = tmp_path / "page.py"
    file.write_text(code)
    runpy.run_path(str(file))
    if "DAG(" in code:
        bag = dag_bag(tmp_path)
        assert not bag.import_errors
        assert all(dag.tasks for dag in bag.dags.values())
        assert len(bag.dags) == code.count("DAG(")


@pytest.mark.parametrize("code", blocks("bash"))
def test_bash_can_be_parsed(code: str) -> None:
    done = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", blocks("json"))
def test_json_can_be_parsed(code: str) -> None:
    json.loads(code)


# The connection


def test_the_connection_page_has_each_field_of_the_form() -> None:
    shown = [field for field in FIELDS if not field.hidden]
    expected = {
        field.name: (str(field.label), f"`extra`: `{field.name}`" if field.custom else f"`{field.name}`")
        for field in shown
    }
    rows = table(CONNECTION, "in the form")
    assert sorted((label, place) for label, place, _ in rows) == sorted(expected.values())
    texts = {(label, place): text for label, place, text in rows}
    for field in shown:
        # Airflow itself hides the password.
        secret = field.secret or field.name == "password"
        assert ("secret" in texts[expected[field.name]].replace("account security token", "").lower()) is secret


REFUSED = table(section(CONNECTION, "Mistakes in a connection"), "what is wrong")


@pytest.mark.parametrize(("example", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_the_connection_page_quotes_the_messages(monkeypatch: pytest.MonkeyPatch, example: str, message: str) -> None:
    good = {"conn_type": "zapi", "login": "demo-instance", "password": "demo-token"}
    monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DOCS", json.dumps({**good, **json.loads(code_of(example))}))
    with pytest.raises(ZApiConfigurationError) as caught:
        ZApiHook("zapi_docs").get_conn()
    assert str(caught.value).startswith(message)


def exported_connections() -> list[Any]:
    return [
        pytest.param(json.loads(value), id=page.name)
        for page in PAGES
        for block in code_blocks(page.read_text(), "bash")
        for value in re.findall(r"AIRFLOW_CONN_ZAPI_DEFAULT='(.*?)'", block, re.DOTALL)
    ]


def added_connections() -> list[Any]:
    found = []
    for page in PAGES:
        for block in code_blocks(page.read_text(), "bash"):
            if "connections add" in block:
                words = shlex.split(block)
                options = {
                    option.removeprefix("--conn-"): words[at + 1]
                    for at, option in enumerate(words)
                    if option.startswith("--conn-")
                }
                extra = json.loads(options.pop("extra"))
                conn_type = options.pop("type")
                found.append(pytest.param({"conn_type": conn_type, "extra": extra, **options}, id=f"{page.name} add"))
    return found


@pytest.mark.parametrize("connection", [*exported_connections(), *added_connections()])
def test_a_connection_on_a_page_works(monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any]) -> None:
    with running_emulator() as running:
        running.emulator.put(
            connection["login"],
            {
                "token": connection["password"],
                "client_token": connection["extra"]["client_token"],
                "phone": "5544999990000",
            },
        )
        # A page has either no host, which means Z-API's, or the emulator's default port, which may be in use here.
        assert connection.get("host", "http://127.0.0.1:8765") == "http://127.0.0.1:8765"
        monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DOCS", json.dumps({**connection, "host": running.url}))
        succeeded, message = ZApiHook("zapi_docs").test_connection()
    assert succeeded, message


def demo_connection(running: RunningEmulator) -> str:
    """Return the connection of the emulator's demo instance."""
    [(instance, parts)] = DEMO_INSTANCE.items()
    fields = {"login": instance, "password": parts["token"], "extra": {"client_token": parts["client_token"]}}
    return json.dumps({"conn_type": "zapi", "host": running.url, **fields})


def test_the_connection_page_uses_the_emulators_own_values() -> None:
    [(instance, parts)] = DEMO_INSTANCE.items()
    block = section(CONNECTION, "Three ways to create it")
    for value in (instance, parts["token"], parts["client_token"]):
        assert block.count(f'"{value}"') + block.count(f" {value} ") == 2


def test_the_connection_page_quotes_the_message_of_a_refused_token(monkeypatch: pytest.MonkeyPatch) -> None:
    [quoted] = code_blocks(CONNECTION, "text")
    with running_emulator() as running:
        wrong = {"login": "demo-instance", "password": "demo-token", "extra": {"client_token": "wrong"}}
        monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DOCS", json.dumps({"conn_type": "zapi", "host": running.url, **wrong}))
        assert ZApiHook("zapi_docs").test_connection() == (False, " ".join(quoted.split()))


# Performance


@pytest.mark.parametrize("name", GROUPS)
def test_the_pages_have_each_row_and_each_goal_of_the_benchmarks(name: str) -> None:
    figures, goals = (dict(regions(page.read_text())) for page in (FIGURES_PAGE, GOALS_PAGE))
    assert figures.keys() == goals.keys() == {"machine", *GROUPS}
    rows = group(name).ROWS
    assert [(measured, against) for measured, _, against, *_ in table(figures[name], HEADINGS[0])] == [
        (row.measured, row.against or NOTHING) for row in rows
    ]
    assert [(measured, against, goal) for measured, against, _, goal, _ in table(goals[name], GOAL_HEADINGS[0])] == [
        (row.measured, row.against or NOTHING, str(row.goal)) for row in rows if row.goal
    ]


# The operators


def name_of(kind: type) -> str:
    return kind.__name__


@pytest.mark.parametrize("operator", OPERATOR_CLASSES, ids=name_of)
def test_the_operators_page_has_each_parameter(operator: Any) -> None:
    text = section(OPERATORS, operator.__name__)
    taken = [
        parameter.name
        for parameter in inspect.signature(operator.__init__).parameters.values()
        if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    ]
    rows = table(text, "parameter")
    assert [code_of(name) for name, *_ in rows] == taken
    assert [code_of(name) for name, templated, _ in rows if templated == "yes"] == list(operator.template_fields)


@pytest.mark.parametrize("operator", SETTING_OPERATORS, ids=name_of)
def test_the_operators_page_has_each_value(operator: Any) -> None:
    text, setting = section(OPERATORS, operator.__name__), operator.setting
    # The four settings with a list share one table.
    rows = table(section(OPERATORS, "Values") if setting.list_scope else text, "value")
    missing = f"not available for {setting.name.replace('_', ' ')}"
    assert tuple(code_of(value) for value, meaning in rows if missing not in meaning) == setting.values
    assert setting.endpoint in text


@pytest.mark.parametrize("operator", SETTING_OPERATORS, ids=name_of)
def test_the_operators_page_shows_the_result_of_its_example(operator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = section(OPERATORS, operator.__name__)
    [example] = code_blocks(text, "python")
    task = eval(example.partition("\n\n")[2], {operator.__name__: operator})  # noqa: S307 - the page is our own
    shown = re.search(r"^\*\*Result:\*\*[^`]*`([^`]+)`", text, re.MULTILINE)
    assert shown
    with running_emulator() as running:
        monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", demo_connection(running))
        assert task.execute({}) == json.loads(shown[1])


def test_the_readme_lists_each_operator() -> None:
    rows = {code_of(name): call for name, _, call in table(README, "operator")}
    assert set(rows) == {kind.__name__ for kind in OPERATOR_CLASSES}
    for operator in SETTING_OPERATORS:
        assert code_of(rows[operator.__name__]) == f"POST {operator.setting.endpoint}"


POLICY = (PROJECT / "docs/policy.md").read_text()


def test_the_policy_page_has_each_setting_and_value() -> None:
    rows = table(section(POLICY, "Format"), "setting")
    assert rows == [
        [f"`{setting.name}`", " ".join(f"`{value}`" for value in setting.values), "yes" if setting.list_scope else "no"]
        for setting in SETTINGS
    ]


MISTAKES = table(section(POLICY, "Format"), "mistake")


@pytest.mark.parametrize(("example", "message"), MISTAKES, ids=[example for example, _ in MISTAKES])
def test_the_policy_page_quotes_the_messages(example: str, message: str) -> None:
    with pytest.raises(ZApiInvalidRequestError) as caught:
        parse_policy(code_of(example))
    assert code_of(message) in str(caught.value)


SCHEMA = json.loads((PROJECT / "docs/policy.schema.json").read_text())


def is_compose(block: Any) -> bool:
    return "services" in yaml.safe_load(block.values[0])


@pytest.mark.parametrize("policy", [block for block in blocks("yaml") if not is_compose(block)])
def test_a_policy_of_a_page_passes_the_schema_and_the_parser(policy: str) -> None:
    jsonschema.validate(yaml.safe_load(policy), SCHEMA)
    assert parse_policy(policy).settings


@pytest.mark.parametrize("compose", [block for block in blocks("yaml") if is_compose(block)])
def test_the_containers_of_a_page_fit_together(compose: str) -> None:
    services = yaml.safe_load(compose)["services"]
    emulator, airflow = services["zapi"], services["airflow-worker"]
    installs, _, runs = shlex.split(emulator["command"])[2].partition("&&")
    mounted = {target: source for source, target, *_ in (volume.split(":") for volume in emulator["volumes"])}
    assert mounted["/src"] == "./airflow-provider-zapi"
    _, _, _, constraints, package = shlex.split(installs)
    assert (PROJECT / constraints.removeprefix("/src/")).is_file()
    assert package == "/src[emulator]"
    # Without a shell between, the signal that stops the container reaches the emulator.
    replaced, _, *arguments = shlex.split(runs)
    assert replaced == "exec"
    options = parse_emulator(arguments)
    connection = json.loads(airflow["environment"]["AIRFLOW_CONN_ZAPI_DEFAULT"])
    assert connection["host"] == f"https://{options.allowed_host[0]}:{options.port}"
    assert airflow["environment"]["REQUESTS_CA_BUNDLE"] == str(options.tls)
    assert airflow["volumes"] == [f"{mounted['/certs']}:/certs"]


def test_the_mistakes_of_the_page_do_not_pass_the_schema() -> None:
    for example, _ in MISTAKES:
        assert not jsonschema.Draft7Validator(SCHEMA).is_valid(yaml.safe_load(code_of(example)))


BAD = table(section(OPERATORS, "Errors"), "given")


@pytest.mark.parametrize(("example", "message"), BAD, ids=[message for _, message in BAD])
def test_the_operators_page_quotes_the_messages(example: str, message: str) -> None:
    task = privacy.SetLastSeenPrivacyOperator(task_id="documented", **json.loads(code_of(example)))
    with pytest.raises(ZApiInvalidRequestError) as caught:
        task.execute({})
    assert str(caught.value).startswith(message)


# The first DAG


@pytest.mark.parametrize("name", ["README.md", "docs/getting-started.md"])
def test_the_first_dag_logs_what_its_page_says(
    name: str,
    tmp_path: Path,
    airflow_db: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    page = (PROJECT / name).read_text()
    [code] = code_blocks(page, "python")
    [quoted] = [block for block in code_blocks(page, "text") if "Z-API accepted" in block]
    (tmp_path / "first.py").write_text(code)
    [dag] = dag_bag(tmp_path).dags.values()
    assert re.search(rf"airflow dags test {dag.dag_id}$", page, re.MULTILINE)
    with running_emulator() as running:
        monkeypatch.setenv("AIRFLOW_CONN_ZAPI_DEFAULT", demo_connection(running))
        for task in dag.tasks:
            task.execute({"dag": dag})
    log = "".join(capfd.readouterr()) + caplog.text
    for line in quoted.splitlines():
        assert line in log


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150
