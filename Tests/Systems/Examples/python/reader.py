"""Prints the messages of a mailslot until one says "quit".

    python3 reader.py orders
"""

import sys

import mailslots

if len(sys.argv) != 2:
    sys.exit("usage: reader.py NAME")
try:
    with mailslots.Reader(sys.argv[1]) as orders:
        message = b""
        while message != b"quit":
            message = orders.read()
            print(message.decode(), flush=True)
except mailslots.MailslotError as error:
    sys.exit(f"reader.py: {error}")
