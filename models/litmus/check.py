# SPDX-License-Identifier: MIT
"""Is a bad outcome of a small program possible? All its executions, one by one.

An execution is a set of events and two relations: rf, which write each read
reads from, and mo, in which order the writes of a word follow each other. All
that fit the values are made, and each model of memory.py says which of them it
allows.
"""

import collections
import itertools

import memory
from relations import acyclic, both, empty, inverse, less, only, then, union

# ctrl, data: bit masks of the thread's own events; pair: the other half
Event = collections.namedtuple(
    "Event", "kind loc value order thread ctrl data pair plain")


# Programs into events

def evaluate(text, registers):
    """The value of a store's operand, and the register that it depends on."""
    name, _, number = text.rpartition("+")
    return registers[name] + int(number) if name else int(number), name


def runs(thread, number, values):
    """All runs of a thread alone, when a load may see any value of its word:
    pairs of events and registers."""
    done = []

    def go(at, events, registers, sources, ctrl):
        if at == len(thread):
            done.append((events, registers))
            return
        s = thread[at]
        if s.op == "if":
            if (registers[s.dst] == int(s.args[1])) == (s.args[0] == "=="):
                go(at + 1, events, registers, sources, ctrl | sources[s.dst])
            else:
                done.append((events, registers))
            return
        n = len(events)
        order = s.order.partition("/")[0]
        event = Event("F", s.loc, None, order, number, ctrl, 0, None,
                      order == "plain")
        if s.op == "fence":
            go(at + 1, events + [event], registers, sources, ctrl)
        elif s.op == "store":
            value, source = evaluate(s.args[0], registers)
            data = sources[source] if source else 0
            go(at + 1, events + [event._replace(kind="W", value=value,
                                                data=data)],
               registers, sources, ctrl)
        else:
            for seen in values[s.loc]:
                new = written(s, seen, registers)
                read = event._replace(kind="R", value=seen)
                pair = [read]
                if new is not None:
                    pair = [read._replace(pair=n + 1),
                            event._replace(kind="W", value=new, pair=n)]
                elif s.op == "cas":
                    pair = [read._replace(order=failed(s.order))]
                go(at + 1, events + pair, {**registers, s.dst: seen},
                   {**sources, s.dst: 1 << n}, ctrl)

    go(0, [], {}, {}, 0)
    return done


def written(s, seen, registers):
    """What a read-modify-write makes of what it saw, or None."""
    if s.op == "add":
        return seen + int(s.args[0])
    if s.op == "xchg":
        return evaluate(s.args[0], registers)[0]
    if s.op == "cas" and seen == int(s.args[0]):
        return int(s.args[1])
    return None


def failed(order):
    """That of a compare-exchange that fails. AArch64's acquire all the same."""
    order, _, other = order.partition("/")
    if other in ("", "relaxed"):
        acquires = order in ("acquire", "acq_rel", "seq_cst")
        return "relaxed (acquire)" if acquires else "relaxed"
    return other


def all_runs(program):
    """The runs of each thread. A word may have any of the constants that are
    written to it, plus what is added to it once or not at all."""
    values = {loc: {v} for loc, v in program.init.items()}
    writes = [s for t in program.threads for s in t
              if s.op in ("store", "xchg", "cas", "add")]
    for s in writes:
        if s.op != "add" and not s.args[-1].startswith("r"):
            values[s.loc].add(int(s.args[-1]))
    for s in writes:
        if s.op == "add" or s.args[-1].startswith("r"):
            step = int(s.args[-1].rpartition("+")[2])
            values[s.loc] |= {v + step for v in values[s.loc]}
    return [runs(t, n, values) for n, t in enumerate(program.threads)]


# Executions

class Graph:
    """The events of all threads, with the relations that the program fixes. The
    first events are the initial writes."""

    def __init__(self, program, chosen):
        self.events = [Event("W", loc, v, "init", None, 0, 0, None, False)
                       for loc, v in program.init.items()]
        for events, _ in chosen:
            base = len(self.events)
            self.events += [e._replace(
                ctrl=e.ctrl << base, data=e.data << base,
                pair=None if e.pair is None else e.pair + base)
                for e in events]
        n = self.n = len(self.events)
        self.init = self.where(lambda e: e.thread is None)
        self.po, self.loc, self.int = empty(n), empty(n), empty(n)
        self.ctrl, self.data, self.rmw = empty(n), empty(n), empty(n)
        for i, a in enumerate(self.events):
            for j, b in enumerate(self.events):
                same = a.thread is not None and a.thread == b.thread
                self.int[i] |= same << j
                self.po[i] |= (same and i < j) << j
                self.loc[i] |= (a.loc is not None and a.loc == b.loc) << j
                self.ctrl[i] |= (b.ctrl >> i & 1) << j
                self.data[i] |= (b.data >> i & 1) << j
            if a.kind == "R" and a.pair is not None:
                self.rmw[i] = 1 << a.pair
        self.po_loc = both(self.po, self.loc)

    def where(self, holds):
        return sum(1 << i for i, e in enumerate(self.events) if holds(e))

    def kind(self, kinds, orders=None, paired=None):
        return self.where(lambda e: e.kind in kinds
                          and (orders is None or e.order in orders)
                          and (paired is None or paired == (e.pair is not None))
                          and e.thread is not None)

    def executions(self):
        """Each (rf, mo) that fits the values and is coherent: the part on which
        all models agree. A read-modify-write has nothing between its halves."""
        writes = collections.defaultdict(list)
        for i, e in enumerate(self.events):
            if e.kind == "W":
                writes[e.loc].append(i)
        reads = [i for i, e in enumerate(self.events) if e.kind == "R"]
        froms = [[w for w in writes[self.events[r].loc]
                  if self.events[w].value == self.events[r].value
                  and not self.po[r] >> w & 1] for r in reads]
        orders = [list(self.write_orders(ws)) for ws in writes.values()]
        for sources in itertools.product(*froms):
            source = dict(zip(reads, sources))
            for mo_of in itertools.product(*orders):
                follows = {b: a for row in mo_of for a, b in zip(row, row[1:])}
                if all(follows[e.pair] == source[i]
                       for i, e in enumerate(self.events)
                       if e.kind == "R" and e.pair is not None):
                    made = Execution(self, source, mo_of)
                    if acyclic(union(self.po_loc, made.rf, made.mo, made.fr)):
                        yield made

    def write_orders(self, writes):
        """The initial one first, those of a thread in its order."""
        for rest in itertools.permutations(writes[1:]):
            if not any(self.po[b] >> a & 1
                       for a, b in itertools.combinations(rest, 2)):
                yield (writes[0],) + rest


class Execution:
    def __init__(self, graph, source, mo_of):
        self.graph, n = graph, graph.n
        self.rf, self.mo = empty(n), empty(n)
        for read, write in source.items():
            self.rf[write] |= 1 << read
        self.last = {}
        for row in mo_of:
            self.last[graph.events[row[-1]].loc] = graph.events[row[-1]].value
            for i, write in enumerate(row):
                self.mo[write] = sum(1 << later for later in row[i + 1:])
        self.fr = less(then(inverse(self.rf), self.mo), only(-1, n))


def is_bad(program, registers, last):
    return any(all((last if t is None else registers[t]).get(name) == value
                   for (t, name), value in outcome)
               for outcome in program.bad)


def verdicts(program, models):
    """{model: "OK" or "BAD"}, by all executions."""
    bad, left = set(), set(models)
    for chosen in itertools.product(*all_runs(program)):
        registers = [run[1] for run in chosen]
        if "c11" not in left and not is_possible(program, registers):
            continue
        for x in Graph(program, chosen).executions():
            wrong = is_bad(program, registers, x.last)
            for model in list(left):
                if model == "c11":
                    allowed, race = memory.c11(x)
                    found = allowed and (race or wrong)
                else:
                    found = wrong and memory.MODELS[model](x)
                if found:
                    bad.add(model)
                    left.remove(model)
            if not left:
                break
    return {model: "BAD" if model in bad else "OK" for model in models}


def is_possible(program, registers):
    """Whether these registers fit a bad outcome, whatever the memory."""
    return any(all(t is None or registers[t].get(name) == value
                   for (t, name), value in outcome)
               for outcome in program.bad)
