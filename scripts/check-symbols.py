#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lists that must agree: what the headers declare, the symbol map, what
the shared library of build/dev exports, the manual, the API test and the
CHANGELOG. A name that ends in an underscore is not public."""

import glob
import os
import re
import subprocess

import lint

MAP = "src/hazptr.map"
LIBRARY = "build/dev/libhazptr.so"
PAGES = "docs/man/*.scd"
PLACES = {"manual page": PAGES, "API test": "tests/unit/api.c*",
          "CHANGELOG": "CHANGELOG.md"}
INTERNAL = ("HAZPTR_ORDER_",)


def c_only(code):
    """Without what stands in #ifdef __cplusplus, up to its #else or #endif."""
    out, nested, skip = [], 0, False
    for line in code.split("\n"):
        word = re.match(r"\s*#\s*(\w+)\s*(\w*)", line)
        word, rest = word.groups() if word else ("", "")
        if skip and not nested and word in ("else", "endif"):
            skip = False
        elif skip:
            nested += word.startswith("if") - (word == "endif")
        elif word == "ifdef" and rest == "__cplusplus":
            skip, nested = True, 0
        out.append("" if skip else line)
    return "\n".join(out)


def outermost(code):
    """Without directives and without what stands in braces."""
    code = re.sub(r"(?m)^[ \t]*#(?:\\\n|[^\n])*",
                  lambda m: re.sub(r"[^\n]", " ", m[0]), code)
    depth, out = 0, []
    for c in code:
        depth -= c == "}"
        out.append(c if depth <= 0 or c == "\n" else " ")
        depth += c == "{"
    return "".join(out)


class Header:
    def __init__(self, path):
        self.path = path
        source = lint.Source(path)
        code = c_only(source.code)
        self.names = {}      # public functions and macros: line
        self.functions = {}  # not inline, public or not: line
        for m in re.finditer(r"(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)", code):
            if m[1] != path.split("/")[-1].upper().replace(".", "_") \
                    and not re.fullmatch(r"HAZPTR_\w+_H", m[1]):
                self.add(m[1], source.line(m.start()))
        for m in re.finditer(r"[^;{}]+[;{]", outermost(code)):
            text = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", m[0], flags=re.S)
            name = re.search(r"\b(\w+)\s*\(", text)
            if not name or "typedef" in text or "=" in text[:name.start()]:
                continue
            line = source.line(m.start() + m[0].find(name[1]))
            self.add(name[1], line)
            if not {"static", "HAZPTR_INLINE_"} & set(text.split()):
                self.functions[name[1]] = line

    def add(self, name, line):
        if not name.endswith("_") and not name.startswith(INTERNAL):
            self.names.setdefault(name, line)


def check_places(headers):
    texts = {what: "\n".join(lint.read(os.path.relpath(f, lint.ROOT)) for f in
                             glob.glob(os.path.join(lint.ROOT, pattern)))
             for what, pattern in PLACES.items()}
    for header in headers:
        for name, line in header.names.items():
            missing = [what for what, text in texts.items()
                       if not re.search(rf"\b{name}\b", text.replace("\\_", "_"))]
            if missing:
                lint.breach(header.path, line,
                            f"{name} is not in: {', '.join(missing)}")


def read_map():
    names = {}
    for line, match in lint.Source(MAP).find(r"\b\w+(?=;)"):
        if match[0] in names:
            lint.breach(MAP, line, f"{match[0]} stands here twice")
        names[match[0]] = line
    return names


def check_map(headers, names):
    text = "\n".join(lint.Source(h.path).code for h in headers)
    for name, line in names.items():
        if not name.startswith("hazptr_"):
            lint.breach(MAP, line, f"{name} has not our prefix")
        if not re.search(rf"\b{name}\b", text):
            lint.breach(MAP, line, f"{name} is in no public header")
    for header in headers:
        for name, line in header.functions.items():
            if name not in names:
                lint.breach(header.path, line, f"{name} is not in {MAP}")


def check_library(names):
    """How many symbols the library exports; None when it is not built."""
    if not os.path.exists(os.path.join(lint.ROOT, LIBRARY)):
        return None
    out = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], text=True,
                         cwd=lint.ROOT, check=True, capture_output=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in out.splitlines()
                if line.split()[-2] != "A"}  # the version itself
    for name in sorted(exported - set(names)):
        lint.breach(MAP, 1, f"{LIBRARY} exports {name}, which is not here")
    for name in sorted(set(names) - exported):
        lint.breach(MAP, names[name], f"{LIBRARY} does not export {name}")
    return len(exported)


def main():
    headers = [Header(p) for p in lint.files("include", suffixes=(".h",))]
    names = read_map()
    check_places(headers)
    check_map(headers, names)
    exported = check_library(names)
    public = sum(len(h.names) for h in headers)
    lint.finish(f"{public} public names, {len(names)} in the map, " +
                (f"{exported} exported" if exported is not None
                 else f"{LIBRARY} is not built: its symbols were not checked"))


main()
