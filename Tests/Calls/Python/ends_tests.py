"""The two ends: reading, writing, waiting, loans, and how they end."""

import array
import gc
import os
import signal
import sys
import threading
import unittest

import mailslots
from mailslots import Reader, Writer
from support import LIMIT, Case, unique_name


class Messages(Case):
    def test_bytes_arrive_as_they_were_in_the_order_of_writing(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            for message in (b"", b"a\0b", b"x" * 424, "wörld".encode()):
                self.assertIs(writer.write(message), True)
                self.assertEqual(reader.read(), message)

    def test_what_is_like_bytes_is_written_and_text_is_not(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            for message in (bytearray(b"ab"), memoryview(b"xaby")[1:3], array.array("B", b"ab")):
                writer.write(message)
                self.assertEqual(reader.read(), b"ab")
            for message in ("ab", 7, None, memoryview(b"abcd")[::2]):
                with self.assertRaises((TypeError, BufferError)):
                    writer.write(message)
            self.assertIsNone(reader.read(0))

    def test_a_message_says_its_position_and_sender(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            for i in range(3):
                writer.write(b"%d" % i)
            messages = [reader.read_message() for _ in range(3)]
            self.assertEqual([m.data for m in messages], [b"0", b"1", b"2"])
            self.assertEqual([m.position - messages[0].position for m in messages], [0, 1, 2])
            self.assertEqual({(m.sender, m.origin) for m in messages}, {(os.getpid(), 0)})

    def test_a_batch_takes_what_is_there_and_a_list_is_written_as_far_as_there_is_room(self):
        with Reader(self.name, capacity=4) as reader, Writer(self.name) as writer:
            self.assertEqual(reader.read_batch(8, timeout=0), [])
            self.assertEqual(writer.write_batch([]), 0)
            self.assertEqual(writer.write_batch([b"%d" % i for i in range(6)], timeout=0), 4)
            self.assertEqual(writer.write_batch([b"none"], timeout=0.01), 0)
            self.assertEqual(reader.read_batch(3), [b"0", b"1", b"2"])
            self.assertEqual(reader.read_batch(8), [b"3"])
            for count in (0, -1):
                with self.assertRaises(ValueError):
                    reader.read_batch(count)

    def test_an_error_in_a_list_is_raised_where_nothing_was_written(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            self.assertEqual(writer.write_batch([b"a", b"x" * 425, b"b"]), 1)
            with self.assertRaises(mailslots.TooLongError):
                writer.write_batch([b"x" * 425])
            with self.assertRaises(TypeError):
                writer.write_batch([b"c", "text"])
            self.assertEqual(reader.read_batch(8), [b"a"])

    def test_long_messages_arrive_where_they_are_allowed(self):
        message = os.urandom(1_000_000)
        with Reader(self.name, max_message_size=1 << 20, writers=1) as reader, Writer(self.name) as writer:
            writer.write(message)
            self.assertEqual(reader.read(), message)

    def test_a_buffer_that_is_too_small_leaves_the_message(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            writer.write(b"abcdef")
            with self.assertRaises(mailslots.TooLongError):
                reader.read_into(bytearray(5))
            with self.assertRaises((TypeError, BufferError)):
                reader.read_into(b"read-only")
            buffer = bytearray(b"........")
            self.assertEqual(reader.read_into(buffer), 6)
            self.assertEqual(buffer, b"abcdef..")
            self.assertIsNone(reader.read_into(buffer, timeout=0))

    def test_iteration_yields_messages_until_it_is_interrupted(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            writer.write_batch([b"a", b"b"])
            reader.interrupt()
            seen = []
            with self.assertRaises(mailslots.WaitInterruptedError):
                for message in reader:
                    seen.append(message)
            self.assertEqual(seen, [b"a", b"b"])


class Waiting(Case):
    def test_late_and_full_are_no_errors(self):
        with Reader(self.name, capacity=1) as reader, Writer(self.name) as writer:
            self.assertIsNone(reader.read(0))
            self.assertIsNone(reader.read(timeout=0.01))
            self.assertIsNone(reader.read(0.15))  # more than one slice
            writer.write(b"a")
            self.assertIs(writer.write(b"b", 0), False)
            self.assertIs(writer.write(b"b", timeout=0.15), False)
            self.assertEqual(reader.read(), b"a")

    def test_times_that_are_none_are_refused(self):
        with Reader(self.name) as reader:
            for timeout, error in ((float("nan"), ValueError), ("1", TypeError)):
                with self.assertRaises(error):
                    reader.read(timeout)
            with self.assertRaises(TypeError):
                reader.read(0, 0)
            with self.assertRaises(TypeError):
                reader.read(time=1)
            self.assertIsNone(reader.read(-1))

    def test_other_threads_run_while_one_waits(self):
        with Reader(self.name, capacity=1) as reader, Writer(self.name) as writer:
            count = 2000
            thread = threading.Thread(target=lambda: [writer.write(b"%d" % i) for i in range(count)])
            thread.start()
            self.assertEqual([reader.read() for _ in range(count)], [b"%d" % i for i in range(count)])
            thread.join()

    def test_a_second_thread_is_refused_while_one_waits_and_an_interrupt_ends_its_wait(self):
        with Reader(self.name) as reader:
            ended = []

            def wait():
                try:
                    reader.read()
                except mailslots.WaitInterruptedError as error:
                    ended.append(error)

            thread = threading.Thread(target=wait)
            thread.start()
            while True:  # until it is in the call, which only a second call tells
                try:
                    reader.read(0)
                except mailslots.BusyError:
                    break
            with self.assertRaises(mailslots.BusyError):
                reader.close()
            reader.interrupt()
            thread.join()
            self.assertEqual(len(ended), 1)
            self.assertIsNone(reader.read(0))

    def test_ctrl_c_ends_a_wait(self):
        program = """
import sys, mailslots
with mailslots.Reader(sys.argv[1], capacity=1) as reader, mailslots.Writer(sys.argv[1]) as writer:
    for wait in (reader.read, lambda: writer.write(b"no room")):
        try:
            print("waits", flush=True)
            wait()
        except KeyboardInterrupt:
            print("heard", flush=True)
        writer.write(b"fills it", 0)
"""
        process = self.start(program, self.name)
        for _ in range(2):
            self.assertEqual(process.stdout.readline(), "waits\n")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.stdout.readline(), "heard\n")
        self.assertEqual(process.wait(LIMIT), 0)

    def test_a_writer_waits_for_its_reader_to_appear(self):
        program = "import sys, mailslots; mailslots.Writer(sys.argv[1], wait=60).write(b'at last'); print('written')"
        process = self.start(program, self.name)
        with Reader(self.name) as reader:
            self.assertEqual(reader.read(), b"at last")
            self.assertEqual(process.wait(LIMIT), 0)


class Loans(Case):
    def test_a_slot_is_filled_in_place(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            with writer.loan() as loan:
                with memoryview(loan) as view:
                    view[:3] = b"abc"
                self.assertEqual(len(loan), 424)
                self.assertIs(loan.publish(3), True)
            self.assertEqual(reader.read(), b"abc")

    def test_what_is_not_published_is_not_written(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            with writer.loan() as loan:
                with self.assertRaises(mailslots.BusyError):
                    writer.write(b"meanwhile")
            with self.assertRaises(ValueError):
                loan.publish(1)
            del loan
            writer.loan()  # dropped
            self.assertIsNone(reader.read(0))
            writer.write(b"after")
            self.assertEqual(reader.read(), b"after")

    def test_a_full_mailslot_leaves_the_loan(self):
        with Reader(self.name, capacity=1) as reader, Writer(self.name) as writer:
            writer.write(b"first")
            loan = writer.loan()
            memoryview(loan)[:1] = b"s"
            self.assertIs(loan.publish(1, timeout=0), False)
            with self.assertRaises(mailslots.TooLongError):
                loan.publish(425)
            reader.read()
            self.assertIs(loan.publish(1), True)
            self.assertEqual(reader.read(), b"s")

    def test_a_message_is_lent_in_place_and_comes_first_when_it_is_released(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            writer.write_batch([b"one", b"two"])
            with reader.lend() as lent:
                self.assertEqual((bytes(lent), len(lent), lent.sender), (b"one", 3, os.getpid()))
                with self.assertRaises(TypeError):
                    memoryview(lent)[0] = 1
                for call in (reader.read, reader.lend):
                    with self.assertRaises(mailslots.BusyError):
                        call(0)
            self.assertEqual(reader.read(), b"two")
            self.assertIsNone(reader.lend(0))

    def test_nothing_ends_while_a_buffer_looks_at_it(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            writer.write(b"seen")
            lent, loan = reader.lend(), writer.loan()
            views = memoryview(lent), memoryview(loan)
            for call in (lent.release, reader.close, reader.leave, loan.publish, loan.abandon, writer.close):
                with self.assertRaises(BufferError):
                    call()
            self.assertEqual(bytes(views[0]), b"seen")
            for view in views:
                view.release()
            lent.release()
            loan.abandon()
            for over in (lent, loan):
                with self.assertRaises(BufferError):
                    memoryview(over)
                self.assertEqual(len(over), 0)

    def test_a_loan_keeps_its_end(self):
        view = None
        reader = Reader(self.name)
        writer = Writer(self.name)
        writer.write(b"kept")
        view = memoryview(reader.lend())
        del reader
        gc.collect()
        self.assertEqual(bytes(view), b"kept")
        self.assertFalse(self.is_free(self.name))
        del view
        self.assertTrue(self.is_free(self.name))


class Endings(Case):
    def test_a_reader_that_is_dropped_frees_its_name(self):
        reader = Reader(self.name)
        self.assertFalse(self.is_free(self.name))
        del reader
        self.assertTrue(self.is_free(self.name))

    def test_a_reader_in_a_cycle_frees_its_name_when_it_is_collected(self):
        class Holder:
            pass

        holder = Holder()
        holder.reader, holder.itself = Reader(self.name), holder
        del holder
        gc.collect()
        self.assertTrue(self.is_free(self.name))

    def test_a_writer_that_is_dropped_frees_its_lane(self):
        with Reader(self.name, writers=1):
            for _ in range(3):
                Writer(self.name)
            with Writer(self.name), self.assertRaises(mailslots.TooManyWritersError):
                Writer(self.name)

    def test_a_closed_end_says_so(self):
        reader, writer = Reader(self.name), Writer(self.name)
        for end in (writer, reader):
            self.assertIs(end.closed, False)
            end.close()
            end.close()
            self.assertIs(end.closed, True)
        calls = [
            reader.read, reader.read_message, reader.lend, reader.interrupt, reader.info, reader.__enter__, lambda: next(reader),
            lambda: reader.read_batch(1), lambda: reader.read_into(bytearray(1)), lambda: reader._begin_wait(0),
            lambda: writer.write(b""), lambda: writer.write_batch([b""]), writer.loan, writer.interrupt, writer.has_reader, writer.info,
            writer.__enter__, lambda: writer._write_or_begin_wait(b"", 0, False),
        ]  # fmt: skip
        for call in calls:
            with self.assertRaises(mailslots.NotOpenError):
                call()
        self.assertIsNone(reader.leave())

    def test_writing_to_a_closed_mailslot_and_opening_none_are_typed_errors(self):
        reader, writer = Reader(self.name), Writer(self.name)
        with self.assertRaises(mailslots.AlreadyExistsError) as raised:
            Reader(self.name)
        self.assertEqual((raised.exception.code, raised.exception.holder_pid), (mailslots.Code.ALREADY_EXISTS, os.getpid()))
        self.assertIn("already has a reader", str(raised.exception))
        self.assertIs(writer.has_reader(), True)
        reader.close()
        self.assertIs(writer.has_reader(), False)
        with self.assertRaises(mailslots.ClosedError):
            writer.write(b"late")
        with self.assertRaises(mailslots.NotFoundError):
            Writer(self.name)
        with self.assertRaises(TimeoutError):
            Writer(self.name, wait=0.15)
        with self.assertRaises(mailslots.BadNameError):
            Reader("a:b")
        with self.assertRaises(mailslots.BadArgumentError):
            Reader(self.name, capacity=3)
        for name in ("a\0b", "\udc80"):
            with self.assertRaises(ValueError):
                Reader(name)
        with self.assertRaises(TypeError):
            Reader(b"bytes")

    def test_what_a_reader_leaves_the_next_one_adopts(self):
        writer_of_first = None
        with Reader(self.name) as reader:
            writer_of_first = Writer(self.name)
            writer_of_first.write(b"kept")
            reader.leave()
        self.assertIs(writer_of_first.has_reader(), False)
        with Reader(self.name, adopt=True) as following:
            self.assertEqual((following.adopted, following.unread_count), (True, 1))
            self.assertEqual(following.read(), b"kept")

    def test_a_killed_writer_loses_nothing_that_it_wrote(self):
        program = """
import sys, mailslots
writer = mailslots.Writer(sys.argv[1])
writer.write(b"written")
print("ready", flush=True)
while True:
    writer.write(b"more")
"""
        with Reader(self.name, capacity=64) as reader:
            process = self.start(program, self.name)
            process.stdout.readline()
            process.kill()
            process.wait()
            self.assertEqual(reader.read(), b"written")
            while (message := reader.read(0)) is not None:
                self.assertEqual(message, b"more")

    def test_the_child_of_a_fork_has_no_part_in_the_ends_of_its_parent(self):
        with Reader(self.name) as reader, Writer(self.name) as writer:
            writer.write(b"before")

            def child():
                refused = 0
                for call in (lambda: reader.read(0), lambda: writer.write(b"x"), reader.lend, writer.loan, reader.info):
                    try:
                        call()
                    except mailslots.ForkedError:
                        refused += 1
                reader.close()
                writer.close()
                with Reader(unique_name()) as own, Writer(own.name) as to_own:
                    to_own.write(b"own")
                    return refused == 5 and own.read() == b"own"

            self.in_child(child)
            self.in_child(lambda: gc.collect() >= 0)
            writer.write(b"after")
            self.assertEqual([reader.read(), reader.read()], [b"before", b"after"])

    def test_the_ends_leak_no_memory(self):
        import resource

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        with Reader(self.name, max_message_size=1 << 20, writers=1) as reader, Writer(self.name) as writer:
            message = bytes(1 << 20)

            def pair():
                writer.write(message)
                writer.write(message)
                reader.read()
                reader.lend().release()
                with self.assertRaises(mailslots.TooLongError):
                    writer.write(bytes(message + b"x"))

            for _ in range(4):
                pair()
            before = peak()
            for _ in range(100):
                pair()
            self.assertLess(peak() - before, 50 * 1024)  # KiB; one lost message a round would be twice that


class Looking(Case):
    def test_information_is_that_of_the_mailslot(self):
        with Reader(self.name, capacity=8, writers=2, mode=0o660) as reader, Writer(self.name) as writer:
            writer.write(b"abc")
            for info in (mailslots.inspect(self.name), reader.info(), writer.info()):
                self.assertEqual((info["capacity"], info["max_writers"], info["mode"]), (8, 2, 0o660))
                self.assertEqual((info["message_count"], info["next_message_size"], info["reader_pid"]), (1, 3, os.getpid()))
                self.assertEqual(info["counters"]["messages_written"], 1)
            self.assertEqual(mailslots.inspect(self.name)["writer_count"], 1)
            self.assertIn(self.name, mailslots.names())
            self.assertTrue(os.path.exists(mailslots.path(self.name)))
            with self.assertRaises(mailslots.AlreadyExistsError):
                mailslots.remove(self.name)
            reader.leave()
        self.assertIs(mailslots.inspect(self.name)["reader_present"], False)
        mailslots.remove(self.name)
        self.assertTrue(self.is_free(self.name))

    def test_every_code_of_the_c_api_has_its_number_and_every_error_its_class(self):
        with open(os.environ["MAILSLOTS_SOURCES"] + "/CMailslots/include/mailslots/outcome.h") as header:
            import re

            outcomes = re.findall(r"^    MSLOT_(\w+) MSLOT_SWIFT_NAME\(\w+\) = (\d+)", header.read(), re.M)
        self.assertEqual({(code.name, code.value) for code in mailslots.Code}, {(name, int(number)) for name, number in outcomes})
        from mailslots._errors import error_of

        for code in set(mailslots.Code) - {mailslots.Code.DONE, mailslots.Code.FULL, mailslots.Code.EMPTY}:
            self.assertIsNot(type(error_of(code, "", None, 0, 0, 0)), mailslots.MailslotError)
        self.assertEqual(error_of(1234, "new", None, 0, 0, 0).code, 1234)

    def test_an_observer_takes_nothing(self):
        with Reader(self.name, capacity=2) as reader, Writer(self.name) as writer:
            with mailslots.Observer(self.name) as observer:
                self.assertIsNone(observer.read())
                for message in (b"a", b"x" * 424):
                    writer.write(message)
                seen = [observer.read() for _ in range(3)]
                self.assertEqual([(m.data, missed) for m, missed in seen[:2]], [(b"a", 0), (b"x" * 424, 0)])
                self.assertIsNone(seen[2])
                self.assertEqual(len(reader.read_batch(8)), 2)
                for _ in range(5):
                    writer.write(b"b")
                    reader.read()
                message, missed = observer.read()
                self.assertEqual((message.data, missed + message.position), (b"b", message.position + missed))
                self.assertGreater(missed, 0)
                reader.close()
                with self.assertRaises(mailslots.ClosedError):
                    while observer.read() is not None:
                        pass

    def test_a_damaged_mailslot_is_an_error_and_a_file_cut_short_with_the_guard_too(self):
        program = """
import os, sys, mailslots
mailslots.guard_against_truncation()
reader = mailslots.Reader(sys.argv[1])
writer = mailslots.Writer(sys.argv[1])
writer.write(b"lost")
os.truncate(mailslots.path(sys.argv[1]), 0)
for call in (reader.read, lambda: writer.write(b"x")):
    try:
        call()
    except mailslots.DamagedError:
        print("damaged", flush=True)
"""
        process = self.start(program, self.name)
        output, _ = process.communicate(timeout=LIMIT)
        self.assertEqual((output, process.returncode), ("damaged\n" * 2, 0))

    def test_the_command_shows_what_is_there_and_no_terminal_commands(self):
        import json
        import subprocess

        def look(*arguments):
            return subprocess.run(
                [sys.executable, "-m", "mailslots", *arguments], capture_output=True, text=True, timeout=LIMIT
            )

        with Reader(self.name) as reader, Writer(self.name) as writer:
            writer.write(b"abc")
            self.assertRegex(look().stdout, rf"(?m)^{self.name} +1 +1024 +1 +1 +{os.getpid()}$")
            self.assertRegex(look(self.name).stdout, r"(?m)^messages_written +1$")
            self.assertEqual(json.loads(look("--json", self.name).stdout)["message_count"], 1)
            self.assertIn(self.name, [info["name"] for info in json.loads(look("--json").stdout)])
            missing = look("no/such\x1b[31m")
            self.assertEqual(missing.returncode, 1)
            self.assertNotIn("\x1b", missing.stderr)
            self.assertEqual(look("--tail").returncode, 2)

            tail = subprocess.Popen(
                [sys.executable, "-m", "mailslots", "--tail", self.name], stdout=subprocess.PIPE, text=True
            )
            self.addCleanup(tail.stdout.close)
            self.addCleanup(tail.wait)
            self.addCleanup(tail.kill)
            # What was written before it looked it need not show.
            stop = threading.Event()

            def write():
                while not stop.wait(0.02):
                    writer.write(b"\x1b[31mred\xff", 0)
                    reader.read_batch(8, 0)

            thread = threading.Thread(target=write)
            thread.start()
            line = tail.stdout.readline()
            stop.set()
            thread.join()
            self.assertEqual(line, "\\x1b[31mred\\xff\n")


if __name__ == "__main__":
    unittest.main()
