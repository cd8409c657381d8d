"""The provider's metadata for Airflow is valid, and both formats of the connection form agree."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from airflow_provider_zapi import __version__
from airflow_provider_zapi.connection.form import AIRFLOW_2_PLACEHOLDER, FIELDS
from airflow_provider_zapi.get_provider_info import get_provider_info
from airflow_provider_zapi.hooks.zapi import ZApiHook

INFO = get_provider_info()


def airflow_schema(name: str) -> Any:
    return json.loads(files("airflow").joinpath(name).read_text())


def test_airflow_discovers_the_info() -> None:
    [found] = [entry for entry in entry_points(group="apache_airflow_provider") if "zapi" in entry.value]
    assert found.load() is get_provider_info
    assert INFO["package-name"] == "airflow-provider-zapi"
    assert INFO["versions"] == [__version__]


def test_the_info_follows_airflows_runtime_schema() -> None:
    jsonschema.validate(INFO, airflow_schema("provider_info.schema.json"))


def test_the_connection_type_follows_the_strict_schema() -> None:
    """Check strictly, because Airflow ignores a misspelled key and the form would then lack a field."""
    schema = airflow_schema("provider.yaml.schema.json")
    connection_types = schema["properties"]["connection-types"]
    if "conn-fields" not in connection_types["items"]["properties"]:
        pytest.skip("this Airflow draws the form from the hook's methods (compared in the next tests)")
    strict = json.loads(json.dumps(connection_types))
    strict["items"]["additionalProperties"] = False
    # Airflow 3.2 reads this key, but its schema does not list it.
    strict["items"]["properties"].setdefault("hook-name", {"type": "string"})
    jsonschema.validate(INFO["connection-types"], {**strict, "definitions": schema.get("definitions", {})})


def test_the_form_methods_agree_with_the_info() -> None:
    behaviour = INFO["connection-types"][0]["ui-field-behaviour"]
    assert ZApiHook.get_ui_field_behaviour() == {
        "hidden_fields": behaviour["hidden-fields"],
        "relabeling": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
    }


def test_the_form_widgets_agree_with_the_info() -> None:
    pytest.importorskip("flask_appbuilder", reason="this Airflow does not include FAB's forms")
    widgets = ZApiHook.get_connection_form_widgets()
    fields = INFO["connection-types"][0]["conn-fields"]
    assert list(widgets) == list(fields)
    for name, described in fields.items():
        unbound = widgets[name]
        assert unbound.args == (described["label"],)
        assert unbound.kwargs["description"] == described["description"]
        hidden = described["schema"].get("format") == "password"
        assert (unbound.field_class.__name__ == "PasswordField") is hidden


def test_the_form_of_airflow_2_shows_a_placeholder_that_keeps_the_stored_secret() -> None:
    """Airflow 2.11 deletes a stored extra if its field is submitted empty. The form never repeats a secret."""
    pytest.importorskip("flask_appbuilder", reason="this Airflow does not include FAB's forms")
    form = type("Form", (importlib.import_module("wtforms").Form,), ZApiHook.get_connection_form_widgets())
    secret = {"client_token": "demo-client-token"}
    typed = importlib.import_module("werkzeug.datastructures").MultiDict(secret)
    for filled, shown in ((form(data=secret), AIRFLOW_2_PLACEHOLDER), (form(formdata=typed), ""), (form(), "")):
        assert f'type="password" value="{shown}"' in filled["client_token"]()


def test_optional_fields_have_no_default_and_can_be_empty() -> None:
    for described in INFO["connection-types"][0]["conn-fields"].values():
        assert described["schema"]["type"] == ["string", "null"]
        assert "default" not in described["schema"]


def test_secrets_have_names_that_airflow_masks() -> None:
    for field in FIELDS:
        assert field.secret is (field.custom and "token" in field.name)


def test_port_is_not_hidden() -> None:
    """Keep the port visible: the Test button of Airflow 3.3.1 and 3.3.2 fails for a connection without one."""
    assert "port" not in INFO["connection-types"][0]["ui-field-behaviour"]["hidden-fields"]


@pytest.mark.parametrize("section", ["hooks", "operators", "sensors", "triggers"])
def test_every_public_module_is_in_the_info_and_can_be_imported(section: str) -> None:
    package = importlib.import_module(f"airflow_provider_zapi.{section}")
    # Modules without a class for DAGs are helpers of the others.
    public = {
        f"{package.__name__}.{module.name}"
        for module in pkgutil.iter_modules(package.__path__)
        if module.name not in ("base", "events")
    }
    listed = [module for integration in INFO[section] for module in integration["python-modules"]]
    assert set(listed) == public
    for module in listed:
        assert importlib.import_module(module).__all__


@pytest.mark.parametrize("section", ["notifications", "extra-links", "cli"])
def test_every_object_of_the_info_exists(section: str) -> None:
    for path in INFO[section]:
        module, _, name = path.rpartition(".")
        assert name in importlib.import_module(module).__all__


def test_reading_the_info_imports_nothing_of_airflow() -> None:
    code = (
        "import sys; from airflow_provider_zapi.get_provider_info import get_provider_info; get_provider_info(); "
        "print([name for name in sys.modules if name.split('.')[0] in ('airflow', 'requests', 'tenacity')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
