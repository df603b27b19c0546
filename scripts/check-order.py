#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every atomic access of include/ and src/ says what it orders.

A site is a use of an atomic macro of hazptr/atomic.h, or inline assembly. In
its statement, or in the comments directly above (assembly: above its function),
a comment has a line that begins with

    order HP2: the reason; pairs with HP8    (or short: order HP2: HP8)
    private: why nobody else can see this access

and names a partner of the label, or the user or the kernel. Sites on adjacent
lines may share the comments above the first of them. Every label has a row in
docs/ordering.md,

    | HP2 | where, and what is ordered | HP8, HP1 | what goes wrong | ... |

and every row a site, unless its second column begins with "user" or "kernel":
then the partner is code that is not ours. A partner names the label back, but
for one whose sites are all relaxed: a hint or a figure names who decides.
"""

import re

import lint

DOOR = "include/hazptr/atomic.h"
TABLE = "docs/ordering.md"
ASSEMBLER = ("src/port/", "include/hazptr/rseq.h")
ASM = r"\b(?:asm|__asm(?:__)?)\b"
RAW = (r"\b__(?:c11_|opencl_)?atomic_\w+|\b__sync_\w+|\b_Atomic\b|"
       r"\bstdatomic\b|<atomic>|\batomic_\w+|\b(?:__)?volatile(?:__)?\b|"
       r"\b__builtin_(?:ia32_[lms]fence|arm_[di][ms]b)\b|"
       r"\b_mm_[lms]fence\b|\b__[di][ms]b\b")
LABEL = r"\b[A-Z]{2}[0-9]+\b"
FOREIGN = r"\b(?:user|kernel)"
ORDER = re.compile(rf"order ({LABEL}(?:, ?{LABEL})*):(?=.*\w)")


class Labels:
    """The labels that the source uses, and where."""

    def __init__(self):
        self.used, self.named = {}, {}
        self.says = {}       # (path, line): its labels, and what it says
        self.strict = set()  # labels with a site that is not relaxed
        self.private = 0

    def take(self, path, comment, relaxed=False):
        """True when the comment says what a site orders."""
        found = False
        for i, line in enumerate(comment.lines):
            order = ORDER.match(line)
            if order:
                names = re.findall(LABEL, order[1])
                at = (path, comment.first + i)
                self.says.setdefault(at, (names,
                                          " ".join(comment.lines[i:])))
                self.strict.update(() if relaxed else names)
                for label in names:
                    self.used.setdefault(label, at)
                found = True
            elif re.match(r"private:\s*\w", line):
                self.private += 1
                found = True
        if found:
            for label in re.findall(LABEL, " ".join(comment.lines)):
                self.named.setdefault(label, (path, comment.first))
        return found


def macros():
    """The names that hazptr/atomic.h gives to atomic operations."""
    names = re.findall(r"#define (hazptr_\w+_)\((?:\\\n|.)*", lint.read(DOOR))
    return [n for n in names if not re.search("likely_$", n)]


def explained(source, first, last, sites, labels, relaxed):
    """Whether comments in the statement, or above it, label its sites."""
    inside = [c for c in source.comments
              if first <= c.first <= last or first <= c.last <= last]
    if any([labels.take(source.path, c, relaxed) for c in inside]):
        return True
    while True:
        above = [c for c in source.comments if c.alone and c.last == first - 1]
        if above:
            if labels.take(source.path, above[0], relaxed):
                return True
            first = above[0].first
            continue
        before = [s for s in sites if s[1] == first - 1]
        if not before:
            return False
        first = before[-1][0]


def function_head(source, spans, line):
    """The statement that opens the function around this line."""
    opened = [n for n, text in enumerate(source.code.split("\n"), 1)
              if n < line and text.startswith("{")]
    return next((s for s in spans if opened and s[1] == opened[-1]), None)


def check_sites(source, labels, pattern):
    spans, sites = source.statements(), {}
    for line, match in source.find(rf"\b(?:{'|'.join(pattern)})\b|{ASM}"):
        span = next((s for s in spans if s[0] <= line <= s[1]), (line, line))
        sites.setdefault(span, []).append((line, match))
    for (first, last), found in sites.items():
        text = "\n".join(source.code.split("\n")[first - 1:last])
        relaxed = not re.search(r"\b(acquire|release|acq_rel|seq_cst)\b|"
                                rf"\bhazptr_compiler_fence_|{ASM}", text)
        if explained(source, first, last, sites, labels, relaxed):
            continue
        head = function_head(source, spans, first)
        if re.match(ASM, found[0][1].group()) and head and \
                explained(source, *head, {}, labels, False):
            continue
        lint.breach(source.path, found[0][0],
                    "atomic access without an order label")
    return sum(len(found) for found in sites.values())


def check_source(path, labels, pattern):
    source = lint.Source(path)
    count = check_sites(source, labels, pattern)
    for line, match in source.find(f"{RAW}|{ASM}"):
        assembler = re.search(rf"({ASM})\s*$", source.code[:match.start()]) \
            or re.match(ASM, match.group())
        if not (assembler and path.startswith(ASSEMBLER)):
            lint.breach(path, line, f"{match.group()} outside {DOOR}")
    for comment in source.comments:  # of calls that fence, too
        for i, line in enumerate(comment.lines):
            if ORDER.match(line) and \
                    (path, comment.first + i) not in labels.says:
                labels.take(path, comment)
    return count


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
            if len(cells) < 4 or not cells[3]:
                lint.breach(TABLE, number,
                            f"{cells[0]} does not say what goes wrong")
            rows[cells[0]] = (number, cells[1], cells[2])
    return rows


def foreign(text):
    return re.match(rf"(the )?{FOREIGN}", text, re.I)


def check_table(rows, labels):
    partners = {r: re.findall(LABEL, rows[r][2]) for r in rows}
    for label, (number, site, text) in rows.items():
        if label not in labels.used and not foreign(site):
            lint.breach(TABLE, number, f"{label} is used nowhere")
        if not partners[label] and not re.search(FOREIGN, text, re.I):
            lint.breach(TABLE, number, f"{label} has no partner")
        for name in partners[label]:
            if name not in rows:
                lint.breach(TABLE, number, f"partner {name} has no row")
            elif label in labels.strict and label not in partners[name]:
                lint.breach(TABLE, rows[name][0],
                            f"{name} does not name {label}, whose partner "
                            "it is")
    for label, (path, line) in sorted((labels.named | labels.used).items()):
        if label not in rows:
            lint.breach(path, line, f"{label} has no row in {TABLE}")
    for (path, line), (names, text) in sorted(labels.says.items()):
        said = re.findall(LABEL, re.sub(r"order [^:]*:", "", text, count=1))
        known = {p for n in names if n in rows for p in partners[n]}
        if not known.intersection(said) and not re.search(FOREIGN, text, re.I):
            lint.breach(path, line, f"no partner of {', '.join(names)} here")


def check_files():
    """What is not looked at above has no code in it."""
    for path in lint.files("include", "src", suffixes=""):
        if not path.endswith((".h", ".c", ".map")):
            lint.breach(path, 1, "neither .c nor .h: nobody reads it")


def main():
    labels, sites, pattern = Labels(), 0, macros()
    if not pattern:
        lint.breach(DOOR, 1, "defines no atomic operation")
    for path in lint.files("include", "src"):
        if path != DOOR:
            sites += check_source(path, labels, pattern or ["$^"])
    check_files()
    rows = read_table()
    check_table(rows, labels)
    lint.finish(f"{sites} atomic sites, {len(labels.used)} labels, "
                f"{len(rows)} rows, {labels.private} private")


if __name__ == "__main__":
    main()
