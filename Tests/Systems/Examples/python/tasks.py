"""Prints the messages of several mailslots in one thread, by asyncio, until each has said "quit".

    python3 tasks.py orders prices
"""

import asyncio
import sys

import mailslots
from mailslots import aio


async def print_messages(name: str) -> None:
    async with aio.Reader(mailslots.Reader(name)) as messages:
        async for message in messages:
            print(f"{name}: {message.decode()}", flush=True)
            if message == b"quit":
                break


async def main() -> None:
    await asyncio.gather(*map(print_messages, sys.argv[1:]))


asyncio.run(main())
