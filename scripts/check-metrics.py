#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sizes that keep the code readable: prints them, and fails beyond the limits.

A function is counted from its opening brace to its closing one. Its length is
limited everywhere; the median and the #if rate are the library's.
"""

import os
import re
import statistics

import lint

LIBRARY = ("include", "src")
OURS = LIBRARY + ("tools", "examples", "bench", "tests", "models", "bindings")
MAX_FILE, MAX_FUNCTION, MAX_MEDIAN = 700, 80, 12
MAX_IFS, MIN_TESTS = 6, 1.2
SCRIPTS = lint.C_FILES + (".py", ".sh", ".map", ".pml", ".cmake", ".in",
                              ".rs", "CMakeLists.txt", "Makefile")


def name_before(lines, at):
    """The name that the declaration ending before line `at` declares."""
    first = at
    while first > 0 and not re.search(r"(^\s*#.*|[;}]\s*|^\s*)$",
                                      lines[first - 1]):
        first -= 1
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "",
                  " ".join(lines[first:at]))
    name = re.search(r"(\w+)\s*\(", head)
    return name[1] if name else "?"


def functions(source):
    """(line, name, length) of each function: braces in column 0, as C++ and
    kernel style have them."""
    lines, start = source.code.split("\n"), None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif start and line.startswith("}"):
            if not line.strip("} \t"):
                yield start, name_before(lines, start - 1), number - start + 1
            start = None


def conditionals(source):
    """How many #if, but for header guards and __cplusplus."""
    found = [(n, r) for _, n, r in source.directives()]
    count = 0
    for i, (name, rest) in enumerate(found):
        guard = name == "ifndef" and found[i + 1:i + 2] == [("define", rest)]
        count += name in ("if", "ifdef", "ifndef", "elif") \
            and not guard and rest != "__cplusplus"
    return count


def code_lines(source):
    return sum(bool(line.strip()) for line in source.code.split("\n"))


def limit(path, line, what, value, most):
    if value > most:
        lint.breach(path, line, f"{what}: {value:.4g}, the limit is {most}")


def check_spdx():
    scripts = [f for f in ("CMakeLists.txt", "Makefile", ".clang-format")
               if os.path.exists(os.path.join(lint.ROOT, f))]
    scripts += lint.files(*OURS, "docs", "packaging", suffixes=SCRIPTS)
    scripts += [f for f in lint.files("scripts", ".ci", suffixes="")
                if not f.endswith(".md")]
    scripts += [f for f in lint.files(*OURS, suffixes="")
                if "." not in os.path.basename(f)
                and os.access(os.path.join(lint.ROOT, f), os.X_OK)]
    for path in scripts:
        head = "\n".join(lint.read(path).splitlines()[:3])
        if "SPDX-License-Identifier: MIT" not in head:
            lint.breach(path, 1, "no SPDX line")


def main():
    lengths, lines, ifs, size = [], 0, 0, {"library": 0, "tests": 0}
    longest, biggest = (0, ""), (0, "")
    for path in lint.files(*OURS):
        source, top = lint.Source(path), path.split("/")[0]
        here = [(n, name) for _, name, n in functions(source)]
        longest = max([longest] + here)
        biggest = max(biggest, (len(source.lines()), path))
        limit(path, 1, "lines in a file", len(source.lines()), MAX_FILE)
        for line, name, length in functions(source):
            limit(path, line, f"lines in {name}()", length, MAX_FUNCTION)
        if top in LIBRARY:
            size["library"] += code_lines(source)
            lengths += [n for n, _ in here]
            if not path.startswith("src/port/"):
                lines += len(source.lines())
                ifs += conditionals(source)
        elif top == "tests":
            size["tests"] += code_lines(source)
    check_spdx()
    median = statistics.median(lengths or [0])
    rate = 1000 * ifs / max(lines, 1)
    ratio = size["tests"] / max(size["library"], 1)
    limit("src", 1, "median lines in a function", median, MAX_MEDIAN)
    limit("src", 1, "#if per 1000 lines", rate, MAX_IFS)
    if ratio < MIN_TESTS:
        lint.breach("tests", 1, f"{ratio:.2f} x the library's code lines, "
                    f"the least is {MIN_TESTS}")
    lint.finish(
        f"longest file {biggest[0]} ({biggest[1]}), longest function "
        f"{longest[0]} ({longest[1]}), median {median:.4g}, {rate:.1f} #if per "
        f"1000 lines, library {size['library']}, tests {size['tests']} lines "
        f"of code ({ratio:.2f} x)")


main()
