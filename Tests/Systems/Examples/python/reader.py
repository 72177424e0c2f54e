"""Prints the messages of a mailslot until one says "quit".

    python3 reader.py orders
"""

import sys

import mailslots

if len(sys.argv) != 2:
    sys.exit("usage: reader.py NAME")
try:
    with mailslots.Reader(sys.argv[1]) as orders:
        for message in orders:
            print(message.decode(), flush=True)
            if message == b"quit":
                break
except mailslots.MailslotError as error:
    sys.exit(f"reader.py: {error}")
