"""The connection form works on the newest Airflow and on Airflow 2, which has a different form."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from airflow_provider_zapi.connection.form import FIELDS
from airflow_provider_zapi.emulator import RunningEmulator
from airflow_provider_zapi.panel import INSTANCES_PAGE, SECURITY_PAGE
from scripts.standalone import AIRFLOW_2, RunningAirflow
from tests.airflow.real import environment, run_airflow
from tests.support import CLIENT_TOKEN, TOKEN, leaks
from tests.ui.browser import Airflow2Form, ConnectionForm
from tests.ui.conftest import STANDARD

SECRETS = {"password", "client_token", "partner_token"}


def good(emulator: RunningEmulator) -> dict[str, str]:
    return {**STANDARD, "host": emulator.url, "client_token": CLIENT_TOKEN}


def test_each_field_has_its_label_and_its_help_text(form: ConnectionForm) -> None:
    form.add("zapi_described")
    for field in FIELDS:
        if field.hidden:
            expect(form.field(field.name)).to_be_hidden()
        else:
            expect(form.field(field.name)).to_be_visible()
            assert form.described(field.name) == (field.label, field.help)


def test_secrets_are_hidden_while_they_are_typed(form: ConnectionForm) -> None:
    form.add("zapi_typed")
    hidden = {
        field.name
        for field in FIELDS
        if not field.hidden and form.field(field.name).get_attribute("type") == "password"
    }
    assert hidden == SECRETS


def test_a_connection_without_an_id_is_not_saved(form: ConnectionForm) -> None:
    form.add("zapi_without_an_id")
    form.conn_id.fill("")
    form.leave_field()
    form.expect_no_save()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("login", "Instance ID is empty. Copy it from https://app.z-api.io/app/instances."),
        ("password", "Instance token is empty. Copy it from https://app.z-api.io/app/instances"),
    ],
)
def test_a_form_without_a_required_field_is_saved_but_the_test_says_what_to_do(
    form: ConnectionForm, emulator: RunningEmulator, missing: str, said: str
) -> None:
    """Check this, because Airflow cannot make its own fields required."""
    form.add(f"zapi_without_{missing}")
    form.fill({name: value for name, value in good(emulator).items() if name != missing})
    assert said in str(form.save_and_test(f"zapi_without_{missing}"))


def test_the_test_of_a_good_connection_succeeds(default_connection_said: str | None) -> None:
    assert default_connection_said is None


@pytest.mark.parametrize(
    ("of_the_emulator", "said"),
    [
        (
            {"token": "another-token", "client_token": CLIENT_TOKEN},
            "Z-API does not have an instance with this ID and token (endpoint status, HTTP 400). Compare the connection's "
            f"Instance ID and Instance token with {INSTANCES_PAGE}. [ZAPI-INSTANCE-NOT-FOUND]",
        ),
        (
            {"token": TOKEN, "client_token": "another-client-token"},
            "Z-API refused the Client-Token (endpoint status, HTTP 403). Copy the account security token from Security in "
            f'the Z-API panel ({SECURITY_PAGE}) into the connection\'s "Account security token". It is not the instance '
            "token. [ZAPI-AUTH-CLIENT-TOKEN]",
        ),
    ],
    ids=["instance-token", "client-token"],
)
def test_a_wrong_secret_is_not_shown_and_the_test_says_what_to_do(
    form: ConnectionForm,
    emulator: RunningEmulator,
    request: pytest.FixtureRequest,
    of_the_emulator: dict[str, str],
    said: str,
) -> None:
    """Type the canaries as wrong secrets. The emulator repeats a wrong Client-Token, as Z-API does."""
    name = request.node.callspec.id
    emulator.emulator.put(f"refusing-{name}", {**of_the_emulator, "phone": "5544999990000"})
    form.add(f"zapi_wrong_{name}")
    form.fill({**good(emulator), "login": f"refusing-{name}"})
    told = str(form.save_and_test(f"zapi_wrong_{name}"))
    assert said in told
    assert not leaks(told)


def test_a_reopened_form_hides_stored_secrets_and_keeps_them_when_saved(
    form: ConnectionForm, emulator: RunningEmulator, airflow: RunningAirflow
) -> None:
    form.add("zapi_kept")
    form.fill(good(emulator))
    form.save()
    form.edit("zapi_kept")
    for name, shown in form.stored_as.items():
        expect(form.field(name)).to_have_attribute("type", "password")
        expect(form.field(name)).to_have_value(shown)
    assert not leaks(form.page.content())
    form.fill({"timeout": "20"})
    form.save()
    # The emulator accepts no other secrets.
    env = environment(airflow.log.parent, {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"})
    assert "Connection success!" in run_airflow(env, "connections test zapi_kept")


@pytest.mark.skipif(not AIRFLOW_2, reason="in newer versions, the Test button tests the stored values")
def test_a_reopened_form_asks_for_the_secrets_before_it_tests(form: ConnectionForm, emulator: RunningEmulator) -> None:
    assert isinstance(form, Airflow2Form)
    form.add("zapi_reopened")
    form.fill(good(emulator))
    form.save()
    form.edit("zapi_reopened")
    assert "Account security token is the placeholder" in str(form.test())
    form.fill({"client_token": CLIENT_TOKEN})
    assert "Instance token is empty" in str(form.test())
    form.fill({"password": TOKEN})
    assert form.test() is None
