"""Requests wait for a thread by client: whoever sends many waits for their own, and who leaves waits no longer."""

from __future__ import annotations

import asyncio
from collections import Counter

import anyio
import pytest
from own_loop import run_in_own_loop

from read_queue import ReadQueue
from shares import Client

SIZE = 4
HOME, OFFICE, UNKNOWN = Client("192.0.2.1", tab="api"), Client("198.51.100.1", tab="api"), Client(tab="api")


class Requests:
    """Requests that keep their turn until they are told to end, and in which order they got it."""

    def __init__(self) -> None:
        self.queue = ReadQueue(SIZE)
        self.begun: list[Client] = []
        self._held: list[tuple[Client, asyncio.Event]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, client: Client, times: int = 1) -> list[asyncio.Task[None]]:
        """Let requests come; each has a turn or waits for one when this returns."""
        tasks = [asyncio.create_task(self._hold(client)) for _ in range(times)]
        self._tasks += tasks
        await self._settle()
        return tasks

    async def end_first(self) -> None:
        self._held[0][1].set()
        await self._settle()

    async def end_all(self) -> None:
        while self._held:
            await self.end_first()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hold(self, client: Client) -> None:
        async with self.queue.take(client):
            self.begun.append(client)
            held = client, asyncio.Event()
            self._held.append(held)
            try:
                await held[1].wait()
            finally:
                self._held.remove(held)

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def count_held(self) -> Counter[Client]:
        return Counter(client for client, _ in self._held)


@pytest.mark.parametrize("flooder", [HOME, UNKNOWN], ids=["a known address", "an unknown one"])
def test_another_client_waits_for_one_request_of_a_flood(flooder: Client) -> None:
    async def flood() -> None:
        requests = Requests()
        await requests.come(flooder, 60)
        await requests.come(OFFICE)
        await requests.end_first()
        assert requests.begun == [*[flooder] * SIZE, OFFICE]
        await requests.end_all()
        assert Counter(requests.begun) == {flooder: 60, OFFICE: 1}

    run_in_own_loop(flood())


def test_no_address_is_given_more_than_half_of_the_turns_while_others_wait() -> None:
    async def share() -> None:
        requests = Requests()
        # The office has just used far more than the home did, and is to have its half all the same.
        for _ in range(20):
            await requests.come(OFFICE)
            await requests.end_first()
        await requests.come(HOME, 20)
        assert requests.count_held() == {HOME: SIZE}, "nobody else waits"
        await requests.come(OFFICE, 20)
        for _ in range(SIZE):
            await requests.end_first()
        assert requests.count_held() == {HOME: SIZE // 2, OFFICE: SIZE // 2}
        await requests.end_all()

    run_in_own_loop(share())


def test_who_is_cancelled_leaves_the_queue_or_gives_the_turn_on() -> None:
    async def leave() -> None:
        requests = Requests()
        holding = await requests.come(HOME, SIZE)
        waiting = await requests.come(HOME, 3)
        await requests.come(OFFICE)
        for task in waiting:
            task.cancel()
        holding[0].cancel()
        await asyncio.gather(*waiting, holding[0], return_exceptions=True)
        await requests.come(HOME, SIZE)
        assert requests.begun == [*[HOME] * SIZE, OFFICE]
        await requests.end_all()
        assert len(requests.begun) == 2 * SIZE + 1

    run_in_own_loop(leave())


def test_a_turn_that_comes_at_the_moment_of_leaving_goes_to_the_next() -> None:
    async def leave() -> None:
        requests = Requests()
        holding = await requests.come(HOME, SIZE)
        (late,) = await requests.come(OFFICE)
        await requests.come(HOME)
        holding[0].cancel()
        await asyncio.sleep(0)  # the turn is given on, and who it is given to has not gone on yet
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        await requests.come(HOME, 0)
        assert requests.begun == [HOME] * (SIZE + 1)
        await requests.end_all()
        await requests.come(OFFICE, SIZE + 1)
        assert requests.count_held() == {OFFICE: SIZE}, "no turn was lost, and none was made"
        await requests.end_all()

    run_in_own_loop(leave())


def test_the_time_limit_counts_from_the_beginning() -> None:
    async def wait() -> None:
        requests = Requests()
        await requests.come(HOME, SIZE)
        with pytest.raises(TimeoutError), anyio.fail_after(0.05):
            await requests.queue.run(OFFICE, lambda: None)
        await requests.end_all()
        assert await requests.queue.run(OFFICE, lambda: "done") == "done"

    run_in_own_loop(wait())
