#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every atomic access of include/ and src/ says what it orders.

A site is a call of an atomic macro of hazptr/atomic.h. In its statement, or in
the comments directly above, a comment has a line that begins with

    order HP2: the reason; pairs with HP8    (or short: order HP2: HP8)
    private: why nobody else can see this access

Sites on adjacent lines may share the comments above the first of them. Every
label has a row in docs/ordering.md,

    | HP2 | where, and what is ordered | HP8, HP1 | ... |

and every row a site, unless its second column begins with "user" or "kernel":
then the partner is code that is not ours.
"""

import re

import lint

DOOR = "include/hazptr/atomic.h"
TABLE = "docs/ordering.md"
ASSEMBLER = ("src/port/", "include/hazptr/rseq.h")
SITE = (r"\bhazptr_(?:load|store|exchange|fetch_(?:add|sub|or|and|xor)|cas|"
        r"fence|compiler_fence)_\s*\(")
RAW = (r"\b__atomic_\w+|\b__sync_\w+|\b_Atomic\b|\bstdatomic\b|\batomic_\w+|"
       r"\b(?:__)?volatile(?:__)?\b")
LABEL = r"\b[A-Z]{2}[0-9]+\b"
ORDER = re.compile(rf"order ({LABEL}(?:, ?{LABEL})*):(?=.*\w)")


class Labels:
    """The labels that the source uses, and where."""

    def __init__(self):
        self.used, self.named = {}, {}
        self.private = 0

    def take(self, path, comment):
        """True when the comment says what a site orders."""
        found = False
        for i, line in enumerate(comment.lines):
            order = ORDER.match(line)
            if order:
                for label in re.findall(LABEL, order[1]):
                    self.used.setdefault(label, (path, comment.first + i))
                found = True
            elif re.match(r"private:\s*\w", line):
                self.private += 1
                found = True
        if found:
            for label in re.findall(LABEL, " ".join(comment.lines)):
                self.named.setdefault(label, (path, comment.first))
        return found


def explained(source, first, last, spans, sites, labels):
    """Whether comments in the statement, or above it, label its sites."""
    inside = [c for c in source.comments
              if first <= c.first <= last or first <= c.last <= last]
    if any([labels.take(source.path, c) for c in inside]):
        return True
    while True:
        above = [c for c in source.comments if c.alone and c.last == first - 1]
        if above:
            if labels.take(source.path, above[0]):
                return True
            first = above[0].first
            continue
        before = [s for s in spans if s[1] == first - 1]
        if not before or before[-1] not in sites:
            return False
        first = before[-1][0]


def check_source(path, labels):
    source = lint.Source(path)
    spans = source.statements()
    lines = [line for line, _ in source.find(SITE)]
    sites = {}
    for line in lines:
        span = next((s for s in spans if s[0] <= line <= s[1]), (line, line))
        sites.setdefault(span, line)
    for (first, last), line in sites.items():
        if not explained(source, first, last, spans, sites, labels):
            lint.breach(path, line, "atomic access without an order label")
    for line, match in source.find(RAW):
        assembler = re.search(r"asm(__)?\s*$", source.code[:match.start()])
        if not (assembler and path.startswith(ASSEMBLER)):
            lint.breach(path, line, f"{match.group()} outside {DOOR}")
    for comment in source.comments:  # of calls that fence, too
        if any(ORDER.match(line) for line in comment.lines):
            labels.take(path, comment)
    return len(lines)


def read_table():
    rows = {}
    try:
        text = lint.read(TABLE)
    except FileNotFoundError:
        lint.breach(TABLE, 1, "missing")
        return rows
    for number, line in enumerate(text.splitlines(), 1):
        cells = [c.strip(" *`") for c in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or len(cells) < 3:
            continue
        if re.fullmatch(LABEL, cells[0]):
            if cells[0] in rows:
                lint.breach(TABLE, number, f"{cells[0]} has two rows")
            rows[cells[0]] = (number, cells[1], cells[2])
    return rows


def foreign(text):
    return re.match(r"(the )?(user|kernel)", text, re.I)


def check_table(rows, labels):
    for label, (number, site, partners) in rows.items():
        names = re.findall(LABEL, partners)
        if label not in labels.used and not foreign(site):
            lint.breach(TABLE, number, f"{label} is used nowhere")
        if not names and not re.search(r"\b(user|kernel)", partners, re.I):
            lint.breach(TABLE, number, f"{label} has no partner")
        for name in names:
            if name not in rows:
                lint.breach(TABLE, number, f"partner {name} has no row")
    for label, (path, line) in sorted((labels.named | labels.used).items()):
        if rows and label not in rows:
            lint.breach(path, line, f"{label} has no row in {TABLE}")


def main():
    labels, sites = Labels(), 0
    for path in lint.files("include", "src"):
        if path != DOOR:
            sites += check_source(path, labels)
    rows = read_table()
    check_table(rows, labels)
    lint.finish(f"{sites} atomic sites, {len(labels.used)} labels, "
                f"{len(rows)} rows, {labels.private} private")


if __name__ == "__main__":
    main()
