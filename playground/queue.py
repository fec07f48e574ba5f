"""One composing at a time: requests wait, see how many are before them, and can be cancelled."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from melody.errors import UserError
from playground.settings import RequestError

MOST_WAITING = 20  # requests
BEAT = 0.5  # seconds between two lines to a request that waits, so that a cancelled one is noticed

Work = Callable[[Callable[[dict], None], Callable[[], bool]], None]  # (emit an event, is the request cancelled)


class Job:
    """A request that waits or is composed; what it emits is sent line by line, as JSON."""

    def __init__(self, queue: Queue, work: Work):
        self.queue, self.work, self.loop = queue, work, asyncio.get_running_loop()
        self.events: asyncio.Queue[dict] = asyncio.Queue()
        self.is_cancelled = False

    def run(self) -> None:
        """Do the work, in the thread that composes."""
        end: dict = {"done": True}
        try:
            if not self.is_cancelled:
                self.work(self.emit, lambda: self.is_cancelled)
        except UserError as mistake:
            end = {"error": str(mistake), "control": getattr(mistake, "control", "")}
        except Exception:
            if not self.is_cancelled:
                traceback.print_exc()
            end = {"error": "the server failed; its terminal says why", "control": ""}
        finally:
            self.queue.jobs.remove(self)
            self.emit(end)

    def emit(self, event: dict) -> None:
        with suppress(RuntimeError):  # the server is stopping
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)

    async def lines(self) -> AsyncIterator[bytes]:
        """The events as they come, and between them how many requests are before this one. To stop reading them
        cancels the request."""
        ended = False
        try:
            while not ended:
                try:
                    event = await asyncio.wait_for(self.events.get(), BEAT)
                except TimeoutError:
                    event = {"waiting": self.queue.jobs.index(self) if self in self.queue.jobs else 0}
                ended = "done" in event or "error" in event
                yield line_of(event)
        finally:
            self.is_cancelled = True


class Queue:
    """The requests that wait, the first of which is composed."""

    def __init__(self):
        self.jobs: list[Job] = []
        self.thread = ThreadPoolExecutor(1, "composing")

    def add(self, work: Work) -> Job:
        """A job at the end of the queue. Raises `RequestError` if too many wait."""
        if sum(not job.is_cancelled for job in self.jobs) > MOST_WAITING:
            raise RequestError(f"{MOST_WAITING} requests are waiting; try again in a minute")
        self.jobs.append(job := Job(self, work))
        self.thread.submit(job.run)
        return job

    async def call(self, function: Callable, *arguments):
        """The result of a function that needs the models, called between two jobs."""
        return await asyncio.wrap_future(self.thread.submit(function, *arguments))

    def close(self) -> None:
        """Cancel all jobs."""
        for job in self.jobs:
            job.is_cancelled = True
        self.thread.shutdown(wait=False, cancel_futures=True)


def line_of(event: dict) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
