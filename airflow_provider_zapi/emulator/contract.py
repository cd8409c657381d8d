"""The emulator's copy of Z-API's contract: calls, settings, and recorded answers.

It is written from Z-API's published documentation and never from the provider's tables, so that a wrong path or field
name on either side leads to an error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

#: The only value that puts a setting's excluded contacts in force.
BLACKLIST = "CONTACT_BLACKLIST"

#: Z-API documents this limit for one call to ``phone-exists-batch``.
BATCH_LIMIT = 50_000


@dataclass(frozen=True)
class Setting:
    """One privacy setting: where requests carry its value, its values, and the scope of its list (None: no list)."""

    name: str
    path: str
    place: Literal["body", "query"]
    parameter: str
    values: tuple[str, ...]
    default: str
    scope: str | None = None


_WHO = ("ALL", "NONE", "CONTACTS", BLACKLIST)

SETTINGS = (
    Setting("last_seen", "privacy/last-seen", "body", "visualizationType", _WHO, "ALL", "lastSeen"),
    Setting("photo", "privacy/photo", "body", "visualizationType", _WHO, "ALL", "photo"),
    Setting("description", "privacy/description", "body", "visualizationType", _WHO, "ALL", "description"),
    Setting("group_add", "privacy/group-add", "body", "type", ("ALL", "CONTACTS", BLACKLIST), "ALL", "groupAdd"),
    Setting("online", "privacy/online", "body", "visualizationType", ("ALL", "SAME_LAST_SEEN"), "ALL"),
    Setting("read_receipts", "privacy/read-receipts", "query", "value", ("enable", "disable"), "enable"),
    Setting(
        "messages_duration",
        "privacy/messages-duration",
        "query",
        "value",
        ("days90", "days7", "hours24", "disable"),
        "disable",
    ),
)

SETTING_BY_NAME = {setting.name: setting for setting in SETTINGS}
SETTING_BY_PATH = {setting.path: setting for setting in SETTINGS}
SETTING_BY_SCOPE = {setting.scope: setting for setting in SETTINGS if setting.scope is not None}


@dataclass(frozen=True)
class Call:
    """One call below ``/instances/{id}/token/{token}/``.

    ``needs_session`` and ``needs_subscription`` say whether Z-API refuses the call without a WhatsApp session or with a
    lapsed subscription. ``changes_state`` says whether the call changes something, even if its answer is lost.
    """

    method: str
    path: str
    handler: str
    needs_session: bool = True
    needs_subscription: bool = True
    changes_state: bool = False
    summary: str = ""

    @property
    def takes_segment(self) -> bool:
        """Return whether the path takes one more segment."""
        return self.path.endswith("/")


#: A path that ends in ``/`` takes one more segment.
CALLS = (
    *(
        Call(
            "POST",
            setting.path,
            "write_setting",
            changes_state=True,
            summary=f"Set the privacy setting {setting.name}.",
        )
        for setting in SETTINGS
    ),
    Call("GET", "privacy/disallowed-contacts", "read_list", summary="List the excluded contacts of a privacy setting."),
    Call("GET", "status", "status", needs_session=False, summary="Say whether the number is connected."),
    Call("GET", "device", "device", summary="Describe the paired phone."),
    # `me` says when the subscription ends, so it does not depend on the subscription or the session.
    Call("GET", "me", "me", needs_session=False, needs_subscription=False, summary="Describe the instance."),
    Call("POST", "phone-exists-batch", "phone_exists_batch", summary="Say which phones are on WhatsApp."),
    Call("GET", "phone-exists/", "phone_exists", summary="Say whether a phone is on WhatsApp."),
    Call("PUT", "profile-name", "profile_name", changes_state=True, summary="Set the profile's name."),
    Call("POST", "send-text", "send_text", changes_state=True, summary="Send a message."),
)

#: The header that marks an answer of the emulator that Z-API would not send.
NOT_EMULATED_HEADER = "X-Emulator"


def _published() -> dict[str, list[re.Pattern[str]]]:
    """Return the published paths by method, as patterns."""
    text = (Path(__file__).parent / "published.txt").read_text(encoding="utf-8")
    paths: dict[str, list[re.Pattern[str]]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            method, path = line.split()
            paths.setdefault(method, []).append(re.compile(re.escape(path).replace(r"\{id\}", "[^/]+")))
    return paths


#: The paths in Z-API's documentation by method, including those that are not emulated.
PUBLISHED: Mapping[str, list[re.Pattern[str]]] = _published()


@dataclass(frozen=True)
class Answer:
    """An answer. A string as the body is sent unchanged, anything else as JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Return whether the call was carried out. The status does not show it, because Z-API also refuses with 200."""
        return self.status < 300 and self.body not in (NOT_DONE.body, NO_SUCH_PATH.body)


def refusal(error: str, status: int = 400) -> Answer:
    """Return a refusal in Z-API's form: an object whose ``error`` says why."""
    return Answer(status, {"error": error})


DONE = Answer(200, {"success": True})
NOT_DONE = Answer(200, {"success": False})
NO_SUCH_PATH = Answer(200, {"error": "NOT_FOUND", "message": "Unable to find matching target resource method"})
#: Z-API would not send this answer. It shows that the call exists, but the emulator does not have it.
NOT_EMULATED = Answer(
    501,
    {"error": "not emulated: Z-API has this call, but the emulator does not serve it"},
    {NOT_EMULATED_HEADER: "not emulated"},
)
INSTANCE_NOT_FOUND = refusal("Instance not found")
NOT_CONNECTED = refusal("You are not connected.")
SUBSCRIPTION_LAPSED = refusal("To continue sending a message, you must subscribe to this instance again")
INVALID_PHONE = refusal("Invalid phone")
# The statuses of these two answers are documented, but their bodies are not.
WRONG_METHOD = refusal("Method Not Allowed", 405)
WRONG_CONTENT_TYPE = refusal("Unsupported Media Type", 415)
#: A gateway stops waiting, although the write behind it succeeded.
ANSWER_LOST = Answer(504, "<html><body>504 Gateway Time-out</body></html>")

#: Two different answers to a missing Client-Token were recorded. The switch of this name picks one.
MISSING_CLIENT_TOKEN = {
    "not_configured": refusal("your client-token is not configured"),
    "null_not_allowed": refusal("null not allowed"),
}


def client_token_refused(sent: str) -> Answer:
    """Return the answer to a wrong Client-Token. Z-API repeats the value that was sent."""
    return refusal(f"Client-Token {sent} not allowed", 403)


def address_refused(address: str) -> Answer:
    """Return the answer to a caller whose address is not on the account's list.

    The text is documented. The status is not, so 403 is an assumption.
    """
    return refusal(f"{address} not allowed", 403)
