"""Calls without their waits: what requests.py, for threads, and aio, for tasks, have in common."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import OrderedDict, deque
from enum import IntEnum
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from . import _core
from ._errors import AlreadyExistsError, BusyError, MailslotError
from ._frame import HEADER_SIZE, Frame, Kind, packed, parsed

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: How often a client that waits looks whether the server is there, in seconds.
LOOK_INTERVAL = 0.1
#: How long a server that keeps answers for a full client waits before it looks again.
KEPT_INTERVAL = 0.01
_GENERATIONS = 1 << 40


class CallCode(IntEnum):
    """Why a call has no answer."""

    #: The server answered with an error: `reason`.
    FAILED = 1
    #: The server let the request go without an answer.
    UNANSWERED = 2
    #: The server has no handler for requests of this type, or one for another version, or cannot decode it.
    UNKNOWN_TYPE = 3
    OTHER_VERSION = 4
    UNDECODABLE_REQUEST = 5
    #: The answer is longer than this client takes.
    ANSWER_TOO_LONG = 6
    #: The client's mailslot for answers was full, and the server could keep no more for it.
    ANSWERS_FULL = 7
    #: The server ended before it had an answer.
    SERVER_STOPPED = 8
    #: No answer came in time. The server was told to give up.
    TIMED_OUT = 0x8001
    #: The server was killed, or left its mailslot.
    NO_READER = 0x8002
    #: The server closed its mailslot.
    CLOSED = 0x8003
    #: Of a server's own call: the request was answered before.
    ALREADY_ANSWERED = 0x8005
    #: Of a server's own call: the client is gone.
    CLIENT_GONE = 0x8006


class CallError(Exception):
    """Why a call that was sent has no answer; the server may have carried it out or not.

    `code` is a CallCode, or an int that it does not have, of a later version of the server. `reason`: the server's own words, if it has
    any, which another process has written.
    """

    def __init__(self, code: int, server: str, call: str, reason: str = "") -> None:
        super().__init__(code, server, call, reason)
        self.code = CallCode(code) if code in _codes else code
        self.server = server
        self.call = call
        self.reason = reason

    def __str__(self) -> str:
        code = self.code.name.lower().replace("_", " ") if isinstance(self.code, CallCode) else f"code {self.code}"
        return f'The call {self.call} to the mailslot "{self.server}" has no answer: {code}. {self.reason}'.rstrip()


_codes = frozenset(CallCode)


def _name_of_answers(process: int, number: int) -> str:
    return f"answers/{process}-{number:x}"


# MARK: a client


class AnswersMailslot:
    """A client's mailslot for answers, and the numbers of its calls."""

    def __init__(self, capacity: int, max_servers: int, max_answer_size: int, mode: int) -> None:
        self.process = os.getpid()
        while True:
            self.number = secrets.randbits(32)
            try:
                self.reader = _core.Reader(
                    _name_of_answers(self.process, self.number),
                    capacity=capacity,
                    writers=max_servers,
                    max_message_size=max(max_answer_size + HEADER_SIZE, 424),
                    mode=mode,
                )
                return
            except AlreadyExistsError:
                pass  # of a process with our number in another pid namespace

    _generation = 0

    def begin(self, server: ServerConnection, request: ReadableBuffer, timeout: float | None) -> PendingCall:
        self._generation = (self._generation + 1) % _GENERATIONS
        number = server.token << 40 | self._generation
        name = f"{self.process}-{self.number:x}/{number:x}"
        return PendingCall(server.name, number, name, self.number, request, timeout, server.reader_since())


def check_is_local(server: str) -> None:
    path = server.replace("/", "\\")
    if path.startswith("\\\\") and not path.startswith("\\\\.\\"):
        raise ValueError(f"{server} is on another machine; only servers of this one can be called")


class ServerConnection:
    """A server's mailslot, open to write requests."""

    def __init__(self, name: str, writer: _core.Writer) -> None:
        self.name = name
        self.writer = writer
        #: The upper bits of its calls' numbers, for this server alone to know: no other can answer them.
        self.token = secrets.randbits(24)
        self._since = 0.0

    def reader_since(self) -> float:
        """Tells a server from the next one that adopts the mailslot."""
        try:
            self._since = self.writer.info()["reader_since"]
        except BusyError:
            pass  # another task's request waits for room: as it was a moment ago
        return self._since

    def is_lost(self, call: PendingCall) -> bool:
        """Whether the server that the call was sent to is gone: it may have taken the request, and nobody else will answer it."""
        try:
            return not self.writer.has_reader() or self.reader_since() != call.reader_since
        except BusyError:
            return False  # another task's request waits for room meanwhile, and hears of it
        except MailslotError:
            return True


class PendingCall:
    """A call that has begun, and what has become of it."""

    def __init__(
        self,
        server: str,
        number: int,
        name: str,
        answers: int,
        request: ReadableBuffer,
        timeout: float | None,
        reader_since: float,
    ) -> None:
        self.reader_since = reader_since
        self.server = server
        self.number = number
        self.name = name
        self.deadline = None if timeout is None else time.monotonic() + max(timeout, 0)
        deadline = None if self.deadline is None else int(self.deadline * 1e9)
        self.message = packed(Kind.REQUEST, number, answers=answers, deadline=deadline) + memoryview(request)
        self.cancellation = packed(Kind.CANCELLATION, number, answers=answers)

    def left(self) -> float | None:
        """How long it may still take, in seconds."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0)

    def result(self, frame: Frame) -> bytes:
        """What the call returns for its answer, or raises for a failure."""
        if frame.kind == Kind.ANSWER:
            return frame.payload
        raise self.error(frame.code, frame.payload.decode(errors="replace"))

    def error(self, code: int, reason: str = "") -> CallError:
        return CallError(code, self.server, self.name, reason)


def answer_in(message: bytes) -> Frame | None:
    """The answer or failure in a message; None: it is none, and was written by who has no business here."""
    frame = parsed(message)
    return frame if frame is not None and frame.kind in (Kind.ANSWER, Kind.FAILURE) else None


# MARK: a server


def message_size(max_request_size: int) -> int:
    """What a server's mailslot is created with, so that a request finds room behind its header, a deadline and a type."""
    size = max_request_size + HEADER_SIZE + 16
    return size if size > 424 else 0


class Request:
    """A request that a server has taken, to be answered once, at any time, by any thread.

    Let go of without an answer, it is answered by an error, so that no caller waits in vain. A loop's variable holds it until the next one
    comes: answer each, or `del` it.
    """

    def __init__(self, frame: Frame, message: _core.Message, client: ClientConnection) -> None:
        #: What the caller sent.
        self.data = frame.payload
        #: The caller's process id, as it says.
        self.sender = message.sender
        self._call = frame.call
        self._deadline = frame.deadline
        self._client = client
        self._is_answered = False
        self._is_cancelled = False

    @property
    def id(self) -> str:
        """Which call it is, as the caller knows it: a repeated one has the same."""
        return f"{self._client.id}/{self._call:x}"

    @property
    def cancelled(self) -> bool:
        """Whether the caller has given up: an answer is of no use any more, and none is sent."""
        return self._is_cancelled

    @property
    def time_left(self) -> float | None:
        """Seconds until the caller gives up; None: never."""
        return None if self._deadline is None else max(self._deadline / 1e9 - time.monotonic(), 0)

    def answer(self, data: ReadableBuffer) -> None:
        """Answers. Never waits: where the client's mailslot is full, the answer is kept until there is room.

        CallError: the request was answered before; the answer is too long for the client, which hears so; the client is gone.
        """
        message = packed(Kind.ANSWER, self._call) + memoryview(data)
        if len(message) > self._client.max_message_size:
            self._send(packed(Kind.FAILURE, self._call, code=CallCode.ANSWER_TOO_LONG))
            raise self._error(CallCode.ANSWER_TOO_LONG)
        self._send(message)

    def fail(self, reason: str) -> None:
        """Answers with an error: the caller gets a CallError FAILED with this reason, of which at most some 400 bytes are sent."""
        self._refuse(CallCode.FAILED, reason)

    def _refuse(self, code: CallCode, reason: str = "") -> None:
        text = reason.encode()[: 424 - HEADER_SIZE].decode(errors="ignore").encode()
        self._send(packed(Kind.FAILURE, self._call, code=code) + text)

    def _send(self, message: bytes) -> None:
        if self._is_answered:
            raise self._error(CallCode.ALREADY_ANSWERED)
        self._is_answered = True
        if not self._is_cancelled and not self._client.send(message, self._call):
            raise self._error(CallCode.CLIENT_GONE)

    def _error(self, code: CallCode) -> CallError:
        return CallError(code, self._client.server, self.id)

    def __del__(self) -> None:
        if not getattr(self, "_is_answered", True):
            try:
                self._refuse(CallCode.UNANSWERED)
            except CallError:
                pass


class ClientConnection:
    """A client's mailslot for answers, and what found no room there. An honest client that runs reads its answers at once; what is kept for
    another is bounded."""

    _kept_messages_max = 4096
    _kept_bytes_max = 256 * 1024

    def __init__(self, server: str, process: int, number: int) -> None:
        self.server = server
        self.id = f"{process}-{number:x}"
        self._name = _name_of_answers(process, number)
        self._writer = _core.Writer(self._name)
        self.max_message_size = self._writer.info()["max_message_size"]
        self._lock = threading.Lock()
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0

    @property
    def keeps(self) -> bool:
        return bool(self._kept)

    def send(self, message: bytes, call: int) -> bool:
        """False: the client is gone, or too much is kept for it already."""
        with self._lock:
            try:
                if not self._kept and self._writer.write(message, 0):
                    return True
            except MailslotError:
                return False
            if self._kept_bytes + len(message) > self._kept_bytes_max:
                message = packed(Kind.FAILURE, call, code=CallCode.ANSWERS_FULL)  # there is room for word of it
            if len(self._kept) >= self._kept_messages_max:
                return False
            self._kept.append(message)
            self._kept_bytes += len(message)
            return True

    def send_kept(self) -> None:
        """Sends what is kept, as far as there is room."""
        with self._lock:
            try:
                while self._kept and self._writer.write(self._kept[0], 0):
                    self._kept_bytes -= len(self._kept.popleft())
                if not self._kept or self._writer.has_reader():
                    return
            except MailslotError:
                pass
            self._kept.clear()
            self._kept_bytes = 0

    def remove_if_dead(self) -> None:
        """Takes a dead client's mailslot away, which nobody else will."""
        with self._lock:
            try:
                if not self._writer.has_reader():
                    _core.remove(self._name)
            except MailslotError:
                pass


class Desk:
    """A server's side of its clients: sorts out what is no request or what nobody waits for, and finds where answers go."""

    def __init__(self, server: str, max_clients: int) -> None:
        self._server = server
        self._max_clients = max(max_clients, 1)
        self._clients: OrderedDict[tuple[int, int], ClientConnection] = OrderedDict()
        self._requests: WeakValueDictionary[tuple[int, int, int], Request] = WeakValueDictionary()
        _remove_those_of_the_dead()

    def request_in(self, message: _core.Message) -> Request | None:
        frame = parsed(message.data)
        if frame is None or frame.kind not in (Kind.REQUEST, Kind.CANCELLATION) or message.origin != 0:
            return None
        key = (message.sender, frame.answers, frame.call)
        if frame.kind == Kind.CANCELLATION:
            request = self._requests.get(key)
            if request is not None:
                request._is_cancelled = True
            return None
        if frame.deadline is not None and frame.deadline <= time.monotonic_ns():
            return None
        client = self._client(message.sender, frame.answers)
        if client is None:
            return None
        request = self._requests[key] = Request(frame, message, client)
        return request

    def send_kept(self) -> bool:
        """Whether something is still kept."""
        keeping = [client for client in self._clients.values() if client.keeps]
        for client in keeping:
            client.send_kept()
        return any(client.keeps for client in keeping)

    def _client(self, process: int, number: int) -> ClientConnection | None:
        address = (process, number)
        client = self._clients.get(address)
        if client is None:
            try:
                client = ClientConnection(self._server, process, number)
            except MailslotError:
                return None
            while len(self._clients) >= self._max_clients:
                self._clients.popitem(last=False)[1].remove_if_dead()
            self._clients[address] = client
        self._clients.move_to_end(address)
        return client


def _remove_those_of_the_dead() -> None:
    """Takes the mailslots of clients away that were killed. Looks at every mailslot there is: for a server that begins."""
    for name in _core.names():
        process, _, number = name.removeprefix("answers/").partition("-")
        try:
            if name == _name_of_answers(int(process), int(number, 16)):
                _core.remove(name)  # refused where there is a reader
        except (ValueError, MailslotError):
            pass
