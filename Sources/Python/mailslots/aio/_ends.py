"""The ends for tasks: a wait that a thread of the library sleeps through, and tells the event loop by an eventfd."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from .. import _core
from .._errors import Code, NotFoundError, NoReaderError, TimedOutError
from .._info import Info

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from typing_extensions import Self

_Result = TypeVar("_Result")


class _End:
    """What both ends share: a wait, and turns."""

    def __init__(self, end: _core.Reader | _core.Writer) -> None:
        self._woken: asyncio.Future[None] | None = None
        self._end = end
        self._process = os.getpid()
        self._turn = asyncio.Lock()
        self._descriptor = _core._eventfd()

    @property
    def name(self) -> str:
        return self._end.name

    @property
    def closed(self) -> bool:
        return self._end.closed

    def info(self) -> Info:
        """As of the end for threads."""
        return self._end.info()

    def close(self) -> None:
        """Closes. A call of another task that waits raises NotOpenError."""
        self._end_by(self._end.close)

    def _end_by(self, call: Callable[[], object]) -> None:
        if self._end.closed:
            return
        try:
            call()
        finally:
            # What it raises it may raise although it has closed.
            if self._end.closed:
                self._discard()

    def _discard(self) -> None:
        # Nobody writes to the descriptor any more: closing has ended the wait. The loop must forget it before its number is another's, also
        # where the wait was cancelled in the same turn and does not know yet. A child of a fork has its parent's loop, which it must not
        # touch, for the two share what it waits with.
        if self._woken is not None and self._process == os.getpid():
            self._woken.get_loop().remove_reader(self._descriptor)
            if not self._woken.done():
                self._woken.set_result(None)
        os.close(self._descriptor)

    def __del__(self) -> None:
        # Not where __init__ has failed.
        if hasattr(self, "_descriptor") and not self._end.closed:
            self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def _until_over(self, attempt: Callable[[], int]) -> None:
        """Makes the attempt again and again, each time after the wait that it has begun. With the turn."""
        try:
            while attempt() != Code.DONE:
                await self._wait_ended()
        except BaseException:
            # Cancelled, mostly. What came meanwhile stays where it is.
            if not self._end.closed:
                self._end._end_wait()
                self._clear()
            raise

    async def _wait_ended(self) -> None:
        loop = asyncio.get_running_loop()
        self._woken = loop.create_future()
        loop.add_reader(self._descriptor, self._wake)
        try:
            await self._woken
        finally:
            self._woken = None
            if not self._end.closed:
                loop.remove_reader(self._descriptor)

    def _wake(self) -> None:
        self._clear()
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def _clear(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            pass


class Reader(_End):
    """Reads from a mailslot in tasks: of a mailslots.Reader, which is this one's from here on."""

    #: After so many messages of an iteration that were there already the loop has its turn.
    _in_a_row = 64

    def __init__(self, reader: _core.Reader) -> None:
        super().__init__(reader)
        self._reader = reader
        self._taken = 0

    async def read(self, timeout: float | None = None) -> bytes | None:
        """The next message as bytes; None if none came within `timeout` seconds. None waits for ever, 0 does not wait."""
        return await self._take(lambda: self._reader.read(0), timeout)

    async def read_message(self, timeout: float | None = None) -> _core.Message | None:
        """As read, with the message's position, sender and origin."""
        return await self._take(lambda: self._reader.read_message(0), timeout)

    async def read_batch(self, count: int, timeout: float | None = None) -> list[bytes]:
        """As many messages as are there, at most `count`; waits only for the first."""
        return await self._take(lambda: self._reader.read_batch(count, 0) or None, timeout) or []

    def leave(self) -> None:
        """Closes, but keeps the mailslot with what is unread, for the next reader with `adopt`."""
        self._end_by(self._reader.leave)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._taken += 1
        if self._taken % self._in_a_row == 0:
            await asyncio.sleep(0)
        message = await self.read()
        assert message is not None  # it waits for ever
        return message

    async def _take(self, read: Callable[[], _Result | None], timeout: float | None) -> _Result | None:
        if not self._turn.locked():
            result = read()
            if result is not None:
                return result
        if timeout is not None and timeout <= 0:
            return None
        try:
            async with asyncio.timeout(timeout), self._turn:
                await self._until_over(lambda: self._reader._begin_wait(self._descriptor))
                return read()
        except TimeoutError:
            return None


class Writer(_End):
    """Writes to a mailslot in tasks: by a mailslots.Writer, which is this one's from here on. See open()."""

    def __init__(self, writer: _core.Writer) -> None:
        super().__init__(writer)
        self._writer = writer

    async def write(self, message: ReadableBuffer, timeout: float | None = None) -> bool:
        """Writes a bytes-like object. False: there was no room within `timeout` seconds, and nothing was written."""
        was_full = False
        if not self._turn.locked():
            if self._writer.write(message, 0):
                return True
            was_full = True
        if timeout is not None and timeout <= 0:
            return False
        try:
            async with asyncio.timeout(timeout), self._turn:
                await self._until_over(lambda: self._writer._write_or_begin_wait(message, self._descriptor, was_full))
                return True
        except TimeoutError:
            return False


async def open(
    name: str,
    *,
    wait: float | None = 0,
    trust_user: int | None = None,
    wait_through_restarts: bool = False,
    leaves_express_lane: bool = False,
    populate: bool = False,
    lock_pages: bool = False,
) -> Writer:
    """Opens a mailslot, to write to it, and suspends the task up to `wait` seconds until it has a reader; None waits for ever.

    The other options are those of mailslots.Writer, and so is what it raises.
    """

    def attempt(wait: float) -> _core.Writer:
        return _core.Writer(
            name,
            wait=wait,
            trust_user=trust_user,
            wait_through_restarts=wait_through_restarts,
            leaves_express_lane=leaves_express_lane,
            populate=populate,
            lock_pages=lock_pages,
        )

    deadline = None if wait is None else time.monotonic() + wait
    # Who waits at all hears at the end that the time is up, and not that there is no mailslot.
    least = 0 if wait is not None and wait <= 0 else 1e-6
    while True:
        left = _slice if deadline is None else min(deadline - time.monotonic(), _slice)
        try:
            # By another thread, for it looks at files, and asks the bridge for names of other machines.
            return Writer(await asyncio.to_thread(attempt, max(left, least)))
        except (NotFoundError, NoReaderError, TimedOutError):
            if left < _slice:
                raise


#: How long a thread waits for a reader that a task waits for: when that is cancelled it goes on for so long, in seconds.
_slice = 0.1
