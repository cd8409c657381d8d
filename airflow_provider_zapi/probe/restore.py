"""Restore the state before the probe: first the lists, then the values."""

from __future__ import annotations

from airflow_provider_zapi.privacy.phones import both_forms, same_contact
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, SETTINGS, PrivacySetting
from airflow_provider_zapi.probe.evidence import Seen
from airflow_provider_zapi.probe.findings import contacts_of
from airflow_provider_zapi.probe.journal import Prior
from airflow_provider_zapi.probe.steps import list_read, setting_request
from airflow_provider_zapi.probe.wire import Stopped, Wire

__all__ = ["restore"]

#: The most times that a list is written until it reads as before.
_ROUNDS = 3
#: The assumed number of reads that lag behind a write, if the probe has not seen it yet.
_LONGEST_LAG = 3
#: The most times that a write without an answer is repeated.
_TRIES = 3
#: The most changes in one call.
_CHANGES = 500


def restore(prior: Prior, wire: Wire) -> dict[str, str]:
    """Restore the settings that may have changed. Return a description of each failure, by setting."""
    problems: dict[str, str] = {}
    for setting in SETTINGS:
        if setting.name in prior.written:
            try:
                problem = _restored(setting, prior, wire)
            except Stopped as stopped:
                problem = str(stopped)
            if problem:
                problems[setting.name] = f"{setting.title}: {problem}"
    return problems


def _restored(setting: PrivacySetting, prior: Prior, wire: Wire) -> str | None:
    before = prior.settings[setting.name]
    if before.value is None:
        return "its earlier value is not known; check it on the phone and set it there"
    contacts = before.contacts if before.value == CONTACT_BLACKLIST else None
    contacts = prior.in_force.get(setting.name, contacts)
    # Nothing on the list was changed before the list in force was known.
    if contacts is not None and (problem := _restored_list(setting, contacts, prior, wire)):
        return problem
    if (before.value != CONTACT_BLACKLIST or contacts is None) and not _write(setting, before.value, [], wire):
        return f"{before.value} was not accepted; set it on the phone"
    return None


def _restored_list(setting: PrivacySetting, wanted: tuple[str, ...], prior: Prior, wire: Wire) -> str | None:
    ours = _names(prior)
    # Write without reading first. A read may lag behind, and show the list as before although it is not.
    changes = [{"action": "remove", "phone": name} for name in ours if name not in wanted]
    accepted = was_read = False
    for _ in range(_ROUNDS):
        # If Z-API refuses a call because of one change, it does not set the value either.
        accepted |= _write(setting, CONTACT_BLACKLIST, changes, wire) or (
            bool(changes) and _write(setting, CONTACT_BLACKLIST, [], wire)
        )
        # Earlier reads may show the list from before the write, which can look right.
        found: tuple[str, ...] | None = None
        for _ in range(max(prior.lags, default=_LONGEST_LAG) + 1):
            found = contacts_of(wire.send(list_read(setting, "restore_read"), {}, restoring=True))
        if found is None:
            continue
        was_read = True
        # Z-API may refuse an empty list, and a read may show contacts that are gone. In that case, send the whole list.
        missing = [contact for contact in wanted if not accepted or contact not in found]
        extra = [entry for entry in found if entry not in wanted and any(same_contact(entry, name) for name in ours)]
        if accepted and not missing and not extra:
            return None  # somebody else added the rest in the meantime
        changes = [
            *({"action": "remove", "phone": entry} for entry in extra),
            *({"action": "add", "phone": contact} for contact in missing),
        ]
    if not was_read:
        return "its list cannot be read; run --restore again"
    return "its list does not read as before; run --restore again, or look at it with `show --contacts`"


def _names(prior: Prior) -> list[str]:
    """Return every form in which the probe may have added a contact to a list."""
    phones = [phone for phone in (prior.contact, prior.own) if phone is not None]
    return list(dict.fromkeys([*prior.forms, *(form for phone in phones for form in both_forms(phone))]))


def _write(setting: PrivacySetting, value: str, changes: list[dict[str, str]], wire: Wire) -> bool:
    request = setting_request("restore_write", setting, value, changes[:_CHANGES] or None)
    seen = Seen("")
    for _ in range(_TRIES):
        seen = wire.send(request, {}, writes=True, restoring=True)
        if seen.done or seen.refused:
            break
    return seen.done
