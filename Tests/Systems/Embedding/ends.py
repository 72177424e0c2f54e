"""The Python ends time out, close, refuse a second reader, and hear Ctrl-C and interrupts. The argument is a mailslot's name."""

import contextlib
import faulthandler
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../Examples/python"))
import mailslots
from mailslots import MailslotError, Outcome, Reader, Writer

name = sys.argv[1]
faulthandler.dump_traceback_later(300, exit=True)  # a watchdog: what waits for ever fails
# Whoever started us may have blocked or ignored it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def outcome_of(call):
    try:
        call()
    except MailslotError as error:
        assert "ailslot" in str(error), error
        return error.outcome
    return Outcome.DONE


@contextlib.contextmanager
def later(call, *arguments):
    """Makes a call by another thread, which is gone in the end: an end is for one thread at a time."""
    timer = threading.Timer(0.25, call, arguments)
    timer.start()
    yield
    timer.join()


assert outcome_of(lambda: Writer(name)) == Outcome.NOT_FOUND
assert outcome_of(lambda: Writer(name, wait=0.15)) in (Outcome.NOT_FOUND, Outcome.TIMED_OUT)

with Reader(name, capacity=1) as reader, Writer(name) as writer:
    assert outcome_of(lambda: Reader(name)) == Outcome.ALREADY_EXISTS
    assert reader.read(timeout=0) is None
    assert reader.read(timeout=0.15) is None
    assert writer.write(b"a\0b") is True
    assert writer.write("no room", timeout=0) is False
    assert writer.write("no room", timeout=0.15) is False
    assert reader.read() == b"a\0b"
    assert writer.write("wörld") and reader.read() == "wörld".encode()
    assert outcome_of(lambda: writer.write(b"x" * 425)) == Outcome.TOO_LONG

    # A message, an interrupt and a signal all end a wait of some slices. None of them needs the time to be right.
    with later(writer.write, "late"):
        assert reader.read() == b"late"
    with later(reader.interrupt):
        assert outcome_of(reader.read) == Outcome.INTERRUPTED
    with later(os.kill, os.getpid(), signal.SIGINT):
        try:
            reader.read()
            raise AssertionError("Ctrl-C was not heard")
        except KeyboardInterrupt:
            pass

    # A child of a fork has no part in its parent's ends.
    child = os.fork()
    if child == 0:
        same = outcome_of(reader.read) == Outcome.FORKED and outcome_of(lambda: writer.write("x")) == Outcome.FORKED
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert writer.write("after the fork") and reader.read() == b"after the fork"

    reader.close()
    assert outcome_of(lambda: writer.write("x")) == Outcome.CLOSED
    for call in (reader.read, reader.interrupt):
        try:
            call()
            raise AssertionError("an end that is closed was used")
        except ValueError:
            pass

assert outcome_of(lambda: Writer(name)) == Outcome.NOT_FOUND

with Reader(name) as leaving, Writer(name) as writer:
    assert writer.write("kept")
    leaving.leave()
    assert writer.write("kept, too")
    with Reader(name, adopt=True) as following:
        assert following.read() == b"kept" and following.read() == b"kept, too"
