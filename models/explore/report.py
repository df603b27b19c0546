#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py DIR - which labels and pairs of docs/ordering.md were seen.

DIR has what the clients wrote with --cover. A pair of accesses is seen when
one read what the other wrote; a pair with a fence when both were executed by
two threads in one run. What was not seen must stand in the file UNSEEN:

    LABEL           the reason        nothing of it can be seen here
    LABEL LABEL     the reason        the pair cannot

A line there for something that is seen is a failure, too.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import labels  # noqa: E402

UNSEEN = os.path.join(labels.HERE, "UNSEEN")


def pairs(rows):
    """The pairs that the table names, each once, in its order."""
    found = []
    for name, (_, _, partners) in rows.items():
        for other in re.findall(labels.order.LABEL, partners):
            pair = tuple(sorted((name, other)))
            if pair not in found:
                found.append(pair)
    return found


def is_fence(rows, name):
    return bool(re.search(r"\bfence\b", rows[name][1].split(";")[-1]
                          if ";" in rows[name][1] else rows[name][1]))


def read_cover(directory):
    executed, read, met = set(), set(), set()
    for name in os.listdir(directory):
        for line in open(os.path.join(directory, name), encoding="utf-8"):
            kind, *words = line.split()
            pair = tuple(sorted(words))
            {"label": executed, "rf": read, "met": met}[kind].add(
                words[0] if kind == "label" else pair)
    return executed, read, met


def read_unseen():
    excused = {}
    if not os.path.exists(UNSEEN):
        return excused
    for line in open(UNSEEN, encoding="utf-8"):
        match = re.match(rf"({labels.order.LABEL})"
                         rf"(?:[ \t]+({labels.order.LABEL}))?[ \t]+(\S.*)",
                         line)
        if match and not line.startswith("#"):
            key = tuple(sorted(filter(None, match.group(1, 2))))
            excused[key] = match[3]
    return excused


def main():
    rows = labels.order.read_table()
    executed, read, met = read_cover(sys.argv[1])
    excused, used, bad = read_unseen(), set(), 0
    n = {"seen": 0, "excused": 0}

    def excuse(*keys):
        for key in keys:
            if key in excused:
                used.add(key)
                n["excused"] += 1
                return True
        return False

    for name in rows:
        if name not in executed and not excuse((name,)):
            print(f"{name}: no client comes by")
            bad += 1
    for a, b in pairs(rows):
        fences = is_fence(rows, a) or is_fence(rows, b)
        if (a, b) in read or (fences and (a, b) in met):
            n["seen"] += 1
        elif a not in executed or b not in executed:
            excuse((a,), (b,))
        elif not excuse((a, b), (a,), (b,)):
            print(f"{a} {b}: the two have not met" +
                  (" (executed, but neither read the other)"
                   if (a, b) in met else ""))
            bad += 1
    for key in excused:
        if key not in used:
            print(f"{' '.join(key)}: excused in UNSEEN, but seen")
            bad += 1
    print(f"{len(executed)} of {len(rows)} labels, {n['seen']} of "
          f"{len(pairs(rows))} pairs seen, {n['excused']} excused, "
          f"{bad} missing")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
