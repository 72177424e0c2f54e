"""Writes its arguments to a mailslot, a message each.

    python3 writer.py orders hello quit
"""

import sys

import mailslots

if len(sys.argv) < 2:
    sys.exit("usage: writer.py NAME TEXT...")
try:
    with mailslots.Writer(sys.argv[1], wait=10) as orders:  # the reader may start later
        for text in sys.argv[2:]:
            orders.write(text.encode())
except mailslots.MailslotError as error:
    sys.exit(f"writer.py: {error}")
