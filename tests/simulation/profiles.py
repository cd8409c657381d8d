"""The profiles of faults in a run, one row each."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.number import Rules

Draw = Callable[[random.Random], float]


def _never(rng: random.Random) -> float:
    return 0.0


def _fixed(seconds: float) -> Draw:
    return lambda rng: seconds


def _between(low: float, high: float) -> Draw:
    return lambda rng: rng.uniform(low, high)


@dataclass(frozen=True)
class Profile:
    """One combination of faults.

    :param lag: the lag of a read in seconds, random for each read
    :param read_fails: probability that a read of a list answers 503
    :param refused: probability that a write is refused (``success: false``) and not applied
    :param lost: probability that a write is applied and its answer lost (504)
    :param ignored: probability that a write gets a success as answer but is not applied
    :param busy: probability that a call answers 429 with Retry-After
    :param batch_fails: probability that phone-exists-batch answers 503
    :param rival: how another writer behaves
    :param gone: probability that a wanted contact is not on WhatsApp
    :param lids: whether lists name some people by ``@lid``
    :param lids_untold: probability that WhatsApp does not return a person's ``@lid``
    :param kill: whether the run is killed at one of its requests
    """

    name: str
    rules: Rules = field(default_factory=Rules)
    lag: Draw = _never
    read_fails: float = 0.0
    refused: float = 0.0
    lost: float = 0.0
    ignored: float = 0.0
    busy: float = 0.0
    batch_fails: float = 0.0
    rival: str = ""
    gone: float = 0.0
    lids: bool = False
    lids_untold: float = 0.0
    kill: bool = False

    @property
    def lags(self) -> bool:
        """Whether reads lag behind."""
        return self.lag is not _never

    @property
    def only_lags(self) -> bool:
        """Whether lagging reads are the only fault."""
        return self.lags and not (
            self.rival or self.gone or self.lids_untold or self.kill
            or any((self.read_fails, self.refused, self.lost, self.ignored, self.busy, self.batch_fails))
        )  # fmt: skip


GONE_BACK = Rules("as it was", comes_back=False)
HIDDEN = Rules("nothing", comes_back=True)
EMPTY = Rules("nothing", comes_back=False)

PROFILES = (
    Profile("nothing"),
    Profile("lids", lids=True),
    Profile("list reads as it was and does not come back", GONE_BACK),
    Profile("list reads empty and comes back", HIDDEN, lids=True),
    Profile("list reads empty and does not come back", EMPTY),
    Profile("lag 1 s", lag=_fixed(1)),
    Profile("lag 3 s", lag=_fixed(3), lids=True),
    Profile("lag 8 s", lag=_fixed(8)),
    Profile("lag 15 s", lag=_fixed(15)),
    Profile("lag 25 s", lag=_fixed(25)),
    Profile("lag 90 s", lag=_fixed(90)),
    Profile("lag from read to read", lag=_between(0, 4)),
    Profile("lag, list does not come back", GONE_BACK, lag=_between(0, 6)),
    Profile("lag, list comes back", HIDDEN, lag=_fixed(5)),
    Profile("failing reads", read_fails=0.3),
    Profile("failing reads, list does not come back", GONE_BACK, read_fails=0.3),
    Profile("refused writes", refused=0.3),
    Profile("refused writes, list does not come back", EMPTY, refused=0.3),
    Profile("lost answers", lost=0.3, lids=True),
    Profile("ignored writes", ignored=0.2),
    Profile("busy", busy=0.2),
    Profile("failing phone-exists-batch", batch_fails=0.3, lids=True),
    Profile("contacts that left", gone=0.2),
    Profile("contacts that left, by @lid", HIDDEN, gone=0.2, lids=True),
    Profile("contacts that left refuse the call", Rules(missing_refused=True), gone=0.2),
    Profile("contacts that left, and lag", gone=0.2, lag=_fixed(4)),
    Profile("untold @lids", lids=True, lids_untold=0.3),
    Profile("rival once", rival="once"),
    Profile("rival after the read-back", rival="after read-back"),
    Profile("rival that undoes", rival="undoes"),
    Profile("rival with its own policy", rival="periodic"),
    Profile("rival, and lag", rival="once", lag=_between(1, 3)),
    Profile("killed", kill=True),
    Profile("killed, list does not come back", GONE_BACK, kill=True, lids=True),
    Profile("everything", EMPTY, _between(0, 3), 0.05, 0.1, 0.1, 0.05, 0.05, 0.05, "once", 0.05, lids=True),
)
