"""Runs a command to which the kernel refuses get_robust_list, futex_waitv and io_uring_setup, as some sandboxes do.

Status 77: filters cannot be made here."""
import ctypes, os, platform, struct, sys

CALLS = {"x86_64": (0xC000003E, [274, 449, 425]), "aarch64": (0xC00000B7, [100, 449, 425])}
if platform.machine() not in CALLS:
    sys.exit(77)
machine, numbers = CALLS[platform.machine()]
EPERM, ALLOW, ERRNO = 1, 0x7FFF0000, 0x00050000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06

program = [(LOAD, 0, 0, 4), (JUMP_IF_EQUAL, 1, 0, machine), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 0)]
for number in numbers:
    program += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | EPERM)]
program += [(RETURN, 0, 0, ALLOW)]
filters = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filters", ctypes.c_void_p)]


prctl = ctypes.CDLL(None, use_errno=True).prctl
prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
description = Program(len(program), ctypes.addressof(filters))
if prctl(38, 1, None, 0, 0) != 0 or prctl(22, 2, ctypes.addressof(description), 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
    sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
