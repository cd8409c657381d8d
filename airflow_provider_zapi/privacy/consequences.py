"""Describe the side effects of values. WhatsApp does not mention them when a value is set."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow_provider_zapi.privacy.settings import LAST_SEEN, ONLINE, SETTINGS

__all__ = ["consequences"]


def consequences(values: Mapping[str, str], set_elsewhere: Collection[str] = ()) -> tuple[str, ...]:
    """Return the side effects of setting these values.

    :param values: the values to set, by the name of the setting
    :param set_elsewhere: the names of settings that are also set elsewhere, such as by another task of the DAG
    """
    sentences = [
        setting.consequences[values[setting.name]]
        for setting in SETTINGS
        if values.get(setting.name) in setting.consequences
    ]
    if values.get(LAST_SEEN.name) == "NONE" and ONLINE.name not in (*values, *set_elsewhere):
        sentences.append(
            "This number still shows 'online' while it is in use. To hide that too, set online to SAME_LAST_SEEN."
        )
    elif values.get(LAST_SEEN.name) == "NONE" and values.get(ONLINE.name) == "ALL":
        sentences.append("Online is ALL, so this number still shows 'online' to everybody while it is in use.")
    return tuple(sentences)
