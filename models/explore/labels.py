#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""labels.py FILE... - the places of the order labels, as a C table.

What check-order.py finds above each atomic access, and at each call that
fences, of include/, src/ and the clients. The engine compares file and line.
"""

import importlib.util
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "..", "..", "scripts")
sys.path.insert(0, SCRIPTS)

import lint  # noqa: E402

_spec = importlib.util.spec_from_file_location(
    "check_order", os.path.join(SCRIPTS, "check-order.py"))
order = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(order)

CALLS = ["hazptr_fence_light", "hazptr_fence_heavy"]
SITE = rf"\b(?:{'|'.join(order.macros() + CALLS)})\b\s*\("


def places(path):
    """(first, last, labels) of each labelled statement."""
    source = lint.Source(path)
    spans = source.statements()
    sites = {}
    for line, _ in source.find(SITE):
        span = next((s for s in spans if s[0] <= line <= s[1]), (line, line))
        sites.setdefault(span, line)
    for first, last in sites:
        labels = order.Labels()
        order.explained(source, first, last, sites, labels, True)
        yield first, last, sorted(labels.used)


def main():
    rows, names = [], sorted(order.read_table())
    index = {name: i for i, name in enumerate(names)}
    for path in lint.files("include", "src", "models/explore/clients"):
        if path == order.DOOR:
            continue
        for first, last, labels in places(path):
            labels = [name for name in labels if name in index]
            if labels:
                rows.append((path, first, last, labels))
    print('#include "engine.h"\n\nconst char *const ex_labels[] = {')
    print("".join(f'\t"{name}",\n' for name in names) + "};")
    print(f"const int ex_labels_n = {len(names)};\n")
    print("struct ex_place ex_places[] = {")
    for path, first, last, labels in rows:
        ids = ", ".join(str(index[name]) for name in labels)
        print(f'\t{{ "{path}", {first}, {last}, "{" ".join(labels)}", '
              f'{{ {ids} }}, {len(labels)} }},')
    print(f"}};\nconst int ex_places_n = {len(rows)};")


if __name__ == "__main__":
    main()
