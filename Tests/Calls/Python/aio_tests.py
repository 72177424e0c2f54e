"""Ends in asyncio: tasks suspend, share, time out and are cancelled, and lose nothing."""

import asyncio
import gc
import os
import unittest

import mailslots
from mailslots import aio
from support import Case


def readers_of(loop):
    return len(loop._selector.get_map()) - 1  # less the loop's own pipe


class Tasks(Case, unittest.IsolatedAsyncioTestCase):
    def ends(self, **options):
        reader = aio.Reader(mailslots.Reader(self.name, **options))
        writer = aio.Writer(mailslots.Writer(self.name))
        self.addCleanup(reader.close)
        self.addCleanup(writer.close)
        return reader, writer

    async def test_messages_cross_between_tasks_in_order_through_a_mailslot_that_is_always_full_or_empty(self):
        reader, writer = self.ends(capacity=1)
        count = 500

        async def write():
            for i in range(count):
                self.assertIs(await writer.write(b"%d" % i), True)

        task = asyncio.create_task(write())
        self.assertEqual([await reader.read() for _ in range(count)], [b"%d" % i for i in range(count)])
        await task
        self.assertIsNone(await reader.read(0))

    async def test_an_iteration_lets_other_tasks_run(self):
        reader, writer = self.ends()
        turns = 0

        async def count_turns():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(count_turns())
        for i in range(1000):
            await writer.write(b"x")
        seen = 0
        async for _ in reader:
            seen += 1
            if seen == 1000:
                break
        task.cancel()
        self.assertGreater(turns, 10)

    async def test_a_process_that_writes_wakes_a_task(self):
        program = "import sys, mailslots; sys.stdin.readline(); mailslots.Writer(sys.argv[1]).write(b'awake'); sys.stdin.readline()"
        reader, _ = self.ends()
        process = self.start(program, self.name)
        task = asyncio.create_task(reader.read())
        await asyncio.sleep(0)
        process.stdin.write("\n")
        self.assertEqual(await task, b"awake")

    async def test_late_and_full_are_no_errors(self):
        reader, writer = self.ends(capacity=1)
        self.assertIsNone(await reader.read(0))
        self.assertIsNone(await reader.read(timeout=0.01))
        self.assertEqual(await reader.read_batch(4, timeout=0.01), [])
        await writer.write(b"a")
        self.assertIs(await writer.write(b"b", 0), False)
        self.assertIs(await writer.write(b"b", timeout=0.01), False)
        self.assertEqual((await reader.read_message()).data, b"a")
        self.assertEqual(writer.info()["counters"]["full_writes"], 2)

    async def test_a_cancelled_read_has_taken_nothing_whenever_it_is_cancelled(self):
        reader, writer = self.ends()
        lost = 0
        for i in range(200):
            task = asyncio.create_task(reader.read())
            await asyncio.sleep(0)
            if i % 3 == 0:
                await writer.write(b"%d" % i)
            if i % 2 == 0:
                await asyncio.sleep(0)  # the loop may have heard of it, and the task not
            task.cancel()
            result = (await asyncio.gather(task, return_exceptions=True))[0]
            if i % 3 == 0:
                if isinstance(result, asyncio.CancelledError):
                    result = await reader.read(0)
                self.assertEqual(result, b"%d" % i)
            else:
                self.assertIsInstance(result, asyncio.CancelledError)
        self.assertIsNone(await reader.read(0))

    async def test_a_cancelled_write_has_written_nothing(self):
        reader, writer = self.ends(capacity=1)
        await writer.write(b"first")
        task = asyncio.create_task(writer.write(b"cancelled"))
        await asyncio.sleep(0)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        self.assertEqual(await reader.read(), b"first")
        self.assertIs(await writer.write(b"second"), True)
        self.assertEqual(await reader.read(), b"second")

    async def test_an_end_that_closes_in_the_turn_of_a_cancellation_leaves_nothing_in_the_loop(self):
        reader, _ = self.ends()
        task = asyncio.create_task(reader.read())
        await asyncio.sleep(0)
        self.assertEqual(readers_of(asyncio.get_running_loop()), 1)
        task.cancel()
        reader.close()
        await asyncio.gather(task, return_exceptions=True)
        self.assertEqual(readers_of(asyncio.get_running_loop()), 0)

    async def test_tasks_that_share_an_end_take_turns(self):
        reader, writer = self.ends()
        tasks = [asyncio.create_task(reader.read()) for _ in range(5)]
        late = asyncio.create_task(reader.read(0.01))
        self.assertIsNone(await late)
        tasks[1].cancel()
        for i in range(4):
            await writer.write(b"%d" % i)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        self.assertIsInstance(results.pop(1), asyncio.CancelledError)
        self.assertEqual(results, [b"0", b"1", b"2", b"3"])

    async def test_closing_ends_the_waits_of_others(self):
        reader, writer = self.ends(capacity=1)
        await writer.write(b"fills it")
        writing = asyncio.create_task(writer.write(b"waits"))
        await asyncio.sleep(0)
        writer.close()
        with self.assertRaises(mailslots.NotOpenError):
            await writing
        await reader.read()
        reading = asyncio.create_task(reader.read())
        await asyncio.sleep(0)
        reader.leave()
        with self.assertRaises(mailslots.NotOpenError):
            await reading
        reader.close()
        self.assertEqual(readers_of(asyncio.get_running_loop()), 0)
        mailslots.remove(self.name)

    async def test_a_reader_that_closes_ends_a_write_that_waits(self):
        reader, writer = self.ends(capacity=1)
        await writer.write(b"fills it")
        writing = asyncio.create_task(writer.write(b"waits"))
        await asyncio.sleep(0)
        reader.close()
        with self.assertRaises(mailslots.ClosedError):
            await writing

    async def test_a_dropped_end_closes_with_its_descriptor(self):
        before = os.listdir("/proc/self/fd")
        reader, writer = aio.Reader(mailslots.Reader(self.name)), None
        writer = await aio.open(self.name)
        await writer.write(b"x")
        self.assertEqual(await reader.read(), b"x")
        del reader, writer
        gc.collect()
        self.assertTrue(self.is_free(self.name))
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))

    async def test_a_task_waits_for_a_reader_to_appear(self):
        opening = asyncio.create_task(aio.open(self.name, wait=30))
        with self.assertRaises(mailslots.TimedOutError):
            await aio.open(self.name, wait=0.12)
        with self.assertRaises(mailslots.NotFoundError):
            await aio.open(self.name)
        self.assertFalse(opening.done())
        async with aio.Reader(mailslots.Reader(self.name)) as reader, await opening as writer:
            await writer.write(b"at last")
            self.assertEqual(await reader.read(), b"at last")

    async def test_the_child_of_a_fork_closes_its_parents_waits_without_harm(self):
        reader, writer = self.ends()
        reading = asyncio.create_task(reader.read())
        await asyncio.sleep(0)

        def child():
            reader.close()
            writer.close()
            return True

        self.in_child(child)
        await writer.write(b"still")
        self.assertEqual(await reading, b"still")


if __name__ == "__main__":
    unittest.main()
