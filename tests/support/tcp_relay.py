"""A TCP relay between two parts that are on one machine: it delays, or cuts."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PORTION = 1 << 16


class Wire:
    """Relays connections to a port of this machine. `port` is where to connect instead.

    `delay` is in seconds, for each direction: twice of it is the round trip. `cut_after` bytes
    from the far side, once, both ends are closed as a broken line closes them.
    """

    def __init__(self, to: int, *, delay: float = 0.0) -> None:
        self.to = to
        self.delay = delay
        self.cut_after: int | None = None
        self.passed = 0
        self.port = 0

    async def relay(self, near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        far, onward = await asyncio.open_connection("127.0.0.1", self.to)
        ends = [
            asyncio.create_task(self._pass(near, onward, counted=False)),
            asyncio.create_task(self._pass(far, answer, counted=True)),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            for writer in (answer, onward):
                writer.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            while data := await source.read(PORTION):
                queue.put_nowait((loop.time() + self.delay, data))
            queue.put_nowait((loop.time() + self.delay, b""))

        reading = asyncio.create_task(read())
        try:
            while True:
                due, data = await queue.get()
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                if not data:
                    return
                if counted and self.cut_after is not None:
                    self.cut_after -= len(data)
                    if self.cut_after <= 0:
                        self.cut_after = None
                        return
                self.passed += len(data) if counted else 0
                target.write(data)
                await target.drain()
        except OSError:
            return
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await reading


@asynccontextmanager
async def wire(to: int, *, delay: float = 0.0) -> AsyncIterator[Wire]:
    """A relay to a port of this machine, while the context lasts."""
    relay = Wire(to, delay=delay)
    server = await asyncio.start_server(relay.relay, "127.0.0.1", 0, limit=1 << 22)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()


async def _main(to: int, delay: float) -> None:
    async with wire(to, delay=delay) as relay:
        print(relay.port, flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":  # a process of its own, for whoever measures
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2])))
