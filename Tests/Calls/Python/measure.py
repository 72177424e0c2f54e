"""Prints what a write and a read of 32 bytes cost in one process: the best of nine rounds."""

import os
import timeit

import mailslots

name = f"python/measure-{os.getpid()}"
count = 200_000
with mailslots.Reader(name) as reader, mailslots.Writer(name) as writer:
    message = bytes(32)
    read, write = reader.read, writer.write
    seconds = min(timeit.repeat("write(message); read()", globals=globals(), number=count, repeat=9))
    print(f"a write and a read of 32 bytes: {seconds / count * 1e6:.3f} µs")
