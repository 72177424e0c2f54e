"""What the tests share: names, other processes, and a limit for all that waits."""

import faulthandler
import itertools
import os
import subprocess
import sys
import unittest

import mailslots

#: Seconds that only a failure reaches.
LIMIT = 60

_numbers = itertools.count()


def unique_name() -> str:
    return f"python/{os.getpid()}-{next(_numbers)}"


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.name = unique_name()
        faulthandler.dump_traceback_later(LIMIT, exit=True)  # what hangs says where
        self.addCleanup(faulthandler.cancel_dump_traceback_later)

    def is_free(self, name: str) -> bool:
        return name not in mailslots.names()

    def in_child(self, body) -> None:
        """Runs `body` in a forked child, which passes if it returns True."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if body() is True else 1
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def start(self, program: str, *arguments: str) -> subprocess.Popen:
        """Starts a Python program in a process of its own, with both ends of its standard streams here. It is killed in the end."""
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process
