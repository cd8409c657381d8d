"""The emulated instances and the requests they got. No HTTP, no clock of its own, nothing random."""

import copy
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_zapi.emulator.checks import InvalidInputError, require_names
from airflow_provider_zapi.emulator.contacts import is_identifier, is_phone
from airflow_provider_zapi.emulator.contract import BLACKLIST, SETTING_BY_NAME, SETTINGS
from airflow_provider_zapi.emulator.partner import Account
from airflow_provider_zapi.emulator.privacy_list import PrivacyRecord
from airflow_provider_zapi.emulator.switches import SWITCH_DEFAULTS, check_switches, check_value

#: How many changes and messages an instance, and requests the emulator, remembers; the oldest are dropped.
REMEMBERED = 500
#: WhatsApp's own picker stops at so many exceptions.
MAX_EXCEPTIONS = 64_000

#: Both stand in paths.
_CREDENTIAL = re.compile(r"[A-Za-z0-9_-]{1,200}")
#: Z-API documents no form for the Client-Token, so anything goes that a header can carry.
_HEADER_VALUE = re.compile(r"[!-~]{1,200}")


def _is_credential(value: object) -> bool:
    return isinstance(value, str) and _CREDENTIAL.fullmatch(value) is not None


def _is_client_token(value: object) -> bool:
    return value is None or (isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 200


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


#: What can be set of an instance besides settings and switches: name -> check, what is accepted.
PARTS: dict[str, tuple[Callable[[object], bool], str]] = {
    "token": (_is_credential, "letters, digits, _ and -"),
    "client_token": (_is_client_token, "visible ASCII characters, or null"),
    "phone": (is_phone, "8 to 15 digits"),
    "name": (_is_name, "a text of at most 200 characters"),
    "connected": (_is_flag, "true or false"),
    "smartphone_connected": (_is_flag, "true or false"),
    "subscription": (lambda value: value in ("active", "lapsed"), '"active" or "lapsed"'),
}


def _check_settings(given: object) -> dict[str, dict[str, Any]]:
    settings = require_names(given, SETTING_BY_NAME, "settings")
    for name, parts in settings.items():
        has_list = SETTING_BY_NAME[name].scope is not None
        require_names(parts, ("value", "exceptions") if has_list else ("value",), f"setting {name}")
        if "value" in parts:
            check_value(name, parts["value"], f"value of setting {name}")
        exceptions = parts.get("exceptions", [])
        if not isinstance(exceptions, list) or not all(map(is_identifier, exceptions)):
            raise InvalidInputError(
                f"exceptions of setting {name} must be a list of phones (8 to 15 digits) or @lid texts"
            )
        if len(exceptions) > MAX_EXCEPTIONS:
            raise InvalidInputError(f"exceptions of setting {name} must be at most {MAX_EXCEPTIONS}")
    return settings


class Instance:
    """One WhatsApp number as Z-API serves it.

    `patch` is the one way to change it from outside, `write` is what a privacy call does.
    """

    def __init__(
        self, instance_id: str, clock: Callable[[], float], lock: threading.RLock, changed: Callable[[], None]
    ) -> None:
        self.id = instance_id
        self.token = ""
        self.client_token: str | None = None
        self.phone = ""
        self.name = "Emulated number"
        self.connected = True
        self.smartphone_connected = True
        self.subscription = "active"
        self.switches: dict[str, Any] = copy.deepcopy(SWITCH_DEFAULTS)
        self.records = {setting.name: PrivacyRecord(setting, self.switches, setting.default) for setting in SETTINGS}
        self.history: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.messages: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.messages_sent = 0
        self._clock = clock
        self._lock = lock
        self._changed = changed

    def patch(self, changes: Mapping[str, Any]) -> None:
        """Change parts, settings and switches by the JSON interface's names; all or, if one is wrong, none.

        :raises InvalidInputError: a name is unknown, or a value cannot be used
        """
        given = require_names(dict(changes), (*PARTS, "settings", "switches"), "an instance")
        for name, (check, accepted) in PARTS.items():
            if name in given and not check(given[name]):
                raise InvalidInputError(f"{name} must be {accepted}")
        settings = _check_settings(given.get("settings", {}))
        switches = check_switches(given.get("switches", {}))
        with self._lock:
            for name in PARTS.keys() & given:
                setattr(self, name, given[name])
            self.switches.update(copy.deepcopy(switches))
            for name, parts in settings.items():
                record = self.records[name]
                self._remember("control", record.replace(parts.get("value", record.value), parts.get("exceptions")))
            self._changed()

    def write(self, setting: str, value: str, changes: Iterable[Mapping[str, str]] = ()) -> bool:
        """Carry out one privacy write, after what the switches put before it; return whether it was done."""
        changes = list(changes)
        with self._lock:
            if self.switches["other_writer"]:
                self._write_as_other(self.switches["other_writer"].pop(0))
            if self.take("conflicts"):
                return False
            record = self.records[setting]
            if value == BLACKLIST and self.switches["empty_list"] == "refused" and record.would_be_empty(changes):
                return False
            self._remember("api", record.write(value, changes))
            return True

    def take(self, counter: str) -> bool:
        """Use up one of a counting switch, and return whether there was one."""
        left = self.switches[counter]
        if left:
            self.switches[counter] = left - 1
        return bool(left)

    def send(self, phone: str, message: str) -> dict[str, Any]:
        """Record a text message as sent and return the record."""
        self.messages_sent += 1
        sent = {"number": self.messages_sent, "time": self._clock(), "phone": phone, "message": message}
        self.messages.append(sent)
        return sent

    def view(self, max_exceptions: int | None = None) -> dict[str, Any]:
        """Return the whole state without secrets, with at most ``max_exceptions`` of each list if given."""
        with self._lock:
            lists = {name: record for name, record in self.records.items() if record.setting.scope}
            settings: dict[str, dict[str, Any]] = {
                name: {"value": record.value} for name, record in self.records.items()
            }
            for name, record in lists.items():
                settings[name]["exceptions"] = record.exceptions(max_exceptions)
            return {
                "id": self.id,
                "phone": self.phone,
                "name": self.name,
                "client_token_required": self.client_token is not None,
                "connected": self.connected,
                "smartphone_connected": self.smartphone_connected,
                "subscription": self.subscription,
                "settings": settings,
                "exception_counts": {name: len(record.contacts) for name, record in lists.items()},
                "versions": {name: record.version for name, record in self.records.items()},
                "switches": copy.deepcopy(self.switches),
                "history": list(self.history),
                "messages": list(self.messages),
            }

    def _write_as_other(self, write: Mapping[str, Any]) -> None:
        record = self.records[write["setting"]]
        changed = record.write(write.get("value", record.value), write.get("changes", []), exact=False)
        self._remember("other client", changed)

    def _remember(self, by: str, changed: dict[str, Any] | None) -> None:
        if changed:
            self.history.append({"time": self._clock(), "by": by, **changed})


class Emulator:
    """All emulated instances, and the requests received.

    :param clock: seconds since the epoch, for the times in histories and requests
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.account = Account()
        self.instances: dict[str, Instance] = {}
        self._requests: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._received = 0
        #: Another number after each change and each request.
        self.revision = 0

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests received, oldest first, without secrets."""
        with self.lock:
            return list(self._requests)

    def instance(self, instance_id: str) -> Instance:
        """Return the instance of this id; raises KeyError if there is none."""
        return self.instances[instance_id]

    def put(self, instance_id: str, given: Mapping[str, Any]) -> Instance:
        """Create or replace an instance; token, client_token (or None) and phone are required.

        :raises InvalidInputError: a required part is missing, a name is unknown, or a value cannot be used
        """
        if not _is_credential(instance_id):
            raise InvalidInputError("an instance id must be letters, digits, _ and -")
        missing = [name for name in ("token", "client_token", "phone") if name not in given]
        if missing:
            raise InvalidInputError(f"an instance needs {', '.join(missing)} too")
        instance = Instance(instance_id, self.clock, self.lock, self._changed)
        instance.patch(given)
        with self.lock:
            self.instances[instance_id] = instance
            self._changed()
        return instance

    def delete(self, instance_id: str) -> None:
        """Delete an instance; raises KeyError if there is none."""
        with self.lock:
            del self.instances[instance_id]
            self._changed()

    def record_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remember a request, with its number and time, and return what is remembered."""
        with self.lock:
            self._received += 1
            recorded = {"number": self._received, "time": self.clock(), **request}
            self._requests.append(recorded)
            self._changed()
            return recorded

    def clear_requests(self) -> None:
        """Forget the requests received; their numbers go on."""
        with self.lock:
            self._requests.clear()
            self._changed()

    def _changed(self) -> None:
        self.revision += 1
