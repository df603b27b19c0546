# SPDX-License-Identifier: MIT
"""Memory models: each says whether it allows an execution.

c11      RC11: Lahav, Vafeiadis, Kang, Hur, Dreyer, "Repairing Sequential
         Consistency in C/C++11", PLDI 2017; with the release sequences of
         C++20, which are shorter. A data race is a bad outcome.
aarch64  Pulte, Flur, Deacon, French, Sarkar, Sewell, "Simplifying ARM
         Concurrency", POPL 2018. Loads with acquire are LDAPR, which orders
         less than the LDAR of that paper.
lkmm     Alglave, Maranget, McKenney, Parri, Stern, "Frightening Small Children
         and Disconcerting Grown-ups", ASPLOS 2018; without RCU, locks and plain
         accesses.
x86      Owens, Sarkar, Sewell, "A Better x86 Memory Model: x86-TSO", TPHOLs
         2009, in its axiomatic form.

What all of them say is left to check.py, which makes such executions only:
reads and writes of one word are coherent, and a read-modify-write has nothing
between its halves.

This is our reading of those papers, short enough to be compared with them, and
no substitute for herd7, which runs the same tests with the authors' models.
"""

from relations import (acyclic, between, both, empty, inverse, irreflexive,
                       less, maybe, only, plus, star, then, union)


def c11(x):
    """(allowed, has a data race)"""
    g = x.graph
    n, sb = g.n, g.po
    atomic = g.where(lambda e: not e.plain)
    release, acquire = ("release", "acq_rel", "seq_cst"), \
        ("acquire", "acq_rel", "seq_cst")
    fences = only(g.kind("F"), n)
    rs = then(only(g.kind("W") & atomic, n), star(then(x.rf, g.rmw)))
    sw = then(only(g.kind("WF", release), n), maybe(then(fences, sb)), rs,
              between(x.rf, atomic, atomic), maybe(then(sb, fences)),
              only(g.kind("RF", acquire), n))
    first = [~g.init & (1 << n) - 1 if g.init >> i & 1 else 0
             for i in range(n)]
    hb = plus(union(sb, sw, first))
    eco = plus(union(x.rf, x.mo, x.fr))
    if not irreflexive(hb) or not irreflexive(then(hb, eco)) \
            or not acyclic(union(sb, x.rf)):
        return False, False
    away = less(sb, g.loc)
    scb = union(sb, then(away, hb, away), both(hb, g.loc), x.mo, x.fr)
    sc, fsc = only(g.kind("RW", ("seq_cst",)), n), \
        only(g.kind("F", ("seq_cst",)), n)
    psc = union(then(union(sc, then(fsc, maybe(hb))), scb,
                     union(sc, then(maybe(hb), fsc))),
                then(fsc, union(hb, then(hb, eco, hb)), fsc))
    if not acyclic(psc):
        return False, False
    plain, written_ = g.where(lambda e: e.plain), g.kind("W")
    ordered = union(hb, inverse(hb), g.int)
    for i, e in enumerate(g.events):
        rivals = g.loc[i] & ~ordered[i] & ~g.init & ~(1 << i)
        if e.thread is not None and e.kind != "F":
            rivals &= -1 if e.kind == "W" else written_
            if rivals & (-1 if e.plain else plain):
                return True, True
    return True, False


def aarch64(x):
    g = x.graph
    n, po = g.n, g.po
    a = g.kind("R", ("seq_cst",)) | g.kind("R", ("acq_rel", "acquire"), True)
    q = g.kind("R", ("acquire", "relaxed (acquire)"), False)
    l = g.kind("W", ("release", "acq_rel", "seq_cst"))
    w = only(g.kind("W"), n)
    dmb = only(g.kind("F", ("seq_cst", "acq_rel", "release")), n)
    dmb_ld = only(g.kind("F", ("acquire",)), n)
    r = only(g.kind("R"), n)
    obs = less(union(x.rf, x.fr, x.mo), g.int)
    dob = union(g.data, then(g.ctrl, w), then(g.data, both(x.rf, g.int)))
    aob = union(g.rmw, then(only(g.kind("W", paired=True), n),
                            both(x.rf, g.int), only(a | q, n)))
    bob = union(then(po, dmb, po), then(r, po, dmb_ld, po),
                then(only(l, n), po, only(a, n)), then(only(a | q, n), po),
                then(po, only(l, n)))
    return acyclic(union(obs, dob, aob, bob))


def lkmm(x):
    g = x.graph
    n, po = g.n, g.po
    full = ("acq_rel", "seq_cst")
    m, w, r = g.kind("RW"), only(g.kind("W"), n), only(g.kind("R"), n)
    ext = lambda relation: less(relation, g.int)
    inner = lambda relation: both(relation, g.int)
    # A full read-modify-write has a full fence on both sides, a seq_cst store
    # one behind it; a seq_cst load is an acquire.
    both_sides = only(g.kind("RW", full, True), n)
    behind = only(g.kind("W", ("seq_cst",), False), n)
    mb = between(union(then(po, only(g.kind("F", ("seq_cst",)), n), po),
                       then(both_sides, less(po, g.rmw)),
                       then(less(po, g.rmw), both_sides), then(behind, po)),
                 m, m)
    half = only(g.kind("F", ("acq_rel",)), n)
    rmb, wmb = then(r, po, half, po, r), then(w, po, half, po, w)
    release = between(po, m, g.kind("W", ("release", "seq_cst")))
    acquire = between(po, g.kind("R", ("acquire", "seq_cst")), m)
    overwrite = union(x.mo, x.fr)
    dep = union(g.data, g.ctrl)
    ppo = union(then(dep, w), inner(overwrite),
                then(g.data, inner(x.rf)), mb, release, acquire, rmb, wmb)
    rfe = ext(x.rf)
    cumul = union(then(maybe(rfe), union(mb, release)), wmb)
    prop = then(maybe(ext(overwrite)), star(cumul), maybe(rfe))
    hb = union(ppo, rfe, inner(less(prop, only(-1, n))))
    return acyclic(hb) and acyclic(then(prop, mb, star(hb)))


def x86(x):
    g = x.graph
    n, po = g.n, g.po
    m, locked = g.kind("RW"), only(g.kind("RW", paired=True), n)
    fence = only(g.kind("F", ("seq_cst",)) | g.kind("W", ("seq_cst",), False),
                 n)
    later = between(between(po, m, m), g.kind("R"), m)
    stores = between(po, g.kind("W"), g.kind("W"))
    kept = union(later, stores, then(po, fence, po), then(fence, po),
                 then(locked, po), then(po, locked))
    return acyclic(union(kept, less(x.rf, g.int), x.mo, x.fr))


MODELS = {"aarch64": aarch64, "lkmm": lkmm, "x86": x86}
