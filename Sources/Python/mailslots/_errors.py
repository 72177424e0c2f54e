"""The errors: a class for each code, so that a program can catch the one that it expects."""

import enum


class Code(enum.IntEnum):
    """How a call ended: the outcomes of the C API, by the same numbers."""

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


class MailslotError(Exception):
    """What is wrong, why, and the cure.

    `code` says what kind of error it is, also where the class does not: an int that Code does not have, of a later library.
    `errno`: of the system call that failed, or 0. With AlreadyExistsError `holder_pid` and `holder_uid` are the reader's process, as it
    sees its own id, and user; with UntrustedError `holder_uid` is the mailslot's user.
    """

    def __init__(self, text: str, code: int, name: str | None, errno: int = 0, holder_pid: int = 0, holder_uid: int = 0) -> None:
        super().__init__(text, code, name, errno, holder_pid, holder_uid)
        self.code = Code(code) if code in _codes else code
        self.name = name
        self.errno = errno
        self.holder_pid = holder_pid
        self.holder_uid = holder_uid
        self._text = text

    def __str__(self) -> str:
        return self._text


class TimedOutError(MailslotError, TimeoutError):
    """No reader appeared in time. A read or a write that is late returns None or False."""

    # Where OSError has properties of the same name, ours are meant.
    errno: int


class ClosedError(MailslotError):
    """The reader closed the mailslot, or a new one took its name over. Open anew."""


class NoReaderError(MailslotError):
    """The mailslot is there, but its reader was killed, or left."""


class WaitInterruptedError(MailslotError):
    """`interrupt` ended the wait."""


class DamagedError(MailslotError):
    """A process that may write the mailslot overwrote it. Of a read: one message was skipped, or every later call says so, too."""


class TooLongError(MailslotError):
    """The message is longer than the mailslot takes, or than the buffer that it was to be read into."""


class BusyError(MailslotError):
    """Another thread is in a call on this end, a task waits on it, or a message is lent or a loan is out."""


class ForkedError(MailslotError):
    """The end is of the process that this one was forked from. Open your own."""


class NotOpenError(MailslotError, ValueError):
    """The end was closed by this process."""


class BadArgumentError(MailslotError, ValueError):
    """An argument is out of its range."""


class BadNameError(MailslotError, ValueError):
    """The name is no mailslot's name."""


class NotFoundError(MailslotError):
    """No mailslot has this name."""


class AlreadyExistsError(MailslotError):
    """Another reader has this name."""


class TooManyWritersError(MailslotError):
    """Every writer's lane is taken."""


class NoPermissionError(MailslotError):
    """The file system refuses."""


class UntrustedError(MailslotError):
    """The mailslot belongs to a user whom the caller did not say it trusts."""


class NotAMailslotError(MailslotError):
    """A file has the name, but it is no mailslot."""


class OtherLayoutError(MailslotError):
    """The mailslot has another layout version."""


class MismatchError(MailslotError):
    """The mailslot to adopt is not as it was asked for."""


class NoSpaceError(MailslotError):
    """The shared-memory file system is full."""


class SystemCallError(MailslotError):
    """Another system call failed: `errno`."""


class NoBridgeError(MailslotError):
    """The name is of another machine, and no bridge runs on this one."""


class NoSuchHostError(MailslotError):
    """The bridge knows no host and no domain of this name."""


class NotAllowedError(MailslotError):
    """The bridge's configuration does not allow to write there."""


_codes = frozenset(Code)
_classes: dict[int, type[MailslotError]] = {
    Code.TIMED_OUT: TimedOutError,
    Code.CLOSED: ClosedError,
    Code.NO_READER: NoReaderError,
    Code.INTERRUPTED: WaitInterruptedError,
    Code.DAMAGED: DamagedError,
    Code.TOO_LONG: TooLongError,
    Code.BUSY: BusyError,
    Code.FORKED: ForkedError,
    Code.NOT_OPEN: NotOpenError,
    Code.BAD_ARGUMENT: BadArgumentError,
    Code.BAD_NAME: BadNameError,
    Code.NOT_FOUND: NotFoundError,
    Code.ALREADY_EXISTS: AlreadyExistsError,
    Code.TOO_MANY_WRITERS: TooManyWritersError,
    Code.NO_PERMISSION: NoPermissionError,
    Code.UNTRUSTED: UntrustedError,
    Code.NOT_A_MAILSLOT: NotAMailslotError,
    Code.OTHER_LAYOUT: OtherLayoutError,
    Code.MISMATCH: MismatchError,
    Code.NO_SPACE: NoSpaceError,
    Code.SYSTEM_ERROR: SystemCallError,
    Code.NO_BRIDGE: NoBridgeError,
    Code.NO_SUCH_HOST: NoSuchHostError,
    Code.NOT_ALLOWED: NotAllowedError,
}


def error_of(code: int, text: str, name: str | None, errno: int, holder_pid: int, holder_uid: int) -> MailslotError:
    """Called by the extension module."""
    return _classes.get(code, MailslotError)(text, code, name, errno, holder_pid, holder_uid)
