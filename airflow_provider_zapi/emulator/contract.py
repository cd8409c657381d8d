"""Z-API's contract as the emulator states it: calls, settings, and the answers that were recorded.

Written from Z-API's published documentation and never from the provider's own tables, so that a wrong path or
field name on either side meets an answer that disagrees.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

#: The only value with which a setting's excluded contacts are in force.
BLACKLIST = "CONTACT_BLACKLIST"

#: Z-API documents this limit for one call to ``phone-exists-batch``.
BATCH_LIMIT = 50_000


@dataclass(frozen=True)
class Setting:
    """One privacy setting: where its value travels, its values, and its list's scope (None: no list)."""

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

    ``needs_session`` and ``needs_subscription`` say whether a lost WhatsApp session and a lapsed subscription
    refuse it; ``changes_state`` whether a lost answer would leave something done.
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
        """Whether the path takes one further segment."""
        return self.path.endswith("/")


#: A path that ends in ``/`` takes one further segment.
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
    # `me` says when the subscription ends, so it can depend on neither it nor the session.
    Call("GET", "me", "me", needs_session=False, needs_subscription=False, summary="Describe the instance."),
    Call("POST", "phone-exists-batch", "phone_exists_batch", summary="Say which phones are on WhatsApp."),
    Call("GET", "phone-exists/", "phone_exists", summary="Say whether a phone is on WhatsApp."),
    Call("PUT", "profile-name", "profile_name", changes_state=True, summary="Set the profile's name."),
    Call("POST", "send-text", "send_text", changes_state=True, summary="Send a message."),
)

#: The header of an answer that is the emulator's own and not Z-API's.
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


#: Method -> the paths on Z-API's published pages, whether emulated or not.
PUBLISHED: Mapping[str, list[re.Pattern[str]]] = _published()


@dataclass(frozen=True)
class Answer:
    """What goes back: a string as body is sent as it is, anything else as JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the call was carried out: Z-API refuses under status 200 too."""
        return self.status < 300 and self.body not in (NOT_DONE.body, NO_SUCH_PATH.body)


def refusal(error: str, status: int = 400) -> Answer:
    """Return the form in which Z-API refuses: an object whose ``error`` says why."""
    return Answer(status, {"error": error})


DONE = Answer(200, {"success": True})
NOT_DONE = Answer(200, {"success": False})
NO_SUCH_PATH = Answer(200, {"error": "NOT_FOUND", "message": "Unable to find matching target resource method"})
#: The paths are Z-API's, the answer is not: a caller has to learn that the emulator lacks the call.
NOT_EMULATED = Answer(
    501,
    {"error": "not emulated: Z-API has this call, and the emulator does not serve it"},
    {NOT_EMULATED_HEADER: "not emulated"},
)
INSTANCE_NOT_FOUND = refusal("Instance not found")
NOT_CONNECTED = refusal("You are not connected.")
SUBSCRIPTION_LAPSED = refusal("To continue sending a message, you must subscribe to this instance again")
INVALID_PHONE = refusal("Invalid phone")
# The statuses of these two are documented, their bodies are not.
WRONG_METHOD = refusal("Method Not Allowed", 405)
WRONG_CONTENT_TYPE = refusal("Unsupported Media Type", 415)
#: A gateway gives up waiting, although the write behind it went through.
ANSWER_LOST = Answer(504, "<html><body>504 Gateway Time-out</body></html>")

#: Two answers to a missing Client-Token were recorded; the switch of this name picks one.
MISSING_CLIENT_TOKEN = {
    "not_configured": refusal("your client-token is not configured"),
    "null_not_allowed": refusal("null not allowed"),
}


def client_token_refused(sent: str) -> Answer:
    """Return the answer to a wrong Client-Token: Z-API echoes the value that was sent."""
    return refusal(f"Client-Token {sent} not allowed", 403)


def address_refused(address: str) -> Answer:
    """Return the answer to a caller whose address is not on the account's list.

    The text is documented; its status is not, and 403 is chosen.
    """
    return refusal(f"{address} not allowed", 403)
