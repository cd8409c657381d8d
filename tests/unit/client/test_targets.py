"""Bad credentials are refused with an error that names the field but does not show its value."""

from __future__ import annotations

import pickle

import pytest

from airflow_provider_zapi.client import Credentials
from airflow_provider_zapi.exceptions import ZApiConfigurationError
from tests.support import CLIENT_TOKEN, TOKEN, check_error, credentials, leaks

pytestmark = pytest.mark.usefixtures("nothing_leaks")

REFUSED = [
    # the arguments, the field that the message names, a part of the message
    ({"instance_id": ""}, "Instance ID", "is empty"),
    ({"instance_token": ""}, "Instance token", "is empty"),
    ({"client_token": ""}, "Account security token", "is empty"),
    ({"instance_id": None}, "Instance ID", "is empty"),
    ({"instance_id": ".."}, "Instance ID", "a character other than letters"),
    ({"instance_id": "a/b"}, "Instance ID", "a character other than letters"),
    ({"instance_token": f"{TOKEN}/x"}, "Instance token", "a character other than letters"),
    ({"instance_token": CLIENT_TOKEN}, "Instance token", "a character other than letters"),
    ({"instance_token": f"{TOKEN}\n"}, "Instance token", "a space or a line break"),
    ({"instance_token": f" {TOKEN}"}, "Instance token", "a space or a line break"),
    ({"client_token": f"{CLIENT_TOKEN}\r\nX: y"}, "Account security token", "a space or a line break"),
    ({"client_token": f"{CLIENT_TOKEN}é"}, "Account security token", "visible ASCII"),
    ({"client_token": 5}, "Account security token", "is not a string"),
    (
        {"base_url": f"https://api.z-api.io/instances/a/token/{TOKEN}/send-text"},
        "Base URL",
        "scheme, host and optional port only",
    ),
    ({"base_url": f"https://user:{TOKEN}@api.z-api.io"}, "Base URL", "scheme, host and optional port only"),
    ({"base_url": "https://api.z-api.io?x=1"}, "Base URL", "scheme, host and optional port only"),
    ({"base_url": "https://api.z-api.io#x"}, "Base URL", "scheme, host and optional port only"),
    ({"base_url": "https://api.z-api.io\n"}, "Base URL", "scheme, host and optional port only"),
    ({"base_url": "https://api..z-api.io"}, "Base URL", "scheme, host and optional port only"),
    ({"base_url": "ftp://api.z-api.io"}, "Base URL", "scheme, host and optional port only"),
    ({"base_url": "https://"}, "Base URL", "scheme, host and optional port only"),
    ({"base_url": "https://api.z-api.io:0"}, "Base URL", "not between 1 and 65535"),
    ({"base_url": "https://api.z-api.io:65536"}, "Base URL", "not between 1 and 65535"),
    ({"base_url": "https://[:::]"}, "Base URL", "something other than an IPv6 address"),
    ({"base_url": "http://[127.0.0.1.]:1"}, "Base URL", "something other than an IPv6 address"),
    ({"base_url": "http://api.z-api.io"}, "Base URL", "unencrypted"),
    ({"base_url": "http://10.0.0.5:8765"}, "Base URL", "unencrypted"),
    ({"base_url": "http://localhost.example.com"}, "Base URL", "unencrypted"),
]


@pytest.mark.parametrize(("changes", "field", "reason"), REFUSED)
def test_the_error_about_an_invalid_credential_names_the_field(
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


#: The connection's fields by their names in messages, with their rules and where to find their values.
FIELDS = {
    "instance_id": (
        "Instance ID",
        "letters, digits, '_' and '-'",
        "Copy it from https://app.z-api.io/app/instances.",
    ),
    "instance_token": (
        "Instance token",
        "letters, digits, '_' and '-'",
        "Copy it from https://app.z-api.io/app/instances. It is not the account security token.",
    ),
    "client_token": (
        "Account security token",
        "visible ASCII characters",
        "Copy it from https://app.z-api.io/app/security.",
    ),
}
HOST_ADVICE = (
    "Leave it empty for https://api.z-api.io, or enter only scheme, host and optional port, such as https://api-v2.z-api.io. It must not "
    "have a path, user, query or token. The instance's ID belongs in Instance ID and its token in Instance token."
)
HOSTS = [
    ("https://x/y", "Base URL must be scheme, host and optional port only", HOST_ADVICE),
    ("https://x:0", "Base URL has a port that is not between 1 and 65535", HOST_ADVICE),
    (
        "http://x",
        "Base URL starts with http://, which would send the credentials unencrypted",
        "Use https://. http:// is allowed only for a server "
        "on this machine (127.0.0.1, localhost), such as the emulator.",
    ),
]


def refusal(**changes: object) -> tuple[str, str]:
    with pytest.raises(ZApiConfigurationError) as caught:
        credentials(**changes)
    return caught.value.what, caught.value.advice


@pytest.mark.parametrize("field", FIELDS)
def test_the_error_says_what_a_field_accepts_and_where_to_find_its_value(field: str) -> None:
    name, accepted, source = FIELDS[field]
    assert refusal(**{field: ""}) == (f"{name} is empty", source)
    assert refusal(**{field: "\u00e9"}) == (f"{name} contains a character other than {accepted}", source)
    assert refusal(**{field: "a b"}) == (
        f"{name} contains a space or a line break",
        "Copy only the value, without the characters around it.",
    )


@pytest.mark.parametrize(("base_url", "what", "advice"), HOSTS, ids=[row[1] for row in HOSTS])
def test_the_error_says_what_a_host_must_be(base_url: str, what: str, advice: str) -> None:
    assert refusal(base_url=base_url) == (what, advice)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://api.z-api.io:1", "https://api.z-api.io:1"),
        ("https://api.z-api.io:65535", "https://api.z-api.io:65535"),
        ("https://api-v2.z-api.io", "https://api-v2.z-api.io"),
        ("https://api-v2.z-api.io/", "https://api-v2.z-api.io"),
        ("HTTPS://API.Z-API.IO:443", "https://api.z-api.io:443"),
        ("api.z-api.io", "https://api.z-api.io"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://localhost:8765/", "http://localhost:8765"),
        ("http://[::1]:8765", "http://[::1]:8765"),
    ],
)
def test_a_base_url_without_a_path_is_used(given: str, used: str) -> None:
    assert credentials(base_url=given).base_url == used


def test_credentials_do_not_show_secrets_and_cannot_be_pickled() -> None:
    given = credentials()
    assert not leaks(repr(given), str(given), f"{given}")
    with pytest.raises(TypeError, match=r"^Z-API credentials cannot be pickled\. .* where it is used$"):
        pickle.dumps(given)


def test_the_secrets_added_on_the_wire_are_instance_and_tokens() -> None:
    given = Credentials("a", "b", "c")
    assert (given.base_url, given.path_prefix) == ("https://api.z-api.io", "/instances/a/token/b")
    assert given.secret_headers == {"Client-Token": "c"}
    assert Credentials("a", "b").secret_headers == {}
