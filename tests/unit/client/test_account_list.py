"""Listing an account's instances returns each one once, or an error. No string contains a secret of an instance."""

from __future__ import annotations

import pickle
import signal
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from airflow_provider_zapi.client import AccountCredentials, AccountInstance, ZApiAccountClient, redaction
from airflow_provider_zapi.exceptions import (
    ZApiAuthenticationError,
    ZApiConfigurationError,
    ZApiError,
    ZApiRateLimitError,
    ZApiRefusedError,
    ZApiTransientError,
    ZApiUnexpectedAnswerError,
    ZApiUnreachableError,
)
from tests.support import CLIENT_TOKEN, PARTNER_TOKEN, Canned, CannedAdapter, Clock, check_error, leaks, traces

pytestmark = pytest.mark.usefixtures("nothing_leaks")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAST, FUTURE = 1_577_836_800_000, 4_102_444_800_000
#: The secrets of the rows. Z-API's tokens are letters and digits, but Z-API does not document that.
ROW_TOKEN = "canary/row+token=70%"
CALLBACK = "https://hooks.example/canary-callback?key=canary/cb+80%"


def row(number: int, **changes: Any) -> dict[str, Any]:
    given = {
        "id": f"id-{number}",
        "token": f"token-{number}",
        "name": f"Store {number}",
        "due": FUTURE,
        "paymentStatus": "PAID",
        "phoneConnected": True,
        "whatsappConnected": True,
        "receivedCallbackUrl": CALLBACK,
    }
    return {**given, **changes}


def page(*rows: Any, total: Any = None, pages: Any = 1, **changes: Any) -> Canned:
    found = len(rows) if total is None else total
    return Canned({"total": found, "totalPage": pages, "pageSize": 50, "page": 1, "content": list(rows), **changes})


def account_with(*answers: Canned | Exception) -> tuple[ZApiAccountClient, CannedAdapter]:
    adapter, clock = CannedAdapter(*answers), Clock()
    target = AccountCredentials(PARTNER_TOKEN, CLIENT_TOKEN, conn_id="zapi_account")
    account = ZApiAccountClient(target, now=lambda: NOW, adapter=adapter, clock=clock, sleep=clock.sleep)
    return account, adapter


def ids(instances: Iterator[AccountInstance]) -> list[str]:
    return [instance.id for instance in instances]


def asked(adapter: CannedAdapter) -> list[str]:
    return [(request.url or "").rpartition("/")[2] for request in adapter.requests]


def test_all_pages_are_read_until_the_last() -> None:
    account, adapter = account_with(page(row(1), row(2), total=3, pages=2), page(row(3), total=3, pages=2))
    assert ids(account.instances()) == ["id-1", "id-2", "id-3"]
    assert asked(adapter) == ["instances?page=1&pageSize=50", "instances?page=2&pageSize=50"]


def test_pages_are_read_until_one_is_empty_if_nothing_says_how_many_there_are() -> None:
    answers = [page(row(1), total=2, pages=None), page(row(2), total=2, pages=None), page(total=2, pages=None)]
    account, adapter = account_with(*answers)
    assert ids(account.instances()) == ["id-1", "id-2"]
    assert len(adapter.requests) == 3


class PagesTogether(CannedAdapter):
    """Answers with pages of one instance. A page after the first is answered when as many were asked for as in `waves`."""

    def __init__(self, pages: int, *waves: int) -> None:
        super().__init__()
        self.pages = pages
        self.waves = [threading.Barrier(size, timeout=10) for size in waves]
        self.order = [wave for wave in self.waves for _ in range(wave.parties)]

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        number = int(parse_qs(urlsplit(request.url or "").query)["page"][0])
        if number > 1:
            self.order[number - 2].wait()
        answer = page(row(number), total=self.pages, pages=self.pages)
        self.requests.append(request)
        return CannedAdapter(answer).send(request, **options)


def test_pages_are_read_at_the_same_time_after_the_first_and_listed_in_order() -> None:
    adapter = PagesTogether(8, 3, 3, 1)
    account = ZApiAccountClient(AccountCredentials(PARTNER_TOKEN), adapter=adapter)
    assert ids(account.instances(at_once=3)) == [f"id-{number}" for number in range(1, 9)]
    assert len(adapter.requests) == 8


def test_an_error_of_one_of_several_pages_is_the_error_of_the_list() -> None:
    account, _ = account_with(page(row(1), total=3, pages=3), Canned("", 401))
    with pytest.raises(ZApiAuthenticationError, match="Z-API refused the integrator token"):
        next(account.instances(at_once=2))


def test_several_pages_end_with_a_kill() -> None:
    account, adapter = account_with(page(row(1), total=9, pages=9), Canned("", 503))
    adapter.before = lambda: account.cancel() if len(adapter.requests) == 2 else None
    with pytest.raises(ZApiTransientError, match="cancelled"):
        next(account.instances(at_once=4))
    assert len(adapter.requests) <= 5


class TimedOut(BaseException):
    """Airflow's timeout of a task, which a signal raises in the main thread."""


class Hanging(CannedAdapter):
    """Answers the first page. The others raise the signal, and wait until the test ends."""

    def __init__(self) -> None:
        super().__init__(page(row(1), total=3, pages=3), Canned("", 503))
        self.waiting, self.released, self.lock = 0, threading.Event(), threading.Lock()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        if self.requests:
            with self.lock:
                self.waiting += 1
                if self.waiting == 2 and not self.released.is_set():
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            self.released.wait(10)
            with self.lock:
                self.waiting -= 1
        return super().send(request, **options)


def test_a_timeout_neither_waits_for_pages_that_are_being_read_nor_reads_them_again() -> None:
    def raise_timeout(number: int, frame: object) -> None:
        raise TimedOut

    adapter, clock, before = Hanging(), Clock(), signal.signal(signal.SIGUSR1, raise_timeout)
    threads = set(threading.enumerate())
    account = ZApiAccountClient(AccountCredentials(PARTNER_TOKEN), adapter=adapter, clock=clock, sleep=clock.sleep)
    try:
        with pytest.raises(TimedOut):
            next(account.instances(at_once=2))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert adapter.waiting == 2
    adapter.released.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(10)
    assert len(adapter.requests) == 3


def test_a_search_is_sent_as_query_parameters() -> None:
    account, adapter = account_with(page(row(1)))
    assert ids(account.instances("São & Paulo", "web")) == ["id-1"]
    assert asked(adapter) == ["instances?page=1&pageSize=50&query=S%C3%A3o+%26+Paulo&middleware=web"]


def test_an_account_may_have_no_instance() -> None:
    account, _ = account_with(page(pages=0))
    assert ids(account.instances()) == []


@pytest.mark.parametrize("status", [200, 201])
def test_both_documented_statuses_are_accepted_for_a_list(status: int) -> None:
    answer = page(row(1))
    account, _ = account_with(Canned(answer.body, status))
    assert ids(account.instances()) == ["id-1"]


def test_an_instance_on_two_pages_is_listed_once_and_none_is_missed() -> None:
    first = [page(row(1), row(2), total=3, pages=2), page(row(2), total=3, pages=2)]
    second = [page(row(2), row(3), total=3, pages=2), page(row(3), total=3, pages=2)]
    account, adapter = account_with(*first, *second)
    assert sorted(ids(account.instances())) == ["id-1", "id-2", "id-3"]
    assert len(adapter.requests) == 4


def test_the_list_is_read_again_if_its_total_changes() -> None:
    changing = [page(row(1), total=2, pages=2), page(row(2), total=3, pages=2)]
    whole = [page(row(1), total=3, pages=2), page(row(2), row(3), total=3, pages=2)]
    account, adapter = account_with(*changing, *whole)
    assert ids(account.instances()) == ["id-1", "id-2", "id-3"]
    assert len(adapter.requests) == 4


def test_an_instance_that_was_deleted_between_readings_is_not_listed() -> None:
    account, _ = account_with(
        page(row(1), row(2), total=3),
        page(row(3), row(4), total=3),
        page(row(3), row(4), row(5), total=3),
    )
    assert ids(account.instances()) == ["id-3", "id-4", "id-5"]


def test_two_incomplete_readings_complete_each_other() -> None:
    account, adapter = account_with(
        page(row(1), row(2), total=3),
        page(row(3), row(4), total=3),
        page(row(4), row(5), total=3),
    )
    assert sorted(ids(account.instances())) == ["id-3", "id-4", "id-5"]
    assert len(adapter.requests) == 3


@pytest.mark.parametrize(
    "answers",
    [
        [page(row(1), total=2)],
        [page(row(1), row(2), total=1)],
        [page(row(1), total=2, pages=2), page(row(2), total=3, pages=2)] * 3,
        [page(total=5)],
    ],
    ids=["one is missing", "one too many", "the total changes", "none is shown"],
)
def test_a_list_that_is_never_complete_is_an_error_after_three_readings(answers: list[Canned]) -> None:
    account, adapter = account_with(*answers)
    with pytest.raises(ZApiTransientError, match="was read 3 times, and changed every time") as caught:
        next(account.instances())
    assert len(adapter.requests) <= 6
    check_error(caught.value)


def test_reading_ends_even_if_the_server_ignores_the_page_number() -> None:
    account, adapter = account_with(page(row(1), total=2, pages=10**9))
    with pytest.raises(ZApiTransientError):
        next(account.instances())
    assert len(adapter.requests) == 6


NO_PAGE: list[tuple[Canned, type[ZApiError], str]] = [
    (Canned(""), ZApiUnreachableError, "it is empty"),
    (Canned("<html>"), ZApiUnreachableError, "not JSON"),
    (Canned([]), ZApiUnreachableError, "a list instead of an object"),
    (Canned({}), ZApiUnexpectedAnswerError, "'total' is not a count"),
    (Canned({"total": 0}), ZApiUnexpectedAnswerError, "'content' is not a list"),
    (Canned({"content": []}), ZApiUnexpectedAnswerError, "'total' is not a count"),
    (page(total=-1), ZApiUnexpectedAnswerError, "'total' is not a count"),
    (page(total=True), ZApiUnexpectedAnswerError, "'total' is not a count"),
    (page(pages="1"), ZApiUnexpectedAnswerError, "'totalPage' is not a count"),
    (page(content={}), ZApiUnexpectedAnswerError, "'content' is not a list"),
    (page(1), ZApiUnexpectedAnswerError, "lacks its 'id' or 'token'"),
    (page(row(1, id="")), ZApiUnexpectedAnswerError, "lacks its 'id' or 'token'"),
    (page(row(1, token=None)), ZApiUnexpectedAnswerError, "lacks its 'id' or 'token'"),
    (Canned({"error": "NOT_FOUND"}), ZApiUnexpectedAnswerError, "does not have this endpoint"),
    (Canned({"error": "some reason", "total": 0, "content": []}), ZApiRefusedError, "some reason"),
    (Canned("", 302), ZApiUnexpectedAnswerError, "the answer is a redirect"),
    (Canned({"error": "slow down"}, 429), ZApiRateLimitError, "received too many calls"),
    (
        Canned({"error": "10.1.2.3 not allowed"}, 403),
        ZApiAuthenticationError,
        "does not accept calls from the address 10.1.2.3",
    ),
    (Canned({"error": "Unauthorized"}, 401), ZApiAuthenticationError, "Z-API refused the integrator token"),
    (Canned({"error": PARTNER_TOKEN}, 403), ZApiAuthenticationError, "Z-API refused the integrator token"),
]


@pytest.mark.parametrize(("answer", "kind", "text"), NO_PAGE)
def test_an_invalid_page_never_counts_as_an_empty_account(answer: Canned, kind: type[ZApiError], text: str) -> None:
    for read in (lambda account: ids(account.instances()), lambda account: account.count()):
        account, _ = account_with(answer)
        with pytest.raises(kind, match=text) as caught:
            read(account)
        assert caught.value.conn_id == "zapi_account"
        assert caught.value.endpoint == "instances"
        check_error(caught.value)


def test_the_error_about_the_integrator_token_names_the_field() -> None:
    account, _ = account_with(Canned("", 401))
    with pytest.raises(ZApiAuthenticationError, match='connection\'s "Integrator token"'):
        account.count()


def test_the_count_is_read_with_a_page_size_of_one() -> None:
    account, adapter = account_with(page(row(1), total=1234, pages=1234))
    assert account.count() == 1234
    assert asked(adapter) == ["instances?page=1&pageSize=1"]


@pytest.mark.parametrize(
    ("changes", "connected", "paid"),
    [
        ({}, True, True),
        ({"phoneConnected": False}, False, True),
        ({"whatsappConnected": False}, False, True),
        ({"phoneConnected": None}, False, True),
        ({"whatsappConnected": "true"}, False, True),
        ({"due": PAST, "paymentStatus": "PENDING"}, True, False),
        ({"due": None}, True, None),
        ({"due": "soon"}, True, None),
        ({"name": None, "paymentStatus": None}, True, True),
    ],
)
def test_a_row_becomes_an_instance(changes: dict[str, Any], connected: bool, paid: bool | None) -> None:
    account, _ = account_with(page(row(1, **changes)))
    instance = next(account.instances())
    assert (instance.connected, instance.paid) == (connected, paid)
    assert instance.due == (None if paid is None else datetime.fromtimestamp((FUTURE if paid else PAST) / 1000, UTC))


def test_an_instance_becomes_a_client_with_the_accounts_client_token() -> None:
    account, adapter = account_with(page(row(1)), Canned({"connected": True, "error": "You are already connected."}))
    instance = next(account.instances())
    credentials = instance.credentials()
    assert (credentials.path_prefix, credentials.secret_headers) == (
        "/instances/id-1/token/token-1",
        {"Client-Token": CLIENT_TOKEN},
    )
    with account.client_for(instance) as client:
        assert client.status().connected
    assert (adapter.requests[-1].url or "").endswith("z-api.io/status")


@pytest.mark.parametrize("changes", [{"token": ROW_TOKEN}, {"id": ".."}])
def test_a_row_with_an_invalid_id_or_token_does_not_affect_others(changes: dict[str, Any]) -> None:
    account, _ = account_with(page(row(1, **changes), row(2)))
    bad, good = account.instances()
    assert good.credentials().instance_id == "id-2"
    with pytest.raises(ZApiConfigurationError, match="a character other than letters") as caught:
        account.client_for(bad)
    assert ROW_TOKEN not in "".join(traces(caught.value))


def test_no_string_form_of_an_instance_shows_a_secret() -> None:
    account, _ = account_with(page(row(1, token=ROW_TOKEN)))
    instance = next(account.instances())
    shown = [repr(instance), str(instance), repr(account), repr(account.redactor), repr(instance._token)]
    assert not [text for text in shown if ROW_TOKEN in text or "canary" in text]
    assert not leaks(*shown)
    for secret in (instance, instance.credentials, AccountCredentials(PARTNER_TOKEN)):
        with pytest.raises(TypeError):
            pickle.dumps(secret)


ECHOED = [ROW_TOKEN, PARTNER_TOKEN, CLIENT_TOKEN, CALLBACK]


@pytest.mark.parametrize("form", ["raw", "URL-encoded", "JSON", "HTML"])
@pytest.mark.parametrize("secret", ECHOED)
def test_later_errors_of_the_server_show_no_secret_of_the_list(secret: str, form: str) -> None:
    from tests.support import FORMS

    text = f"no {FORMS[form](secret)} here"
    account, _ = account_with(page(row(1, token=ROW_TOKEN), row(2)), Canned({"error": text}, 400))
    _, second = account.instances()
    for failing in (account.count, account.client_for(second).status):
        with pytest.raises(ZApiError) as caught:
            failing()
        told = "".join(traces(caught.value))
        assert "canary" not in told
        assert "no *** here" in told


@pytest.mark.parametrize("secret", ECHOED)
def test_a_name_shows_no_secret(secret: str) -> None:
    account, _ = account_with(page(row(1, token=ROW_TOKEN), row(2, name=f"Store {secret}", paymentStatus=secret)))
    second = list(account.instances())[1]
    assert (second.name, second.payment_status) == ("Store ***", "***")


def test_local_variables_of_a_failed_listing_show_no_secret() -> None:
    account, _ = account_with(page(row(1, token=ROW_TOKEN), total=2, pages=2), Canned({"error": "x"}, 400))
    with pytest.raises(ZApiError) as caught:
        next(account.instances())
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    below = [frame.locals for frame in told.stack if frame.filename != __file__]
    assert "canary" not in str(below)


def test_an_error_report_keeps_the_urls_of_other_programs_while_an_account_is_in_use() -> None:
    account, _ = account_with(page(row(1)))
    assert ids(account.instances())
    assert redaction.scrub_event({"request": "https://shop.example/cart"}) == {"request": "https://shop.example/cart"}


def test_a_cancelled_account_sends_nothing_more() -> None:
    account, adapter = account_with(page(row(1), total=2, pages=2))
    account.cancel()
    with pytest.raises(ZApiTransientError, match="cancelled"):
        next(account.instances())
    assert adapter.requests == []
