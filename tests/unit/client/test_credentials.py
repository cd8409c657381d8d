"""Which credentials are refused, by the name of the field and without their value."""

from __future__ import annotations

import pickle

import pytest

from airflow_provider_zapi.client import Credentials
from airflow_provider_zapi.exceptions import ZApiConfigurationError
from tests.support import CLIENT_TOKEN, TOKEN, check_error, credentials, leaks

pytestmark = pytest.mark.usefixtures("nothing_leaks")

REFUSED = [
    # what is given, the field that the message names, a piece of what it says
    ({"instance_id": ""}, "Login", "is empty"),
    ({"instance_token": ""}, "Password", "is empty"),
    ({"client_token": ""}, "Account security token", "is empty"),
    ({"instance_id": ".."}, "Login", "a character other than letters"),
    ({"instance_id": "a/b"}, "Login", "a character other than letters"),
    ({"instance_token": f"{TOKEN}/x"}, "Password", "a character other than letters"),
    ({"instance_token": CLIENT_TOKEN}, "Password", "a character other than letters"),
    ({"instance_token": f"{TOKEN}\n"}, "Password", "a space or a line break"),
    ({"instance_token": f" {TOKEN}"}, "Password", "a space or a line break"),
    ({"client_token": f"{CLIENT_TOKEN}\r\nX: y"}, "Account security token", "a space or a line break"),
    ({"client_token": f"{CLIENT_TOKEN}é"}, "Account security token", "visible ASCII"),
    ({"instance_token": "***"}, "Password", "placeholder"),
    ({"client_token": "***"}, "Account security token", "placeholder"),
    ({"client_token": "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"}, "Account security token", "placeholder"),
    ({"client_token": 5}, "Account security token", "is no text"),
    ({"base_url": f"https://api.z-api.io/instances/a/token/{TOKEN}/send-text"}, "Host", "bare base URL"),
    ({"base_url": f"https://user:{TOKEN}@api.z-api.io"}, "Host", "bare base URL"),
    ({"base_url": "https://api.z-api.io?x=1"}, "Host", "bare base URL"),
    ({"base_url": "https://api.z-api.io#x"}, "Host", "bare base URL"),
    ({"base_url": "https://api.z-api.io\n"}, "Host", "bare base URL"),
    ({"base_url": "https://api..z-api.io"}, "Host", "bare base URL"),
    ({"base_url": "ftp://api.z-api.io"}, "Host", "bare base URL"),
    ({"base_url": "https://"}, "Host", "bare base URL"),
    ({"base_url": "https://api.z-api.io:0"}, "Host", "outside 1 to 65535"),
    ({"base_url": "https://api.z-api.io:65536"}, "Host", "outside 1 to 65535"),
    ({"base_url": "http://api.z-api.io"}, "Host", "in clear"),
    ({"base_url": "http://10.0.0.5:8765"}, "Host", "in clear"),
    ({"base_url": "http://localhost.example.com"}, "Host", "in clear"),
]


@pytest.mark.parametrize(("changes", "field", "reason"), REFUSED)
def test_a_credential_that_cannot_be_used_is_refused_by_field(
    changes: dict[str, object], field: str, reason: str
) -> None:
    with pytest.raises(ZApiConfigurationError) as caught:
        credentials(**changes)
    message = str(caught.value)
    assert message.startswith(field)
    assert reason in message
    assert "connection 'zapi_default'" in message
    assert caught.value.advice.endswith(".")
    check_error(caught.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://api-v2.z-api.io", "https://api-v2.z-api.io"),
        ("https://api-v2.z-api.io/", "https://api-v2.z-api.io"),
        ("HTTPS://API.Z-API.IO:443", "https://api.z-api.io:443"),
        ("api.z-api.io", "https://api.z-api.io"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://localhost:8765/", "http://localhost:8765"),
        ("http://[::1]:8765", "http://[::1]:8765"),
    ],
)
def test_a_bare_base_url_is_used(given: str, used: str) -> None:
    assert credentials(base_url=given).base_url == used


def test_credentials_show_nothing_and_are_not_pickled() -> None:
    given = credentials()
    assert not leaks(repr(given), str(given), f"{given}")
    with pytest.raises(TypeError, match=r"^Z-API credentials are not pickled: .* where it is used$"):
        pickle.dumps(given)


def test_the_address_holds_instance_and_token() -> None:
    assert Credentials("a", "b").url("status") == "https://api.z-api.io/instances/a/token/b/status"
