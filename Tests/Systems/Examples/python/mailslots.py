"""Mailslots for Python 3.8 and later, through ctypes: no compiler, no package.

    with mailslots.Reader("orders") as orders:                  # in one process
        print(orders.read())

    with mailslots.Writer("orders", wait=10) as orders:         # in another
        orders.write("hello")

The loader must find libmailslots.so.2: install it where it looks (ldconfig), or set LD_LIBRARY_PATH.

A Reader or Writer is for one thread at a time, and for the process that made it: open in the child of a fork.
"""

import enum
import time
from ctypes import (
    CDLL, POINTER, Structure, byref, c_bool, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint32,
    c_uint64, c_void_p, create_string_buffer, sizeof)

MESSAGE_BYTES_MAX = 424
FOREVER_NS = 0x7fffffffffffffff
TRUST_NOBODY_ELSE = 0xffffffff

# A call from C does not see Ctrl-C, because signals never end a call. So long waits are made of short ones.
SLICE_NS = 100_000_000


class Outcome(enum.IntEnum):
    DONE = 0
    FULL = 1
    EMPTY = 2
    TIMED_OUT = 3
    CLOSED = 4
    NO_READER = 5
    INTERRUPTED = 6
    DAMAGED = 7
    TOO_LONG = 8
    BUSY = 9
    FORKED = 10
    BAD_ARGUMENT = 11
    BAD_NAME = 12
    NOT_FOUND = 13
    ALREADY_EXISTS = 14
    TOO_MANY_WRITERS = 15
    NO_PERMISSION = 16
    UNTRUSTED = 17
    NOT_A_MAILSLOT = 18
    OTHER_LAYOUT = 19
    MISMATCH = 20
    NO_SPACE = 21
    SYSTEM_ERROR = 22
    NO_BRIDGE = 23
    NO_SUCH_HOST = 24
    NOT_ALLOWED = 25
    NOT_OPEN = 26


# The structures of mailslots.h, under their names there.

class mslot_failure(Structure):
    _fields_ = [
        ("outcome", c_int), ("system_error", c_int32), ("holder_pid", c_int32), ("holder_uid", c_uint32), ("detail", c_uint32),
        ("reserved", c_uint32 * 8), ("words", c_char * 404)]


class mslot_create_options(Structure):
    _fields_ = [
        ("size", c_uint32), ("capacity", c_uint32), ("writers", c_uint32), ("message_bytes_max", c_uint32), ("mode", c_uint32),
        ("adopt", c_bool), ("allow_remote", c_bool), ("reserved", c_uint16), ("read_timeout_ns", c_int64),
        ("lock_pages", c_bool), ("announces_death", c_bool), ("reserved_behind", c_uint8 * 6), ("polling_ns", c_int64)]


class mslot_created(Structure):
    _fields_ = [
        ("reader", c_void_p), ("failure", mslot_failure), ("adopted", c_bool), ("unread_count", c_uint32), ("reserved", c_uint8 * 8)]


class mslot_open_options(Structure):
    _fields_ = [
        ("size", c_uint32), ("trust_user", c_uint32), ("wait_ns", c_int64), ("answer_ns", c_int64), ("wait_through_restarts", c_bool),
        ("populate", c_bool), ("reserved", c_uint8 * 6), ("lock_pages", c_bool),
        ("leaves_express_lane", c_bool), ("reserved_behind", c_uint8 * 6), ("interrupt", c_void_p), ("polling_ns", c_int64)]


class mslot_opened(Structure):
    _fields_ = [("writer", c_void_p), ("failure", mslot_failure), ("reserved", c_uint64 * 2)]


class mslot_received(Structure):
    _fields_ = [("outcome", c_int), ("byte_count", c_uint32), ("position", c_uint64)]


_library = CDLL("libmailslots.so.2")


def _function(name, result, *arguments):
    # Without both of these ctypes would take pointers for ints, and cut them.
    function = getattr(_library, name)
    function.restype, function.argtypes = result, arguments
    return function


_create = _function("mslot_create", mslot_created, c_char_p, POINTER(mslot_create_options))
_read = _function("mslot_reader_read", mslot_received, c_void_p, c_void_p, c_size_t, c_int64)
_interrupt = _function("mslot_reader_interrupt", None, c_void_p)
_close = _function("mslot_reader_close", c_int, c_void_p)
_leave = _function("mslot_reader_leave", c_int, c_void_p)
_open = _function("mslot_open", mslot_opened, c_char_p, POINTER(mslot_open_options))
_write = _function("mslot_writer_write", c_int, c_void_p, c_char_p, c_size_t, c_int64)
_close_writer = _function("mslot_writer_close", c_int, c_void_p)
_describe = _function("mslot_failure_describe", c_size_t, POINTER(mslot_failure), c_char_p, c_char_p, c_size_t)


class MailslotError(Exception):
    """What went wrong, why, and the cure; `outcome` says which error it is."""

    def __init__(self, failure, name):
        text = create_string_buffer(2048)
        _describe(byref(failure), name, text, len(text))
        super().__init__(text.value.decode(errors="replace"))
        self.outcome = Outcome(failure.outcome)


def _in_slices(timeout, call):
    """Makes `call(ns)` until its outcome is not that the time is up. `timeout` in seconds; None: for ever."""
    end = None if timeout is None else time.monotonic_ns() + int(timeout * 1e9)
    while True:
        left = SLICE_NS if end is None else min(end - time.monotonic_ns(), SLICE_NS)
        outcome, result = call(max(left, 0))
        is_over = left < SLICE_NS
        if is_over or outcome not in (Outcome.TIMED_OUT, Outcome.FULL, Outcome.EMPTY):
            return outcome, result


class _End:
    """What both ends share: a handle that closes."""

    def __init__(self, name, handle, close):
        self._name, self._handle, self._close = name, handle, close

    def close(self):
        if self._handle is not None and self._close(self._handle) != Outcome.BUSY:
            self._handle = None

    def _open_handle(self):
        if self._handle is None:
            raise ValueError("this end of the mailslot is closed")
        return self._handle

    def _failure(self, outcome):
        return MailslotError(mslot_failure(outcome=outcome), self._name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Reader(_End):
    """Creates a mailslot, to read from it."""

    def __init__(self, name, capacity=0, writers=0, mode=0, adopt=False):
        options = mslot_create_options(
            size=sizeof(mslot_create_options), capacity=capacity, writers=writers, mode=mode, adopt=adopt, read_timeout_ns=FOREVER_NS)
        created = _create(name.encode(), byref(options))
        if created.failure.outcome != Outcome.DONE:
            raise MailslotError(created.failure, name.encode())
        super().__init__(name.encode(), created.reader, _close)
        self._buffer = create_string_buffer(MESSAGE_BYTES_MAX)

    def read(self, timeout=None):
        """The next message as bytes; None if none came within `timeout` seconds."""
        def call(ns):
            received = _read(self._open_handle(), self._buffer, MESSAGE_BYTES_MAX, ns)
            return received.outcome, received.byte_count

        outcome, byte_count = _in_slices(timeout, call)
        if outcome in (Outcome.TIMED_OUT, Outcome.EMPTY):
            return None
        if outcome != Outcome.DONE:
            raise self._failure(outcome)
        return self._buffer.raw[:byte_count]

    def leave(self):
        """Ends it, and keeps what is unread for the next reader with `adopt`; `close` discards it."""
        outcome = _leave(self._open_handle())
        if outcome != Outcome.DONE:
            raise self._failure(outcome)
        self._handle = None

    def interrupt(self):
        """Ends the read that is on, or the next one, with an error. From any thread, while the reader is open."""
        _interrupt(self._open_handle())


class Writer(_End):
    """Opens a mailslot, to write to it; waits up to `wait` seconds for its reader to appear."""

    def __init__(self, name, wait=0):
        options = mslot_open_options(size=sizeof(mslot_open_options), trust_user=TRUST_NOBODY_ELSE)

        def call(ns):
            options.wait_ns = ns
            opened = _open(name.encode(), byref(options))
            return opened.failure.outcome, opened

        outcome, opened = _in_slices(wait, call)
        if outcome != Outcome.DONE:
            raise MailslotError(opened.failure, name.encode())
        super().__init__(name.encode(), opened.writer, _close_writer)

    def write(self, message, timeout=None):
        """Writes bytes or a str. False if there was no room within `timeout` seconds; then nothing was written."""
        data = message.encode() if isinstance(message, str) else bytes(message)
        outcome, _ = _in_slices(timeout, lambda ns: (_write(self._open_handle(), data, len(data), ns), None))
        if outcome in (Outcome.TIMED_OUT, Outcome.FULL):
            return False
        if outcome != Outcome.DONE:
            raise self._failure(outcome)
        return True
