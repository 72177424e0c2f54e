"""Mailslots for asyncio: ends whose calls suspend the task, and block no event loop.

    reader = mailslots.aio.Reader(mailslots.Reader("orders"))
    async for message in reader:
        print(message.decode())

    writer = await mailslots.aio.open("orders", wait=10)
    await writer.write(b"hello")

A thread of the library sleeps, whatever the number of ends, and wakes the loop by an eventfd. What is there already costs no wait and no
turn of the loop. A cancelled read has taken nothing, and a cancelled write has written nothing. Tasks may share an end, and take turns.
An end is for one event loop.

Client and Server are for messages that want an answer, as those of mailslots.requests are for threads.
"""

from ._ends import Reader, Writer, open
from ._requests import Client, Server

__all__ = ["Client", "Reader", "Server", "Writer", "open"]
