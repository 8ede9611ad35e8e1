"""Who used least lately is next: first among addresses, then among those behind one."""

from __future__ import annotations

from dataclasses import dataclass

from shares import HALF_LIFE_SECONDS, MAX_KEYS, Client, Shares

HOME, OFFICE = "192.0.2.1", "198.51.100.1"


@dataclass(frozen=True)
class Asker:
    client: Client


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def serve(shares: Shares, waiting: list[Asker], amount: float = 1.0) -> list[Client]:
    """Serve all who wait, one after the other; return in which order."""
    served = []
    while waiting:
        asker = shares.choose(waiting)
        waiting.remove(asker)
        shares.charge(asker.client, amount)
        served.append(asker.client)
    return served


def test_who_asks_for_much_is_served_in_turn_with_who_asks_for_little() -> None:
    flood = [Asker(Client(HOME, "", f"tab {number}")) for number in range(16)]
    others = [Asker(Client(f"203.0.113.{number}", "", "tab")) for number in range(3)]
    served = serve(Shares(Clock()), [*flood, *others])
    assert {client.address for client in served[:4]} == {HOME, *(other.client.address for other in others)}


def test_those_behind_one_address_share_what_it_gets() -> None:
    flooder, neighbour = Client(OFFICE, "", "flooder"), Client(OFFICE, "", "neighbour")
    served = serve(Shares(Clock()), [*[Asker(flooder)] * 10, Asker(neighbour), Asker(Client(HOME, "", "tab"))])
    assert served.index(neighbour) <= 2


def test_a_driver_shares_with_all_at_the_address_who_are_not_logged_in_and_with_each_other_driver() -> None:
    visitors = [Asker(Client(OFFICE, "", f"tab {number}")) for number in range(12)]
    drivers = [Asker(Client(OFFICE, "1", "tab")), Asker(Client(OFFICE, "2", "tab"))]
    served = serve(Shares(Clock()), [*visitors, *drivers])
    assert [client.driver for client in served[:3]] == ["", "1", "2"]


def test_who_used_equally_much_is_served_in_the_order_of_coming() -> None:
    tabs = [Client(f"203.0.113.{number}", "", "tab") for number in range(5)]
    assert serve(Shares(Clock()), [Asker(tab) for tab in tabs]) == tabs


def test_what_was_used_is_forgotten_so_that_nobody_waits_for_ever() -> None:
    clock = Clock()
    shares, heavy, light = Shares(clock), Asker(Client(HOME, "", "tab")), Asker(Client(OFFICE, "", "tab"))
    shares.charge(heavy.client, 8.0)
    for _ in range(20):  # the light one comes again as soon as it was served, and uses less a second than the other did
        if shares.choose([heavy, light]) is heavy:
            return
        shares.charge(light.client, 0.5)
        clock.now += HALF_LIFE_SECONDS / 2
    raise AssertionError("the heavy one was never served")


def test_a_million_addresses_take_no_more_memory_than_some_thousand() -> None:
    shares = Shares(Clock())
    for number in range(MAX_KEYS + 100):
        shares.charge(Client(str(number), "", "tab"), 1.0)
    assert len(shares) == MAX_KEYS
