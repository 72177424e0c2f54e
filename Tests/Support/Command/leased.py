#!/usr/bin/env python3
"""Holds a lease on a file, so that nobody else can open it at once: leased.py FILE. Prints "leased" when it has it; ends when killed."""

import fcntl
import os
import signal
import sys

signal.signal(signal.SIGIO, signal.SIG_IGN)  # somebody opens it: the lease may be kept for /proc/sys/fs/lease-break-time seconds
descriptor = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("leased", flush=True)
while True:
    signal.pause()
