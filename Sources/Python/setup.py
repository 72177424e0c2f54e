"""Builds the extension module mailslots._core, with the C core inside: there is nothing else to install.

It is built for Python's stable ABI, so that one wheel serves every Python from 3.11 on.
"""

import pathlib
import re

import setuptools
from setuptools.command.build_ext import build_ext

folder = pathlib.Path(__file__).resolve().parent
core = folder.parent / "CMailslots"
if not core.is_dir():
    raise SystemExit(f"The C core is not where it is expected, {core}: build from a checkout, or install a wheel.")
numbers = re.findall(r"^#define MSLOT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", (core / "include/mailslots/version.h").read_text(), re.M)


class BuildWithCore(build_ext):
    """Adds the core's sources, which setuptools would refuse in a list of sources: they are not below this folder."""

    def build_extension(self, ext):
        ext.sources += sorted(map(str, core.rglob("*.c")))
        ext.depends += sorted(map(str, core.rglob("*.h")))
        super().build_extension(ext)


extension = setuptools.Extension(
    "mailslots._core",
    sources=[
        "extension/module.c",
        "extension/reader.c",
        "extension/writer.c",
        "extension/loan.c",
        "extension/look.c",
        "extension/common.c",
    ],
    depends=["extension/core.h"],
    include_dirs=[str(core / "include")],
    define_macros=[("_GNU_SOURCE", None), ("Py_LIMITED_API", "0x030b0000")],
    # Hidden: a program may have another build of the core in the same process.
    extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
    # nodelete: the core leaves a thread and fork handlers in the process.
    extra_link_args=["-pthread", "-Wl,-z,nodelete"],
    py_limited_api=True,
)

setuptools.setup(
    version=".".join(numbers),
    ext_modules=[extension],
    cmdclass={"build_ext": BuildWithCore},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
