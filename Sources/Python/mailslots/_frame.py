"""What requests and answers look like inside a message: as Sources/Mailslots/Requests/RequestFormat.swift says it, byte by byte."""

import struct
from enum import IntEnum
from typing import NamedTuple

_FORMAT = 0xA1
_DEADLINE_BIT = 0x40
_TYPE_BIT = 0x80
_HEADER = struct.Struct("<BBHIQ")
_DEADLINE = struct.Struct("<Q")
#: A typed request's tag, which is for the other side to know, and as long as a deadline.
_TAG_SIZE = 8

HEADER_SIZE = _HEADER.size


class Kind(IntEnum):
    REQUEST = 1
    CANCELLATION = 2
    ANSWER = 3
    FAILURE = 4


class Frame(NamedTuple):
    kind: Kind
    #: Of a failure: a CallCode.
    code: int
    #: Of a request and a cancellation: which of the sender's mailslots for answers.
    answers: int
    call: int
    #: Nanoseconds of CLOCK_MONOTONIC.
    deadline: int | None
    payload: bytes


def packed(kind: Kind, call: int, *, code: int = 0, answers: int = 0, deadline: int | None = None) -> bytes:
    """The header of a message."""
    if deadline is None:
        return _HEADER.pack(_FORMAT, kind, code, answers, call)
    return _HEADER.pack(_FORMAT, kind | _DEADLINE_BIT, code, answers, call) + _DEADLINE.pack(deadline)


def parsed(message: bytes) -> Frame | None:
    """None: it is neither a request nor an answer."""
    if len(message) < HEADER_SIZE:
        return None
    format, bits, code, answers, call = _HEADER.unpack_from(message)
    number = bits & ~(_DEADLINE_BIT | _TYPE_BIT)
    if format != _FORMAT or not Kind.REQUEST <= number <= Kind.FAILURE or (bits != number and number != Kind.REQUEST):
        return None
    offset = HEADER_SIZE
    deadline = None
    if bits & _DEADLINE_BIT:
        if len(message) < offset + _DEADLINE.size:
            return None
        (deadline,) = _DEADLINE.unpack_from(message, offset)
        offset += _DEADLINE.size
    if bits & _TYPE_BIT:
        offset += _TAG_SIZE
        if len(message) < offset:
            return None
    return Frame(Kind(number), code, answers, call, deadline, message[offset:])
