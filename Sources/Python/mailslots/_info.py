"""What can be seen of a mailslot."""

from typing import TypedDict


class Info(TypedDict):
    """A mailslot at some moment, as inspect(), Reader.info() and Writer.info() return it."""

    name: str
    #: Messages that wait.
    message_count: int
    #: In bytes; None: there is none, or it changed too fast to tell.
    next_message_size: int | None
    capacity: int
    max_writers: int
    #: Writers that are there; only inspect() asks.
    writer_count: int
    max_message_size: int
    segment_size: int
    #: Seconds since 1970.
    created: float
    reader_since: float
    #: Whether it has a reader; only inspect() asks, and it is True elsewhere.
    reader_present: bool
    #: As the reader sees it itself.
    reader_pid: int
    reader_uid: int
    owner_uid: int
    mode: int
    allows_remote: bool
    #: By their names, as `mailslot info` shows them.
    counters: dict[str, int]
