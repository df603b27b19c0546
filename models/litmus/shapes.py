# SPDX-License-Identifier: MIT
"""Reads *.shapes: small concurrent programs, and their weakened variants.

A shape is a paragraph of one of the files beside this one:

    shape mp: what was written before a flag is seen with it
    init x=0 flag=0
    P0	x = 1 plain
    	flag = 1 release	: W
    P1	r0 = flag acquire	: R
    	if r0 == 1
    	r1 = x plain
    bad	1:r0=1 1:r1=0
    W	BR1 RG1
    R	BR2 RG2
    =			OK OK OK OK
    W=relaxed		BAD BAD BAD OK

Registers are r0, r1, ..; all else that is assigned or read is shared memory.

    x = 1 release           store; the value may be r0+1
    r0 = x acquire          load
    r0 = xchg x 1 acquire   exchange, the old value
    r0 = add x 1 acq_rel    fetch-and-add, the old value
    r0 = cas x 0 1 acquire  compare-exchange 0 -> 1, the old value; one that
                            fails is relaxed, unless it says acq_rel/acquire
    fence seq_cst           or light, heavy
    if r0 == 1              or !=; it governs the rest of the thread

Behind a colon stand the tags of a statement; one that begins with ? is left out
unless a variant asks for it. A line `bad` is an outcome that must not happen,
several are alternatives. A line TAG LABELS says which labels of
docs/ordering.md are the tag's order. The lines at the end are variants and
their verdicts: in C11, AArch64, the Linux kernel's model, x86. OK: no bad
outcome and, in C11, no data race; BAD: one is possible; -: not tested.

    =             as it stands      T=relaxed     another order
    -T            T is left out     +T            T, which has a ?, is put in
    T>U           T comes directly behind U

A fence `light` is nothing but a barrier for the compiler; `heavy` is
membarrier(2), an interrupt with a full fence in each thread that has a light
one. No language has a word for it. So a heavy fence is a full fence, a request,
a look at the answer, and another full fence; and there is one test for each
point of the other thread's program at which the interrupt can come: it reads
the request, goes through a full fence and answers. Who is not asked at that
point stops there, and so does who gets no answer: such executions do not count.
"""

import collections
import itertools
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = ("c11", "aarch64", "lkmm", "x86")

Statement = collections.namedtuple(
    "Statement", "op dst loc args order tags off", defaults=((), False))
# threads: lists of statements; bad: lists of ((thread or None, name), value)
Program = collections.namedtuple("Program", "name init threads bad labels")
Variant = collections.namedtuple("Variant", "name changes verdicts")

ORDERS = r"plain|relaxed|acquire|release|acq_rel|seq_cst"
VALUE = r"(?:\d+|r\d+\+\d+)"
FORMS = [(op, re.compile(form + "$")) for op, form in (
    ("fence", rf"fence (?P<order>{ORDERS}|light|heavy)"),
    ("if", r"if (?P<dst>r\d+) (?P<a>==|!=) (?P<b>\d+)"),
    ("xchg", rf"(?P<dst>r\d+) = xchg (?P<loc>\w+) (?P<a>{VALUE}) "
             rf"(?P<order>{ORDERS})"),
    ("add", rf"(?P<dst>r\d+) = add (?P<loc>\w+) (?P<a>\d+) "
            rf"(?P<order>{ORDERS})"),
    ("cas", rf"(?P<dst>r\d+) = cas (?P<loc>\w+) (?P<a>\d+) (?P<b>\d+) "
            rf"(?P<order>(?:{ORDERS})(?:/(?:{ORDERS}))?)"),
    ("load", rf"(?P<dst>r\d+) = (?P<loc>[a-z]\w*) (?P<order>{ORDERS})"),
    ("store", rf"(?P<loc>[a-z]\w*) = (?P<a>{VALUE}) (?P<order>{ORDERS})"),
)]


class Shape:
    def __init__(self, name, title):
        self.name, self.title = name, title
        self.init, self.threads, self.bad = {}, [], []
        self.labels, self.variants = {}, []  # tag: labels

    def tags(self):
        return {t for thread in self.threads for s in thread for t in s.tags}


def parse_statement(text):
    text, _, tags = text.partition(":")
    off = text.startswith("?")
    text = " ".join(text.lstrip("? ").split())
    for op, form in FORMS:
        match = form.match(text)
        if match:
            found = match.groupdict()
            args = tuple(found[a] for a in "ab" if found.get(a) is not None)
            return Statement(op, found.get("dst"), found.get("loc"), args,
                             found.get("order"), tuple(tags.split()), off)
    raise ValueError(f"not a statement: {text}")


def parse_outcome(text):
    outcome = []
    for term in text.split():
        left, value = term.split("=")
        thread, _, name = left.rpartition(":")
        outcome.append(((int(thread) if thread else None, name), int(value)))
    return outcome


def parse_line(shape, word, rest):
    verdicts = rest.split()
    if word == "init":
        pairs = (p.split("=") for p in verdicts)
        shape.init = {name: int(value) for name, value in pairs}
    elif re.fullmatch(r"P\d", word):
        if int(word[1]) != len(shape.threads):
            raise ValueError(f"{word} is out of turn")
        shape.threads.append([parse_statement(rest)])
    elif word == "bad":
        shape.bad.append(parse_outcome(rest))
    elif re.fullmatch(r"[A-Z]\w*", word):
        shape.labels[word] = shape.labels.get(word, []) + verdicts
    elif re.match(r"[=+-]|\w+[=>]", word):
        words = f"{word} {rest}".split()
        changes, verdicts = words[:-4], words[-4:]
        if not set(verdicts) <= {"OK", "BAD", "-"}:
            raise ValueError(f"not a verdict: {verdicts}")
        changes = [] if changes == ["="] else changes
        shape.variants.append(Variant(
            "_".join(change_name(c) for c in changes), changes,
            dict(zip(MODELS, verdicts))))
    else:
        raise ValueError(f"not understood: {word}")


def change_name(change):
    """A variant as a part of a file's name."""
    if change[0] in "+-":
        return {"+": "with-", "-": "no-"}[change[0]] + change[1:]
    return change.replace("=", "-").replace(">", "-after-") \
        .replace("/", "-")


def read_file(path):
    shapes, in_thread = [], False
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                text = line.split("#")[0].rstrip()
                if not text.strip():
                    continue
                if text[0] == "\t" and in_thread:
                    shapes[-1].threads[-1].append(parse_statement(text.strip()))
                    continue
                word, _, rest = " ".join(text.split()).partition(" ")
                if word == "shape":
                    name, _, title = rest.partition(": ")
                    shapes.append(Shape(name, title))
                else:
                    parse_line(shapes[-1], word, rest)
                in_thread = re.match(r"P\d$", word)
            except (ValueError, IndexError) as e:
                raise SystemExit(f"{path}:{number}: {e}")
    return shapes


def read_all():
    shapes = []
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".shapes"):
            shapes += read_file(os.path.join(HERE, name))
    for shape in shapes:
        named = set(re.findall(r"[A-Z]\w*", " ".join(
            c for v in shape.variants for c in v.changes)))
        for tag in (named | set(shape.labels)) - shape.tags():
            raise SystemExit(f"{shape.name}: no statement has the tag {tag}")
        if shape.labels and not shape.variants:
            raise SystemExit(f"{shape.name}: no verdicts")
    return shapes


def change(threads, what):
    """The threads with one change of a variant made."""
    sign, tag = what[0], what[1:]
    if sign == "-":
        return [[s for s in t if tag not in s.tags] for t in threads]
    if sign == "+":
        return [[s._replace(off=False) if tag in s.tags else s for s in t]
                for t in threads]
    tag, sign, value = re.match(r"(\w+)([=>])([\w/]+)$", what).groups()
    if sign == "=":
        return [[s._replace(order=value) if tag in s.tags else s for s in t]
                for t in threads]
    changed = []
    for thread in threads:
        moved = [s for s in thread if tag in s.tags]
        rest = [s for s in thread if tag not in s.tags]
        if moved:
            at = max(i for i, s in enumerate(rest) if value in s.tags) + 1
            rest[at:at] = moved
        changed.append(rest)
    return changed


def full_fence():
    return Statement("fence", None, None, (), "seq_cst")


def wait_for(word, register):
    """Read 1 there, or the execution does not count."""
    return [Statement("load", register, word, (), "relaxed"),
            Statement("if", register, None, ("==", "1"), None)]


def set_(word):
    return [Statement("store", None, word, ("1",), "relaxed")]


def interrupts(threads):
    """Each way in which the heavy fence can interrupt who has light ones:
    (points, threads, shared words)."""
    heavy = [(t, i) for t, thread in enumerate(threads)
             for i, s in enumerate(thread) if s.order == "heavy"]
    if len(heavy) > 1:
        raise SystemExit("more than one heavy fence")
    asked = [t for t, thread in enumerate(threads)
             if any(s.order == "light" for s in thread)
             and heavy and t != heavy[0][0]]
    full = [Statement("fence", None, None, (), "seq_cst")]
    for points in itertools.product(*(range(len(threads[t]) + 1)
                                      for t in asked)):
        made = [list(thread) for thread in threads]
        for t, point in zip(asked, points):
            made[t][point:point] = wait_for(f"ask{t}", "r90") + full + \
                set_(f"answer{t}")
        for t, at in heavy:
            ask = sum((set_(f"ask{n}") for n in asked), [])
            answers = sum((wait_for(f"answer{n}", f"r8{n}") for n in asked), [])
            made[t][at:at + 1] = full + ask + answers + full * bool(asked)
        yield points, [[s for s in t if s.order != "light"] for t in made], \
            [f"{word}{t}" for t in asked for word in ("ask", "answer")]


def possible(outcome, threads):
    """Whether all registers that an outcome names are assigned at all."""
    return all(t is None or any(s.dst == name for s in threads[t])
               for (t, name), _ in outcome)


def programs(shape, variant):
    """The programs of one variant: one, or one for each interrupt."""
    threads = shape.threads
    for what in variant.changes:
        threads = change(threads, what)
    threads = [[s for s in thread if not s.off] for thread in threads]
    labels = sorted({l for tag, ls in shape.labels.items() for l in ls})
    base = "+".join(filter(None, (shape.name, variant.name)))
    for points, made, words in interrupts(threads):
        name = "+".join((base,) + tuple(f"at{p}" for p in points))
        yield Program(name, {**shape.init, **{w: 0 for w in words}}, made,
                      [b for b in shape.bad if possible(b, made)], labels)
