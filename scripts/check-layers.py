#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may include whom, and what stands in the port layer only."""

import os
import re

import lint

MAY_INCLUDE = {
    "port": (),
    "core": ("port",),
    "ref": ("core", "port"),
    "park": ("ref", "core", "port"),
    "ds": ("ref", "core", "port"),
    "sync": ("park", "port"),
}
PORT_PUBLIC = ("hazptr/atomic.h", "hazptr/fence.h", "hazptr/rseq.h")
MACHINE = "include/hazptr/rseq.h"  # sequences are inline, so they are public
OUTSIDE = ("tools", "examples", "bench", "bindings")
SYSTEM = re.compile(
    r"\b(__linux|__gnu_linux|__unix|__GLIBC|__UCLIBC|__ANDROID|__APPLE|_WIN32|"
    r"__(Free|Net|Open)BSD|__(x86_64|i386|amd64|aarch64|arm|riscv|s390|powerpc|"
    r"mips|loongarch|alpha|sparc)|_?_?LP64|__ILP32|__BYTE_ORDER|__SIZEOF_)")
ALLOCATE = (r"\b(malloc|calloc|realloc|reallocarray|aligned_alloc|"
            r"posix_memalign|memalign|strdup|strndup|asprintf|free|abort)\s*\(")


def layer(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def check_include(path, line, name):
    """name: as written, with its quotes or angles."""
    mine, inner = layer(path), name[1:-1]
    if name[0] == "<":
        if mine == "port" and inner.startswith("hazptr/") \
                and inner not in PORT_PUBLIC:
            lint.breach(path, line, f"src/port may not include {name}")
        return
    target = os.path.normpath(os.path.join(os.path.dirname(path), inner))
    if not os.path.exists(os.path.join(lint.ROOT, target)):
        lint.breach(path, line, f"{name} does not exist beside this file")
    elif path.startswith("include/"):
        lint.breach(path, line, "public headers are included as <hazptr/...>")
    elif mine:
        theirs = layer(target)
        if theirs != mine and theirs not in MAY_INCLUDE.get(mine, ()):
            lint.breach(path, line, f"src/{mine} may not include {target}")
    elif target.split("/")[0] != path.split("/")[0]:
        lint.breach(path, line, f"{target}: only <hazptr/...> from here")


def excused(source, line):
    return any(c.last in (line, line - 1) and "the user's" in c.lines[0]
               for c in source.comments)


def check_calls(source):
    for line, match in source.find(ALLOCATE):
        if match[1] != "free" or not excused(source, line):
            lint.breach(source.path, line, f"{match[1]}() outside src/port")


def main():
    count = 0
    for path in lint.files("include", "src", *OUTSIDE):
        source = lint.Source(path)
        count += 1
        if path.startswith("src/") and layer(path) not in MAY_INCLUDE:
            lint.breach(path, 1, "in none of the layers")
        for line, name, rest in source.directives():
            if name == "include" and rest[:1] in "<\"":
                check_include(path, line, rest.split()[0])
            elif name in ("if", "ifdef", "ifndef", "elif") \
                    and layer(path) != "port" and path != MACHINE \
                    and SYSTEM.search(rest):
                lint.breach(path, line, "#if about OS or CPU outside src/port")
        if path.split("/")[0] in ("include", "src") and layer(path) != "port":
            check_calls(source)
    lint.finish(f"{count} files")


main()
