"""Request and reply for tasks."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING

from .. import _core
from .._calls import (
    KEPT_INTERVAL,
    LOOK_INTERVAL,
    AnswersMailslot,
    CallCode,
    Desk,
    PendingCall,
    Request,
    ServerConnection,
    answer_in,
    check_is_local,
    message_size,
)
from .._errors import ClosedError, MailslotError, TimedOutError
from .._frame import Frame
from ._ends import Reader, Writer, open

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from typing_extensions import Self


class Client:
    """Calls servers from any number of tasks at the same time, with one mailslot for all answers; see mailslots.requests.Client."""

    def __init__(self, *, capacity: int = 64, max_servers: int = 64, max_answer_size: int = 408, mode: int = 0) -> None:
        self._answers = AnswersMailslot(capacity, max_servers, max_answer_size, mode)
        self._reader = Reader(self._answers.reader)
        self._servers: dict[str, tuple[ServerConnection, Writer]] = {}
        self._opening = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def call(
        self, server: str, request: ReadableBuffer, timeout: float | None = None, *, wait: float | None = 0
    ) -> bytes:
        """As of the client for threads. A task that is cancelled has the server told to give up."""
        connection, writer = await self._connection(server, wait)
        try:
            return await self._attempt(connection, writer, request, timeout)
        except ClosedError:
            # Another may have the name; another call may have opened it already.
            if self._servers.get(server) == (connection, writer):
                del self._servers[server]
            connection, writer = await self._connection(server, wait)
            return await self._attempt(connection, writer, request, timeout)

    def close(self) -> None:
        """Closes. Calls that wait raise NotOpenError."""
        self._reader.close()
        for _, writer in self._servers.values():
            writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def _connection(self, server: str, wait: float | None) -> tuple[ServerConnection, Writer]:
        async with self._opening:
            if server not in self._servers:
                check_is_local(server)
                writer = await open(server, wait=wait)
                self._servers[server] = (ServerConnection(server, writer._writer), writer)
            return self._servers[server]

    async def _attempt(
        self, connection: ServerConnection, writer: Writer, request: ReadableBuffer, timeout: float | None
    ) -> bytes:
        call = self._answers.begin(connection, request, timeout)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[call.number] = answer
        try:
            if not await writer.write(call.message, call.left()):
                raise TimedOutError(f'The mailslot "{connection.name}" had no room for the request in time.', 3, connection.name)
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            return call.result(await self._answer_to(call, answer, connection))
        finally:
            del self._waiting[call.number]
            if not self._waiting and self._reading is not None:
                self._reading.cancel()
                self._reading = None

    async def _answer_to(self, call: PendingCall, answer: asyncio.Future[Frame], server: ServerConnection) -> Frame:
        try:
            while True:
                left = call.left()
                await asyncio.wait([answer], timeout=LOOK_INTERVAL if left is None else min(left, LOOK_INTERVAL))
                if answer.done():
                    return answer.result()
                if left is not None and left <= LOOK_INTERVAL:
                    raise call.error(CallCode.TIMED_OUT)
                if server.is_lost(call):
                    await self._take_all()  # it may have answered before it went
                    if answer.done():
                        return answer.result()
                    raise call.error(CallCode.NO_READER)
        except BaseException:
            try:
                server.writer.write(call.cancellation, 0)
            except MailslotError:
                pass  # it only works in vain
            raise

    async def _read(self) -> None:
        """Reads for all calls, while there are some."""
        try:
            while True:
                message = await self._reader.read()
                if message is not None:
                    self._deliver(message)
        except MailslotError as error:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(error)

    async def _take_all(self) -> None:
        """Takes what is there."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        while (message := await self._reader.read(0)) is not None:
            self._deliver(message)
        self._reading = asyncio.create_task(self._read())

    def _deliver(self, message: bytes) -> None:
        frame = answer_in(message)
        answer = self._waiting.get(frame.call) if frame is not None else None
        if frame is not None and answer is not None and not answer.done():
            answer.set_result(frame)


class Server:
    """Answers the requests in a mailslot from tasks; see mailslots.requests.Server, which has the same options.

        async with mailslots.aio.Server("prices") as prices:
            async for request in prices:
                request.answer(b"99")
    """

    def __init__(
        self,
        name: str,
        *,
        max_clients: int = 256,
        capacity: int = 0,
        writers: int = 0,
        max_request_size: int = 392,
        mode: int = 0,
        adopt: bool = False,
    ) -> None:
        reader = _core.Reader(
            name,
            capacity=capacity,
            writers=writers,
            max_message_size=message_size(max_request_size),
            mode=mode,
            adopt=adopt,
            announces_death=True,
        )
        self._reader = Reader(reader)
        self._desk = Desk(name, max_clients)

    @property
    def name(self) -> str:
        return self._reader.name

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Request:
        """The next request that somebody waits for."""
        while True:
            message = await self._reader.read_message(KEPT_INTERVAL if self._desk.send_kept() else None)
            request = self._desk.request_in(message) if message is not None else None
            if request is not None:
                return request

    def close(self) -> None:
        """Closes the mailslot; what waits is discarded."""
        self._reader.close()
        self._desk.send_kept()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
