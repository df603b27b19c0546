# SPDX-License-Identifier: MIT
"""Relations between events, as lists of bit masks: bit b of a[i] means that i
is related to b."""

def empty(n):
    return [0] * n


def union(*relations):
    return [sum_ for sum_ in map(_or, zip(*relations))]


def _or(rows):
    row = 0
    for r in rows:
        row |= r
    return row


def then(*relations):
    """Relational composition, from the left."""
    first = relations[0]
    for second in relations[1:]:
        made = []
        for row in first:
            out, at = 0, 0
            while row:
                if row & 1:
                    out |= second[at]
                row >>= 1
                at += 1
            made.append(out)
        first = made
    return first


def plus(relation):
    """The transitive closure."""
    closed = list(relation)
    for k in range(len(closed)):
        for i in range(len(closed)):
            if closed[i] >> k & 1:
                closed[i] |= closed[k]
    return closed


def maybe(relation):
    return [row | 1 << i for i, row in enumerate(relation)]


def star(relation):
    return maybe(plus(relation))


def only(mask, n):
    """The identity on a set of events."""
    return [1 << i & mask for i in range(n)]


def between(relation, first, last):
    return [row & last if first >> i & 1 else 0
            for i, row in enumerate(relation)]


def less(a, b):
    return [x & ~y for x, y in zip(a, b)]


def both(a, b):
    return [x & y for x, y in zip(a, b)]


def inverse(relation):
    return [sum(1 << j for j, row in enumerate(relation) if row >> i & 1)
            for i in range(len(relation))]


def acyclic(relation):
    return irreflexive(plus(relation))


def irreflexive(relation):
    return not any(row >> i & 1 for i, row in enumerate(relation))
