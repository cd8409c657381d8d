"""The emulated instances and the requests that they received. No HTTP, no clock, no random numbers."""

import copy
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_zapi.emulator.checks import InvalidInputError, require_names
from airflow_provider_zapi.emulator.contacts import is_identifier, is_phone
from airflow_provider_zapi.emulator.contract import BLACKLIST, SETTING_BY_NAME, SETTINGS
from airflow_provider_zapi.emulator.faults import Fault, read_fault
from airflow_provider_zapi.emulator.partner import Account
from airflow_provider_zapi.emulator.privacy_list import PrivacyRecord
from airflow_provider_zapi.emulator.recent import Recent, drop_oldest
from airflow_provider_zapi.emulator.switches import SWITCH_DEFAULTS, check_switches, check_value

#: The most changes and messages that an instance records, and requests that the emulator records. Older ones are
#: dropped.
REMEMBERED = 500
#: The most bytes of requests that the emulator records, and of messages that an instance records.
REMEMBERED_BYTES = 4 * 1024 * 1024
#: The most bytes of messages and changes that all instances record together.
ALL_REMEMBERED_BYTES = 32 * 1024 * 1024
#: After this many requests, the memory of all instances together is checked again.
_TIDY_AFTER = 256
#: The most characters of a message in the record. Longer messages are cut.
_REMEMBERED_MESSAGE = 16 * 1024
#: The most active faults, and the most bytes that they may have together.
_MAX_FAULTS = 1_000
_MAX_FAULT_BYTES = 4 * 1024 * 1024
#: WhatsApp's limit of excluded contacts for one setting.
MAX_EXCLUDED = 64_000

#: The form of instance ids and tokens, which are part of paths.
_CREDENTIAL = re.compile(r"[A-Za-z0-9_-]{1,200}")
#: Z-API does not document the form of the Client-Token, so any header value is accepted.
_HEADER_VALUE = re.compile(r"[!-~]{1,200}")


def _is_credential(value: object) -> bool:
    return isinstance(value, str) and _CREDENTIAL.fullmatch(value) is not None


def _is_client_token(value: object) -> bool:
    return value is None or (isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 200


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


#: The fields of an instance besides settings and switches, each with its check and a description of what it accepts.
PARTS: dict[str, tuple[Callable[[object], bool], str]] = {
    "token": (_is_credential, "letters, digits, _ and -"),
    "client_token": (_is_client_token, "visible ASCII characters, or null"),
    "phone": (is_phone, "8 to 15 digits"),
    "name": (_is_name, "a string of at most 200 characters"),
    "profile_name": (lambda value: value is None or _is_name(value), "a string of at most 200 characters, or null"),
    "connected": (_is_flag, "true or false"),
    "smartphone_connected": (_is_flag, "true or false"),
    "subscription": (lambda value: value in ("active", "lapsed"), '"active" or "lapsed"'),
}


def _check_settings(given: object) -> dict[str, dict[str, Any]]:
    settings = require_names(given, SETTING_BY_NAME, "settings")
    for name, parts in settings.items():
        has_list = SETTING_BY_NAME[name].scope is not None
        require_names(parts, ("value", "excluded") if has_list else ("value",), f"setting {name}")
        if "value" in parts:
            check_value(name, parts["value"], f"value of setting {name}")
        excluded = parts.get("excluded", [])
        if not isinstance(excluded, list) or not all(map(is_identifier, excluded)):
            raise InvalidInputError(
                f"excluded of setting {name} must be a list of phones (8 to 15 digits) or @lid identifiers"
            )
        if len(excluded) > MAX_EXCLUDED:
            raise InvalidInputError(f"excluded of setting {name} must be at most {MAX_EXCLUDED}")
    return settings


class Instance:
    """One WhatsApp number.

    A test changes it with `patch`, and a privacy call with `write`.
    """

    def __init__(
        self, instance_id: str, clock: Callable[[], float], lock: threading.RLock, changed: Callable[[], None]
    ) -> None:
        self.id = instance_id
        self.token = ""
        self.client_token: str | None = None
        self.phone = ""
        self.name = "Emulated number"
        self.profile_name: str | None = None
        self.connected = True
        self.smartphone_connected = True
        self.subscription = "active"
        self.switches: dict[str, Any] = copy.deepcopy(SWITCH_DEFAULTS)
        self.records = {setting.name: PrivacyRecord(setting, self.switches, setting.default) for setting in SETTINGS}
        self.history: Recent[dict[str, Any]] = Recent(REMEMBERED, REMEMBERED_BYTES)
        self.messages: Recent[dict[str, Any]] = Recent(REMEMBERED, REMEMBERED_BYTES)
        self.messages_sent = 0
        self._clock = clock
        self._lock = lock
        self._changed = changed

    def patch(self, changes: Mapping[str, Any]) -> None:
        """Change parts, settings and switches, by the JSON interface's names. If one is invalid, nothing changes.

        :raises InvalidInputError: a name is unknown, or a value is invalid
        """
        given = require_names(dict(changes), (*PARTS, "settings", "switches"), "an instance")
        for name, (check, accepted) in PARTS.items():
            if name in given and not check(given[name]):
                raise InvalidInputError(f"{name} must be {accepted}")
        settings = _check_settings(given.get("settings", {}))
        # Copy before anything is changed, because a copy can fail even if the check succeeded.
        switches = copy.deepcopy(check_switches(given.get("switches", {})))
        with self._lock:
            for name in PARTS.keys() & given:
                setattr(self, name, given[name])
            self.switches.update(switches)
            for name, parts in settings.items():
                record = self.records[name]
                self._remember("control", record.replace(parts.get("value", record.value), parts.get("excluded")))
            self._changed()

    def write(self, setting: str, value: str, changes: Iterable[Mapping[str, str]] = ()) -> bool:
        """Carry out one privacy write, after the effects of the switches. Return whether it was done."""
        changes = list(changes)
        with self._lock:
            if self.switches["other_writer"]:
                self._write_as_other(self.switches["other_writer"].pop(0))
            if self.take("conflicts"):
                return False
            record = self.records[setting]
            if len(record.contacts) + len(changes) > MAX_EXCLUDED and record.size_after(changes) > MAX_EXCLUDED:
                return False
            if value == BLACKLIST and self.switches["empty_list"] == "refused" and not record.size_after(changes):
                return False
            self._remember("api", record.write(value, changes))
            return True

    def take(self, counter: str) -> bool:
        """Decrease a counting switch by one, and return whether it was above 0."""
        left = self.switches[counter]
        if left:
            self.switches[counter] = left - 1
            self._changed()
        return bool(left)

    def take_failure(self) -> dict[str, Any] | None:
        """Remove and return the next answer of the switch ``fail_next``, or None."""
        waiting: list[dict[str, Any]] = self.switches["fail_next"]
        if not waiting:
            return None
        self._changed()
        return waiting.pop(0)

    def send(self, phone: str, message: str) -> dict[str, Any]:
        """Record a message as sent and return the record."""
        self.messages_sent += 1
        kept = message[:_REMEMBERED_MESSAGE]
        sent = {"number": self.messages_sent, "time": self._clock(), "phone": phone, "message": kept}
        if len(kept) < len(message):
            sent["length"] = len(message)
        # A character takes up to four bytes in Python.
        self.messages.add(sent, 200 + 4 * len(kept))
        return sent

    def view(
        self, max_excluded: int | None = None, max_changes: int = REMEMBERED, max_messages: int = REMEMBERED
    ) -> dict[str, Any]:
        """Return the whole state without secrets.

        :param max_excluded: the most contacts to return of each list; None for all
        :param max_changes: how many of the newest changes to return
        :param max_messages: how many of the newest messages to return
        """
        with self._lock:
            lists = {name: record for name, record in self.records.items() if record.setting.scope}
            settings: dict[str, dict[str, Any]] = {
                name: {"value": record.value} for name, record in self.records.items()
            }
            for name, record in lists.items():
                settings[name]["excluded"] = record.excluded(max_excluded)
            return {
                "id": self.id,
                "phone": self.phone,
                "name": self.name,
                "profile_name": self.profile_name,
                "client_token_required": self.client_token is not None,
                "connected": self.connected,
                "smartphone_connected": self.smartphone_connected,
                "subscription": self.subscription,
                "settings": settings,
                "excluded_counts": {name: len(record.contacts) for name, record in lists.items()},
                "versions": {name: record.version for name, record in self.records.items()},
                "switches": copy.deepcopy(self.switches),
                "history": self.history.last(max_changes),
                "messages": self.messages.last(max_messages),
                "messages_sent": self.messages_sent,
            }

    def snapshot(self) -> dict[str, Any]:
        """Return the whole instance, with its secrets, in the form that `Emulator.put` takes. Defaults are left out."""
        with self._lock:
            settings: dict[str, dict[str, Any]] = {}
            for name, record in self.records.items():
                if record.contacts:
                    # Contacts are stored as they were first sent, because an `@lid` cannot become a phone again.
                    settings[name] = {"value": record.value, "excluded": list(record.contacts.values())}
                elif record.value != record.setting.default:
                    settings[name] = {"value": record.value}
            switches = {name: value for name, value in self.switches.items() if value != SWITCH_DEFAULTS[name]}
            parts = {name: getattr(self, name) for name in PARTS}
            return {**parts, "settings": settings, "switches": copy.deepcopy(switches)}

    def _write_as_other(self, write: Mapping[str, Any]) -> None:
        record = self.records[write["setting"]]
        changed = record.write(write.get("value", record.value), write.get("changes", []), exact=False)
        self._remember("other client", changed)

    def _remember(self, by: str, changed: dict[str, Any] | None) -> None:
        if changed:
            self._changed()
            self.history.add({"time": self._clock(), "by": by, **changed}, 600)


class Emulator:
    """All emulated instances, and the received requests.

    :param clock: seconds since the epoch, for the times in histories and requests
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.account = Account()
        self.instances: dict[str, Instance] = {}
        self._start: dict[str, dict[str, Any]] = {}
        self.faults: list[Fault] = []
        self._faults_added = 0
        self._requests: Recent[dict[str, Any]] = Recent(REMEMBERED, REMEMBERED_BYTES)
        #: The number of requests that were received.
        self.received = 0
        #: A number that increases with each change of an instance.
        self.changes = 0
        #: A number that increases with each change and each request.
        self.revision = 0

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Return the received requests, oldest first, without secrets."""
        with self.lock:
            return list(self._requests)

    def instance(self, instance_id: str) -> Instance:
        """Return the instance with this id.

        :raises KeyError: there is no such instance
        """
        return self.instances[instance_id]

    def put(self, instance_id: str, given: Mapping[str, Any]) -> Instance:
        """Create or replace an instance. ``token``, ``client_token`` (or None) and ``phone`` are required.

        :raises InvalidInputError: a required part is missing, a name is unknown, or a value is invalid
        """
        instance = self._make(instance_id, given)
        with self.lock:
            self.instances[instance_id] = instance
            self._changed()
        return instance

    def _make(self, instance_id: str, given: Mapping[str, Any]) -> Instance:
        if not _is_credential(instance_id):
            raise InvalidInputError("an instance id must be letters, digits, _ and -")
        missing = [name for name in ("token", "client_token", "phone") if name not in given]
        if missing:
            raise InvalidInputError(f"an instance also needs {', '.join(missing)}")
        instance = Instance(instance_id, self.clock, self.lock, self._changed)
        instance.patch(given)
        # The initial state is not a change.
        instance.history.clear()
        return instance

    def delete(self, instance_id: str) -> None:
        """Delete an instance.

        :raises KeyError: there is no such instance
        """
        with self.lock:
            del self.instances[instance_id]
            self._changed()

    def patch(self, instance_id: str, given: Mapping[str, Any]) -> Instance:
        """Change an instance as `Instance.patch` does.

        :raises KeyError: there is no such instance
        """
        with self.lock:
            instance = self.instances[instance_id]
            instance.patch(given)
            return instance

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return all instances with their secrets, in the form that `replace_all` takes."""
        with self.lock:
            return {instance_id: instance.snapshot() for instance_id, instance in self.instances.items()}

    def replace_all(self, instances: Mapping[str, Mapping[str, Any]]) -> None:
        """Serve only these instances, and delete requests and faults.

        :raises InvalidInputError: an instance is invalid; nothing is changed
        """
        made = {instance_id: self._make(instance_id, given) for instance_id, given in instances.items()}
        with self.lock:
            self.instances = made
            self.account = Account()
            self.faults = []
            self._requests.clear()
            self._changed()

    def keep_as_start(self) -> None:
        """Store the current instances, for `reset`."""
        self._start = self.snapshot()

    def reset(self) -> None:
        """Restore the instances that `keep_as_start` stored, and delete requests and faults."""
        self.replace_all(self._start)

    def add_fault(self, given: object) -> Fault:
        """Make calls fail as described. See `airflow_provider_zapi.emulator.faults`.

        :raises InvalidInputError: the description is invalid, or there are too many active faults
        """
        fault = read_fault(given)
        with self.lock:
            self.faults = [one for one in self.faults if one.left != 0]
            if len(self.faults) >= _MAX_FAULTS:
                raise InvalidInputError(f"at most {_MAX_FAULTS} faults can be active")
            if fault.size + sum(one.size for one in self.faults) > _MAX_FAULT_BYTES:
                raise InvalidInputError(f"all active faults together can have at most {_MAX_FAULT_BYTES} bytes")
            self._faults_added += 1
            fault.number = self._faults_added
            self.faults.append(fault)
            self.revision += 1
        return fault

    def remove_faults(self, number: int | None = None) -> None:
        """Remove the fault with this number, or all faults.

        :raises KeyError: there is no fault with this number
        """
        with self.lock:
            left = [] if number is None else [fault for fault in self.faults if fault.number != number]
            if number is not None and len(left) == len(self.faults):
                raise KeyError(number)
            self.faults = left
            self.revision += 1

    def take_fault(self, method: str, path: str, instance_id: str | None) -> Fault | None:
        """Return the first fault that affects this call and count the call, or return None."""
        fault = next((fault for fault in self.faults if fault.take(method, path, instance_id)), None)
        if fault is not None and fault.left == 0:
            self.faults.remove(fault)
        return fault

    def record_request(self, request: dict[str, Any], size: int = 0) -> dict[str, Any]:
        """Record a request with its number and time, and return the record.

        :param size: the size of its body in bytes
        """
        with self.lock:
            self.received += 1
            recorded = {"number": self.received, "time": self.clock(), **request}
            self._requests.add(recorded, 1_000 + 4 * size)
            self.revision += 1
            if self.received % _TIDY_AFTER == 0:
                memories = [memory for one in self.instances.values() for memory in (one.history, one.messages)]
                drop_oldest(memories, ALL_REMEMBERED_BYTES)
            return recorded

    def clear_requests(self) -> None:
        """Delete the record of requests. The numbers of later requests continue."""
        with self.lock:
            self._requests.clear()
            self.revision += 1

    def _changed(self) -> None:
        self.changes += 1
        self.revision += 1
