"""Put back what was there before the probe: lists, then values."""

from __future__ import annotations

from airflow_provider_zapi.privacy.phones import both_forms, same_contact
from airflow_provider_zapi.privacy.settings import CONTACT_BLACKLIST, SETTINGS, PrivacySetting
from airflow_provider_zapi.probe.evidence import Seen
from airflow_provider_zapi.probe.findings import contacts_of
from airflow_provider_zapi.probe.journal import Prior
from airflow_provider_zapi.probe.steps import list_read, setting_request
from airflow_provider_zapi.probe.wire import Stopped, Wire

__all__ = ["restore"]

#: How often a list is written until it reads as before.
_ROUNDS = 3
#: How many reads may lag behind a write where that was not seen yet.
_LONGEST_LAG = 3
#: How often a write that got no answer is repeated.
_TRIES = 3
#: Changes of one call.
_CHANGES = 500


def restore(prior: Prior, wire: Wire) -> dict[str, str]:
    """Put back the settings that may have changed; return what could not be put back, in words, by setting."""
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
        return "its value before is not known; look at it on the phone and set it"
    contacts = before.contacts if before.value == CONTACT_BLACKLIST else None
    contacts = prior.in_force.get(setting.name, contacts)
    # Before the list in force is known, nothing on it was changed.
    if contacts is not None and (problem := _restored_list(setting, contacts, prior, wire)):
        return problem
    if (before.value != CONTACT_BLACKLIST or contacts is None) and not _write(setting, before.value, [], wire):
        return f"{before.value} was not accepted; set it on the phone"
    return None


def _restored_list(setting: PrivacySetting, wanted: tuple[str, ...], prior: Prior, wire: Wire) -> str | None:
    ours = _names(prior)
    # Without a look first: a read may lag behind, and the list would only seem to be as before.
    changes = [{"action": "remove", "phone": name} for name in ours if name not in wanted]
    accepted = was_read = False
    for _ in range(_ROUNDS):
        # A call that is refused for one of its changes does not set the value either.
        accepted |= _write(setting, CONTACT_BLACKLIST, changes, wire) or (
            bool(changes) and _write(setting, CONTACT_BLACKLIST, [], wire)
        )
        # Earlier reads may show the list as it was before the write, and that can look as wanted.
        found: tuple[str, ...] | None = None
        for _ in range(max(prior.lags, default=_LONGEST_LAG) + 1):
            found = contacts_of(wire.send(list_read(setting, "restore_read"), {}, restoring=True))
        if found is None:
            continue
        was_read = True
        # Z-API may refuse an empty list, and a read may show contacts that are gone: then only the whole list helps.
        missing = [contact for contact in wanted if not accepted or contact not in found]
        extra = [entry for entry in found if entry not in wanted and any(same_contact(entry, name) for name in ours)]
        if accepted and not missing and not extra:
            return None  # the rest was added by someone else meanwhile
        changes = [
            *({"action": "remove", "phone": entry} for entry in extra),
            *({"action": "add", "phone": contact} for contact in missing),
        ]
    if not was_read:
        return "its list cannot be read; run --restore again"
    return "its list does not read as before; run --restore again, or look at it with `show --contacts`"


def _names(prior: Prior) -> list[str]:
    """Return every name under which the probe may have put a contact on a list."""
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
