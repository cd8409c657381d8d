"""List the instances of an account, and create a client for each.

Z-API does not document the order of that list. If entries shift between two pages, an instance is missed or shown
twice. So a reading counts only if it holds as many instances as Z-API says there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, NoReturn, TypeGuard

from airflow_provider_zapi.catching import caught
from airflow_provider_zapi.client.answers import STATUSES, Failure, object_without_error, unexpected
from airflow_provider_zapi.client.api import MAX_LIST_BODY, ZApiClient
from airflow_provider_zapi.client.moments import moment
from airflow_provider_zapi.client.redaction import Redactor
from airflow_provider_zapi.client.targets import AccountCredentials, Credentials
from airflow_provider_zapi.client.transport import Call, Pace, Transport
from airflow_provider_zapi.client.wires import Route, Wires
from airflow_provider_zapi.exceptions import ZApiAuthenticationError, ZApiError, ZApiTransientError
from airflow_provider_zapi.panel import INTEGRATOR_TOKEN

__all__ = ["AccountInstance", "ZApiAccountClient"]

ENDPOINT = "instances"
#: Z-API does not document the largest page size. Other clients use this one.
PAGE_SIZE = 50
#: Pages that a run over an account reads at the same time. One after another, they take a third of the run's time.
PAGES_AT_ONCE = 4
#: Far more than any account has, so that a list without an end does not keep the client busy.
MAX_PAGES = 10_000
#: The most times that the list is read until it is complete.
READINGS = 3


class _Token:
    """The token of an instance. The object's ``repr`` does not show it."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value


@dataclass(frozen=True, slots=True)
class AccountInstance:
    """One instance of an account, without its callback URLs. Its ``repr`` does not show the token.

    :ivar id: its id
    :ivar name: its name in the Z-API panel
    :ivar connected: whether its phone and its WhatsApp session are connected
    :ivar paid: whether its subscription had not ended when the list was read; None if Z-API gives no date
    :ivar due: when its subscription ends, in UTC
    :ivar payment_status: Z-API's payment status; its values are not documented, so ``paid`` depends on ``due``
    """

    id: str
    name: str
    connected: bool
    paid: bool | None
    due: datetime | None
    payment_status: str
    _token: _Token = field(repr=False, compare=False)
    _account: AccountCredentials = field(repr=False, compare=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an instance cannot be pickled, because it holds its token")

    def credentials(self) -> Credentials:
        """Return this instance as a target, with the account's Client-Token.

        :raises ZApiConfigurationError: Z-API lists the instance with an id or token that cannot be part of a path
        """
        account = self._account
        return Credentials(self.id, self._token.value, account.client_token, account.base_url, account.conn_id)


class _Page(NamedTuple):
    total: int
    pages: int | None
    rows: list[AccountInstance]


#: Reads the pages with these numbers.
_Pages = Callable[[Sequence[int]], list[_Page]]


class _Reading(NamedTuple):
    """One reading of all pages. ``total`` is None if the pages disagree about it."""

    total: int | None
    rows: dict[str, AccountInstance]


class ZApiAccountClient:
    """List the instances of an account. Close the client, or use it as a context manager.

    :param account: the account's address and credentials
    :param transport: sends the calls; by default a `Transport` of this account with ``options``
    :param now: returns the current time, to decide whose subscription has ended
    :param options: arguments of each `Transport` that this client creates, such as ``read_timeout``
    """

    def __init__(
        self,
        account: AccountCredentials,
        *,
        transport: Transport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **options: Any,
    ) -> None:
        self._account = account
        self._options = options
        self._now = now
        #: Hides the tokens of all listed instances. The clients that `client_for` returns share it.
        self.redactor = Redactor(account.secrets, urls=True)
        self._transport = transport or Transport(account, redactor=self.redactor, **options)
        #: What `cancel` has to reach besides, while pages are read at the same time.
        self._readers: tuple[Transport, ...] = ()
        self._wires: Wires | None = None

    def __enter__(self) -> ZApiAccountClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport!r})"

    def close(self) -> None:
        """Close the HTTP connection."""
        self._transport.close()
        if self._wires is not None:
            self._wires.close()

    def cancel(self) -> None:
        """Stop sending. A call that waits ends within a quarter of a second."""
        self._transport.cancel()
        for reader in self._readers:
            reader.cancel()

    def count(self) -> int:
        """Read how many instances the account has.

        :raises ZApiError: there is no valid answer
        """
        return self._page(1, 1, {}).total

    def instances(
        self, query: str | None = None, middleware: str | None = None, *, at_once: int = 1
    ) -> Iterator[AccountInstance]:
        """Read all instances of the account, each once. The list is complete before the first one is yielded.

        :param query: only instances that Z-API's search finds by this part of their name or id
        :param middleware: only ``web`` or only ``mobile`` instances
        :param at_once: how many pages to read at the same time, once the first page has given the number of pages
        :raises ZApiTransientError: the list changed each time it was read
        :raises ZApiError: the answer holds no valid list; a malformed list never counts as empty
        """
        wanted = {"query": query, "middleware": middleware}
        clean = self._transport.clean
        given = {name: value for name, value in wanted.items() if value}
        with self._reading(at_once) as read:
            rows = self._complete(partial(read, given), at_once)
        for row in rows.values():
            yield replace(row, name=clean(row.name), payment_status=clean(row.payment_status))

    def client_for(self, instance: AccountInstance, **options: Any) -> ZApiClient:
        """Return a client of one instance, with its own HTTP connection.

        :param options: more arguments for its `Transport`, besides the options of this client
        :raises ZApiConfigurationError: Z-API lists the instance with an id or token that cannot be part of a path
        """
        credentials = instance.credentials()
        transport = Transport(credentials, **{"redactor": self.redactor, **self._options, **options})
        return ZApiClient(credentials, transport=transport)

    @contextmanager
    def lending(self, pace: Pace) -> Iterator[Callable[[AccountInstance], AbstractContextManager[ZApiClient]]]:
        """Yield a function that lends clients to threads, one per instance at a time, over a few kept connections.

        :param pace: decides when the clients may send calls, and whether they may send any
        :raises ZApiConfigurationError: the environment names a proxy or a file that cannot be used
        """
        wires = self._pool()

        @contextmanager
        def lent(instance: AccountInstance) -> Iterator[ZApiClient]:
            with wires.lent() as wire:
                yield self.client_for(instance, wire=wire, pace=pace)

        try:
            yield lent
        finally:
            wires.close()

    def _pool(self) -> Wires:
        """Return the connections that threads share. The certificate authorities are loaded once for all of them."""
        if self._wires is None:
            adapter = self._options.get("adapter")
            route = Route(self._account.base_url, self._account.conn_id)
            self._wires = Wires(route, None if adapter is None else lambda: adapter)
        return self._wires

    @contextmanager
    def _reading(self, at_once: int) -> Iterator[Callable[[dict[str, str], Sequence[int]], list[_Page]]]:
        """Yield a function that reads pages, at most ``at_once`` of them, and returns them in order."""
        if at_once == 1:
            yield lambda wanted, numbers: [self._page(number, PAGE_SIZE, wanted) for number in numbers]
            return
        with ExitStack() as stack:
            wires = [stack.enter_context(self._pool().lent()) for _ in range(at_once)]
            options = {"redactor": self.redactor, **self._options}
            self._readers = tuple(Transport(self._account, **{**options, "wire": wire}) for wire in wires)
            if self._transport.cancelled:  # meanwhile
                self.cancel()
            executor = ThreadPoolExecutor(at_once)

            def read(wanted: dict[str, str], numbers: Sequence[int]) -> list[_Page]:
                under_way = [
                    executor.submit(copy_context().run, self._page, number, PAGE_SIZE, wanted, reader)
                    for number, reader in zip(numbers, self._readers, strict=False)
                ]
                return [each.result() for each in under_way]

            try:
                yield read
            except BaseException:
                # Such as the task's timeout. The threads may still wait for answers on these connections.
                for reader in self._readers:
                    reader.cancel()
                self._wires = None
                raise
            finally:
                executor.shutdown(wait=False, cancel_futures=True)

    def _complete(self, read: _Pages, at_once: int) -> dict[str, AccountInstance]:
        known: dict[str, AccountInstance] = {}
        total: int | None = None
        for _ in range(READINGS):
            reading = _read(read, at_once)
            if reading.total is None:
                known, total = {}, None
                continue
            if len(reading.rows) == reading.total:
                return reading.rows
            # If only the order of the list changes, one reading has the instances that another one missed.
            known = known | reading.rows if reading.total == total else reading.rows
            total = reading.total
            if len(known) == total:
                return known
            if len(known) > total:  # an instance was deleted
                known = reading.rows
        raise ZApiTransientError(
            f"the list of instances was read {READINGS} times, and changed every time",
            "Nothing was sent to any instance, because one could have been missed. Retry later.",
            endpoint=ENDPOINT,
            conn_id=self._account.conn_id,
        )

    def _page(self, number: int, size: int, wanted: dict[str, str], transport: Transport | None = None) -> _Page:
        call = Call(
            "GET",
            ENDPOINT,
            endpoint=ENDPOINT,
            params={"page": str(number), "pageSize": str(size), **wanted},
            max_body=MAX_LIST_BODY,
        )
        read = partial(_page, account=self._account, now=self._now())
        page = caught(lambda: (transport or self._transport).call(call, read), ZApiAuthenticationError)
        if isinstance(page, ZApiAuthenticationError):
            raise _about_the_integrator_token(page)
        # Learn the tokens at once, because the next answer may repeat one of them.
        self.redactor.learn(row._token.value for row in page.rows)
        return page


def _read(read: _Pages, at_once: int) -> _Reading:
    """Read all pages once."""
    rows: dict[str, AccountInstance] = {}
    totals = set()
    number, last = 1, 1
    while number <= MAX_PAGES:
        for page in read(range(number, last + 1)):
            before = len(rows)
            rows |= {row.id: row for row in page.rows}
            totals.add(page.total)
            # A page without new instances also ends the list, in case the server ignores the page number.
            if len(rows) == before or (page.pages is not None and number >= page.pages):
                return _Reading(totals.pop() if len(totals) == 1 else None, rows)
            number += 1
        last = number if page.pages is None else min(page.pages, number + at_once - 1)
    return _Reading(totals.pop() if len(totals) == 1 else None, rows)


def _page(payload: Any, account: AccountCredentials, now: datetime) -> _Page | Failure:
    checked = object_without_error(payload)
    if isinstance(checked, Failure):
        return checked
    total, pages, content = checked.get("total"), checked.get("totalPage"), checked.get("content")
    if not _is_count(total):
        return unexpected("'total' is not a count of instances")
    if pages is not None and not _is_count(pages):
        return unexpected("'totalPage' is not a count of pages")
    if not isinstance(content, list):
        return unexpected("'content' is not a list of instances")
    rows = []
    for item in content:
        if not isinstance(item, dict) or not all(
            isinstance(item.get(name), str) and item[name] for name in ("id", "token")
        ):
            return unexpected("an instance lacks its 'id' or 'token'")
        rows.append(_row(item, account, now))
    return _Page(total, pages, rows)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _row(item: dict[str, Any], account: AccountCredentials, now: datetime) -> AccountInstance:
    """Return an instance without its callback URLs, because users put secrets into them."""
    name, payment, due = item.get("name"), item.get("paymentStatus"), moment(item.get("due"))
    return AccountInstance(
        item["id"],
        name if isinstance(name, str) else "",
        item.get("phoneConnected") is True and item.get("whatsappConnected") is True,
        None if due is None else due > now,
        due,
        payment if isinstance(payment, str) else "",
        _Token(item["token"]),
        account,
    )


def _about_the_integrator_token(error: ZApiAuthenticationError) -> ZApiError:
    """Return the error with a message about the account's credentials instead of an instance's."""
    if error.advice not in {STATUSES[status].advice for status in (401, 403)}:
        return error
    return ZApiAuthenticationError(
        "Z-API refused the integrator token",
        f"Copy the token that Z-API's support gave you into the connection's \"{INTEGRATOR_TOKEN}\". It is not the "
        "instance token and, with more than 25 instances, not the account security token.",
        endpoint=error.endpoint,
        conn_id=error.conn_id,
        status=error.status,
        attempts=error.attempts,
        elapsed=error.elapsed,
    )
