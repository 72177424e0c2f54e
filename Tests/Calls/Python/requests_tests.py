"""Request and reply, for threads and for tasks: each call ends, by its own answer or by an error, whoever is killed."""

import asyncio
import gc
import os
import random
import struct
import threading
import time
import unittest

import mailslots
from mailslots import aio
from mailslots._frame import Kind, packed, parsed
from mailslots.requests import CallCode, CallError, Client, Server
from support import LIMIT, Case

ECHO = """
import sys, mailslots.requests
with mailslots.requests.Server(sys.argv[1], adopt=True) as server:
    print("ready", flush=True)
    for request in server:
        if request.data == b"keep":
            kept = request
            print("kept", flush=True)
        elif request.data == b"wait":
            waiting = request
        elif request.data == b"fail":
            request.fail("as asked")
        elif request.data == b"drop":
            del request
        else:
            request.answer(request.data)
"""


class Calls(Case):
    def serve(self):
        process = self.start(ECHO, self.name)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def code_of(self, call):
        with self.assertRaises(CallError) as raised:
            call()
        return raised.exception.code

    def test_each_call_gets_its_answer_or_its_error(self):
        self.serve()
        with Client() as client:
            for request in (b"", b"a\0b", b"x" * 392):
                self.assertEqual(client.call(self.name, request, 30), request)
            with self.assertRaises(CallError) as raised:
                client.call(self.name, b"fail")
            self.assertEqual((raised.exception.code, raised.exception.reason), (CallCode.FAILED, "as asked"))
            self.assertIn("as asked", str(raised.exception))
            self.assertEqual(self.code_of(lambda: client.call(self.name, b"drop")), CallCode.UNANSWERED)
            self.assertEqual(self.code_of(lambda: client.call(self.name, b"keep", 0.01)), CallCode.TIMED_OUT)
            # The late answer to that one is not taken for the next.
            self.assertEqual(client.call(self.name, b"after"), b"after")

    def test_a_call_that_cannot_be_sent_is_a_mailslot_error(self):
        with Client() as client:
            with self.assertRaises(mailslots.NotFoundError):
                client.call(self.name, b"x")
            with self.assertRaises(mailslots.TimedOutError):
                client.call(self.name, b"x", wait=0.11)
            with self.assertRaises(ValueError):
                client.call(r"\\host\mailslot\x", b"x")
            with Server(self.name, capacity=1):
                with self.assertRaises(mailslots.TooLongError):
                    client.call(self.name, b"x" * 409)
                self.assertEqual(self.code_of(lambda: client.call(self.name, b"x", 0.01)), CallCode.TIMED_OUT)
                with self.assertRaises(mailslots.TimedOutError):
                    client.call(self.name, b"x", 0.01)

    def test_a_server_that_is_killed_over_a_call_ends_it(self):
        process = self.serve()
        with Client() as client:
            thread = threading.Thread(target=lambda: (process.stdout.readline(), process.kill()))
            thread.start()
            self.assertEqual(self.code_of(lambda: client.call(self.name, b"keep")), CallCode.NO_READER)
            thread.join()
            with self.assertRaises(mailslots.MailslotError):
                Client().call("none/" + self.name, b"x")
            # The next one adopts, and the client goes on with it.
            self.serve()
            self.assertEqual(client.call(self.name, b"again"), b"again")

    def test_a_server_that_another_follows_at_once_ends_the_call_too(self):
        process = self.serve()
        with Client() as client:

            def replace():
                process.stdout.readline()
                process.kill()
                process.wait()
                self.serve()

            thread = threading.Thread(target=replace)
            thread.start()
            self.assertEqual(self.code_of(lambda: client.call(self.name, b"keep")), CallCode.NO_READER)
            thread.join()

    def test_a_closed_server_is_opened_anew(self):
        with Client() as client:
            for _ in range(2):
                with Server(self.name) as server:
                    thread = threading.Thread(target=lambda: next(server).answer(b"yes"))
                    thread.start()
                    self.assertEqual(client.call(self.name, b"?"), b"yes")
                    thread.join()

    def test_threads_share_a_client_and_none_gets_anothers_answer(self):
        self.serve()
        with Client() as client:
            wrong = []

            def call(thread):
                for i in range(100):
                    request = struct.pack("<II", thread, i)
                    if client.call(self.name, request) != request:
                        wrong.append(request)

            threads = [threading.Thread(target=call, args=(i,)) for i in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])

    def test_a_server_says_who_asks_and_for_how_long_and_hears_who_gives_up(self):
        with Server(self.name) as server, Client() as client:
            failures = []

            def call():
                try:
                    client.call(self.name, b"x", 0.2)
                except CallError as error:
                    failures.append(error.code)

            thread = threading.Thread(target=call)
            thread.start()
            request = server.next()
            self.assertEqual((request.sender, request.cancelled), (os.getpid(), False))
            self.assertTrue(0 <= request.time_left <= 0.2)
            thread.join()
            self.assertIsNone(server.next(0))
            self.assertEqual((request.cancelled, failures), (True, [CallCode.TIMED_OUT]))
            request.answer(b"late")  # not an error
            self.assertEqual(self.code_of(lambda: request.answer(b"twice")), CallCode.ALREADY_ANSWERED)

    def test_an_answer_that_is_too_long_is_an_error_on_both_sides(self):
        with Server(self.name) as server, Client() as client:
            codes = []
            thread = threading.Thread(target=lambda: codes.append(self.code_of(lambda: server.next().answer(b"x" * 409))))
            thread.start()
            self.assertEqual(self.code_of(lambda: client.call(self.name, b"x")), CallCode.ANSWER_TOO_LONG)
            thread.join()
            self.assertEqual(codes, [CallCode.ANSWER_TOO_LONG])

    def test_a_client_that_reads_no_answer_holds_up_nobody_and_costs_a_bounded_memory(self):
        number = 0x2A
        answers = mailslots.Reader(f"answers/{os.getpid()}-{number:x}", capacity=4)
        self.addCleanup(answers.close)
        with Server(self.name, capacity=64) as server, mailslots.Writer(self.name) as writer, Client() as client:
            for call in range(5000):
                writer.write(packed(Kind.REQUEST, call, answers=number))
                try:
                    server.next().answer(bytes(400))
                except CallError as error:
                    self.assertEqual(error.code, CallCode.CLIENT_GONE)
            thread = threading.Thread(target=lambda: server.next().answer(b"meanwhile"))
            thread.start()
            self.assertEqual(client.call(self.name, b"other"), b"meanwhile")
            thread.join()
            seen = []
            is_kept = True
            while is_kept:
                is_kept = server._desk.send_kept()
                seen += map(parsed, answers.read_batch(8, 0))
            self.assertEqual([frame.call for frame in seen], list(range(len(seen))))
            kinds = [frame.kind for frame in seen]
            self.assertIn(Kind.FAILURE, kinds)
            self.assertLess(sum(len(frame.payload) for frame in seen), 300 * 1024)

    def test_hostile_requests_and_answers_do_nothing(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        rng = random.Random(seed)
        with Server(self.name, capacity=1024) as server, mailslots.Writer(self.name) as writer, Client() as client:
            honest = packed(Kind.REQUEST, 1, answers=7, deadline=1 << 62)
            for _ in range(2000):
                message = bytearray(honest + b"xx")[: rng.randrange(30)]
                if message:
                    message[rng.randrange(len(message))] ^= 1 << rng.randrange(8)
                writer.write(message)
                self.assertIsNone(server.next(0))
            # Answers that nobody has asked for, while a call waits.
            to_client = mailslots.Writer(client._answers.reader.name)

            def serve():
                request = server.next()
                for _ in range(200):
                    to_client.write(rng.randbytes(rng.randrange(40)), 0)
                    to_client.write(packed(Kind.ANSWER, rng.getrandbits(64)), 0)
                while to_client.info()["message_count"]:
                    time.sleep(0)
                request.answer(b"true")

            thread = threading.Thread(target=serve)
            thread.start()
            self.assertEqual(client.call(self.name, b"?"), b"true")
            thread.join()

    def test_a_frame_survives_being_packed_and_cut_ones_are_none(self):
        for deadline in (None, 5):
            message = packed(Kind.REQUEST, 1 << 63, answers=9, deadline=deadline) + b"abc"
            self.assertEqual(parsed(message), (Kind.REQUEST, 0, 9, 1 << 63, deadline, b"abc"))
            for size in range(len(message) - 3):
                self.assertIsNone(parsed(message[:size]))
        # As RequestFormat.swift lays it out.
        self.assertEqual(packed(Kind.FAILURE, 2, code=3).hex(), "a1040300" + "00000000" + "0200000000000000")
        self.assertIsNone(parsed(packed(Kind.ANSWER, 1, deadline=1)))

    def test_dead_clients_leave_nothing_behind(self):
        program = """
import os, sys, signal, mailslots.requests
client = mailslots.requests.Client()
print(client._answers.reader.name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
        process = self.start(program)
        name = process.stdout.readline().strip()
        process.wait(LIMIT)
        self.assertFalse(self.is_free(name))
        Server(self.name).close()
        self.assertTrue(self.is_free(name))
        client = Client()
        name = client._answers.reader.name
        del client
        gc.collect()
        self.assertTrue(self.is_free(name))

    def test_a_server_stops_from_another_thread(self):
        with Server(self.name) as server:
            thread = threading.Thread(target=server.stop)
            thread.start()
            self.assertEqual(list(server), [])
            thread.join()


class TaskCalls(Case, unittest.IsolatedAsyncioTestCase):
    async def test_tasks_call_side_by_side_and_each_gets_its_answer(self):
        async with aio.Server(self.name, capacity=4) as server, aio.Client() as client:

            async def serve():
                waiting = []
                async for request in server:
                    waiting.append(request)
                    if len(waiting) == 10:
                        for request in reversed(waiting):
                            request.answer(request.data)
                        waiting.clear()

            serving = asyncio.create_task(serve())
            requests = [b"%d" % i for i in range(100)]
            calls = [client.call(self.name, request, LIMIT) for request in requests]
            self.assertEqual(await asyncio.gather(*calls), requests)
            serving.cancel()

    async def test_late_lost_failed_and_cancelled_calls_end_as_they_should(self):
        process = self.start(ECHO, self.name)
        self.assertEqual(process.stdout.readline(), "ready\n")
        async with aio.Client() as client:
            for request, timeout, code in ((b"fail", None, CallCode.FAILED), (b"wait", 0.01, CallCode.TIMED_OUT)):
                with self.assertRaises(CallError) as raised:
                    await client.call(self.name, request, timeout)
                self.assertEqual(raised.exception.code, code)
            call = asyncio.create_task(client.call(self.name, b"keep"))
            await asyncio.to_thread(process.stdout.readline)
            call.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await call
            self.assertEqual(await client.call(self.name, b"after"), b"after")
            call = asyncio.create_task(client.call(self.name, b"keep"))
            await asyncio.to_thread(process.stdout.readline)
            process.kill()
            with self.assertRaises(CallError) as raised:
                await call
            self.assertEqual(raised.exception.code, CallCode.NO_READER)
            call = asyncio.create_task(client.call("none/" + self.name, b"x", wait=0.11))
            with self.assertRaises(mailslots.TimedOutError):
                await call


if __name__ == "__main__":
    unittest.main()
