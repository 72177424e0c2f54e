"""Mailslots: small messages between the processes of one Linux machine, by shared memory, that no kill -9 can wedge.

One process creates a mailslot and reads; any number of processes open it and write:

    import mailslots

    with mailslots.Reader("orders") as orders:
        for message in orders:
            print(message.decode())

    with mailslots.Writer("orders", wait=10) as orders:
        orders.write(b"hello")

Times are in seconds; None waits for ever. Late and full are no errors: a read returns None then, and a write False. An end is for one
thread at a time, and for the process that made it: open in the child of a fork. It closes at the end of its `with`, by close(), or when
nobody has it any more.

`mailslots.aio` is for asyncio, `mailslots.requests` for messages that want an answer, `python -m mailslots` for a look.
"""

from ._core import (
    LentMessage,
    Loan,
    Message,
    Observer,
    Reader,
    Writer,
    guard_against_truncation,
    inspect,
    names,
    path,
    remove,
    version as __version__,
)
from ._errors import (
    AlreadyExistsError,
    BadArgumentError,
    BadNameError,
    BusyError,
    ClosedError,
    Code,
    DamagedError,
    ForkedError,
    MailslotError,
    MismatchError,
    NoBridgeError,
    NoPermissionError,
    NoReaderError,
    NoSpaceError,
    NoSuchHostError,
    NotAllowedError,
    NotAMailslotError,
    NotFoundError,
    NotOpenError,
    OtherLayoutError,
    SystemCallError,
    TimedOutError,
    TooLongError,
    TooManyWritersError,
    UntrustedError,
    WaitInterruptedError,
)
from ._info import Info

#: The longest message of a mailslot whose creator asked for no longer ones, and the longest loan, in bytes.
MAX_MESSAGE_SIZE = 424
#: For Writer(trust_user=): mailslots of any user.
TRUST_ANYONE = 0xFFFFFFFE

__all__ = [
    "AlreadyExistsError",
    "BadArgumentError",
    "BadNameError",
    "BusyError",
    "ClosedError",
    "Code",
    "DamagedError",
    "ForkedError",
    "guard_against_truncation",
    "Info",
    "inspect",
    "LentMessage",
    "Loan",
    "MailslotError",
    "MAX_MESSAGE_SIZE",
    "Message",
    "MismatchError",
    "names",
    "NoBridgeError",
    "NoPermissionError",
    "NoReaderError",
    "NoSpaceError",
    "NoSuchHostError",
    "NotAllowedError",
    "NotAMailslotError",
    "NotFoundError",
    "NotOpenError",
    "Observer",
    "OtherLayoutError",
    "path",
    "Reader",
    "remove",
    "SystemCallError",
    "TimedOutError",
    "TooLongError",
    "TooManyWritersError",
    "TRUST_ANYONE",
    "UntrustedError",
    "WaitInterruptedError",
    "Writer",
    "__version__",
]
