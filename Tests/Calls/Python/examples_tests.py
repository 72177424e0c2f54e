"""The examples, which the documentation shows, as processes that speak with each other."""

import os
import subprocess
import sys
import unittest

import mailslots
from support import LIMIT, Case, unique_name

MESSAGES = ["hello", "", "x" * 424, "wörld\\%s", "quit"]


class Examples(Case):
    def example(self, name, *arguments):
        process = subprocess.Popen(
            [sys.executable, f"{os.environ['MAILSLOTS_EXAMPLES']}/{name}.py", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def end():
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def test_the_writer_and_the_reader_exchange_messages(self):
        reader = self.example("reader", self.name)
        writer = self.example("writer", self.name, *MESSAGES)
        self.assertEqual(writer.communicate(timeout=LIMIT), ("", ""))
        self.assertEqual(reader.communicate(timeout=LIMIT), ("".join(f"{m}\n" for m in MESSAGES), ""))
        self.assertTrue(self.is_free(self.name))

    def test_one_thread_reads_several_mailslots(self):
        names = [self.name, unique_name()]
        tasks = self.example("tasks", *names)
        for name in names:
            self.example("writer", name, "hello", "quit").communicate(timeout=LIMIT)
        output, errors = tasks.communicate(timeout=LIMIT)
        self.assertEqual((sorted(output.splitlines()), errors), (sorted(f"{n}: {m}" for n in names for m in ("hello", "quit")), ""))

    def test_what_goes_wrong_is_said(self):
        for example in ("reader", "writer"):
            process = self.example(example, "a:b")
            _, errors = process.communicate(timeout=LIMIT)
            self.assertEqual(process.returncode, 1)
            self.assertIn('"a:b" is not a mailslot\'s name', errors)
        with mailslots.Reader(self.name):
            self.assertIn("already has a reader", self.example("reader", self.name).communicate(timeout=LIMIT)[1])


if __name__ == "__main__":
    unittest.main()
