"""Prints a C program that compiles if the structures and numbers of the Python example are those of the headers."""

import ctypes
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../Examples/python"))
import mailslots


def claim(condition):
    print(f'_Static_assert({condition}, "Python has another");')


print("#include <mailslots.h>")
for name, structure in vars(mailslots).items():
    if not (isinstance(structure, type) and issubclass(structure, ctypes.Structure)) or structure is ctypes.Structure:
        continue
    claim(f"sizeof({name}) == {ctypes.sizeof(structure)}")
    for field, kind in structure._fields_:
        claim(f"offsetof({name}, {field}) == {getattr(structure, field).offset}")
        claim(f"sizeof((({name} *)0)->{field}) == {ctypes.sizeof(kind)}")
for outcome in mailslots.Outcome:
    claim(f"MSLOT_{outcome.name} == {int(outcome)}")
claim(f"MSLOT_NOT_OPEN == {len(mailslots.Outcome) - 1}")
claim(f"MSLOT_MESSAGE_BYTES_MAX == {mailslots.MESSAGE_BYTES_MAX}")
