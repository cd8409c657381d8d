"""The side effects of values are stated in one place, for both operators and policies."""

from __future__ import annotations

import pytest

from airflow_provider_zapi.privacy.consequences import consequences

STILL_ONLINE, EVERYBODY = "still shows 'online' while it is in use. To hide", "Online is ALL"

CASES: list[tuple[dict[str, str], tuple[str, ...], list[str]]] = [
    ({"last_seen": "NONE"}, (), ["no longer sees when", STILL_ONLINE]),
    ({"last_seen": "NONE"}, ("online",), ["no longer sees when"]),
    ({"last_seen": "NONE", "online": "SAME_LAST_SEEN"}, (), ["no longer sees when", "no longer see the online status"]),
    ({"last_seen": "NONE", "online": "ALL"}, (), ["no longer sees when", EVERYBODY]),
    ({"last_seen": "CONTACTS", "online": "ALL"}, (), []),
    ({"photo": "NONE"}, (), []),
    ({"read_receipts": "disable"}, (), ["no longer sees whether"]),
]


@pytest.mark.parametrize(("values", "elsewhere", "said"), CASES)
def test_each_consequence_is_stated_once(values: dict[str, str], elsewhere: tuple[str, ...], said: list[str]) -> None:
    sentences = consequences(values, elsewhere)
    assert len(sentences) == len(said)
    for part, sentence in zip(said, sentences, strict=True):
        assert part in sentence
