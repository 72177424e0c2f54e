"""Request and reply: messages that want an answer, between programs in Python, Swift or whatever speaks it.

    with mailslots.requests.Server("prices") as prices:
        for request in prices:
            request.answer(b"99")

    with mailslots.requests.Client() as client:
        print(client.call("prices", b"gold", timeout=1))

A call is carried out at most once. It ends by its answer; by a CallError, after which the server may have carried it out or not; or by a
MailslotError: then it was not sent. `mailslots.aio` has a Client and a Server for tasks. Servers are of this machine.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING

from . import _core
from ._calls import (
    KEPT_INTERVAL,
    LOOK_INTERVAL,
    AnswersMailslot,
    CallCode,
    CallError,
    Desk,
    PendingCall,
    Request,
    ServerConnection,
    answer_in,
    check_is_local,
    message_size,
)
from ._errors import ClosedError, MailslotError, NotOpenError, TimedOutError, WaitInterruptedError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from typing_extensions import Self

__all__ = ["CallCode", "CallError", "Client", "Request", "Server"]


class Client:
    """Calls servers, with one mailslot for all its answers. Threads may share it, and take turns; one each lets them call side by side.

    `max_answer_size`: of up to 408 bytes none costs memory beyond the mailslot's own.
    """

    def __init__(self, *, capacity: int = 64, max_servers: int = 64, max_answer_size: int = 408, mode: int = 0) -> None:
        self._answers = AnswersMailslot(capacity, max_servers, max_answer_size, mode)
        self._servers: dict[str, ServerConnection] = {}
        self._turn = threading.Lock()

    def call(self, server: str, request: ReadableBuffer, timeout: float | None = None, *, wait: float | None = 0) -> bytes:
        """Sends a request, and waits for its answer.

        `timeout` is for the request to find room and the answer to come, in seconds; `wait` for the server to appear, at the first call.
        A server that was killed, or left, is noticed within a tenth of a second.
        """
        with self._turn:
            try:
                return self._attempt(self._connection(server, wait), request, timeout)
            except ClosedError:
                # Another may have the name.
                self._servers.pop(server).writer.close()
                return self._attempt(self._connection(server, wait), request, timeout)

    def close(self) -> None:
        with self._turn:
            for server in self._servers.values():
                server.writer.close()
            self._answers.reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _connection(self, server: str, wait: float | None) -> ServerConnection:
        connection = self._servers.get(server)
        if connection is None:
            check_is_local(server)
            connection = self._servers[server] = ServerConnection(server, _core.Writer(server, wait=wait))
        return connection

    def _attempt(self, server: ServerConnection, request: ReadableBuffer, timeout: float | None) -> bytes:
        call = self._answers.begin(server, request, timeout)
        if not server.writer.write(call.message, call.left()):
            raise TimedOutError(f'The mailslot "{server.name}" had no room for the request in time.', 3, server.name)
        try:
            return self._answer_to(call, server)
        except BaseException as error:
            if not isinstance(error, CallError) or error.code == CallCode.TIMED_OUT:
                self._cancel(call, server)
            raise

    def _answer_to(self, call: PendingCall, server: ServerConnection) -> bytes:
        is_lost = False
        while True:
            left = call.left()
            timeout = LOOK_INTERVAL if left is None else min(left, LOOK_INTERVAL)
            message = self._answers.reader.read(0 if is_lost else timeout)
            if message is not None:
                frame = answer_in(message)
                if frame is not None and frame.call == call.number:
                    return call.result(frame)
            elif is_lost:
                raise call.error(CallCode.NO_READER)
            elif left is not None and left <= LOOK_INTERVAL:
                raise call.error(CallCode.TIMED_OUT)
            else:
                # Once more after this: it may have answered before it went.
                is_lost = server.is_lost(call)

    def _cancel(self, call: PendingCall, server: ServerConnection) -> None:
        try:
            server.writer.write(call.cancellation, 0)
        except MailslotError:
            pass  # it only works in vain


class Server:
    """Creates a mailslot, to answer the requests in it; the options are those of mailslots.Reader. One thread iterates; any may answer.

    `max_clients`: how many clients' mailslots it has open at the same time. `max_request_size`: the longest request in bytes.
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
        self._reader = _core.Reader(
            name,
            capacity=capacity,
            writers=writers,
            max_message_size=message_size(max_request_size),
            mode=mode,
            adopt=adopt,
            announces_death=True,
        )
        self._desk = Desk(name, max_clients)
        self._is_stopping = False

    @property
    def name(self) -> str:
        return self._reader.name

    def next(self, timeout: float | None = None) -> Request | None:
        """The next request that somebody waits for; None: none came within `timeout` seconds."""
        while True:
            if not self._desk.send_kept():
                message = self._reader.read_message(timeout)
            else:
                message = self._reader.read_message(KEPT_INTERVAL if timeout is None else min(timeout, KEPT_INTERVAL))
                if message is None and (timeout is None or timeout > KEPT_INTERVAL):
                    timeout = None if timeout is None else timeout - KEPT_INTERVAL
                    continue
            if message is None:
                return None
            request = self._desk.request_in(message)
            if request is not None:
                return request

    def stop(self) -> None:
        """Ends the iteration, from any thread or signal handler."""
        self._is_stopping = True
        self._reader.interrupt()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Request:
        try:
            request = None
            while request is None and not self._is_stopping:
                request = self.next()
        except (WaitInterruptedError, NotOpenError):
            if not self._is_stopping:
                raise
        if request is None:
            raise StopIteration
        return request

    def close(self) -> None:
        """Closes the mailslot. Requests that were taken may still be answered while they last; what waits is discarded."""
        self._reader.close()
        self._desk.send_kept()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
