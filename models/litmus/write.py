# SPDX-License-Identifier: MIT
"""Small programs as litmus tests for herd7: C11, AArch64, the Linux kernel's.

C11     acquire, release and so on as they stand. Objects are plain, so that a
        use and a free which nothing orders are a data race.
AArch64 as compilers translate C11 for 8.3 and later: acquire loads are LDAPR,
        seq_cst ones LDAR, stores with release or more STLR, read-modify-writes
        single instructions.
LKMM    READ_ONCE() for objects too. A seq_cst store is a release and smp_mb(),
        a seq_cst load an acquire; a read-modify-write with acq_rel or seq_cst
        is the fully ordered one.
"""

LANGUAGES = ("c11", "aarch64", "lkmm")
UNSET = 77  # of registers to which nothing was assigned
CAS = "atomic_compare_exchange_strong_explicit"


def words_of(thread):
    return sorted({s.loc for s in thread if s.loc})


def registers_of(thread):
    return sorted({s.dst for s in thread if s.dst})


def outcome(program, name):
    """The condition; `name` makes a thread's register."""
    terms = []
    for bad in program.bad:
        terms.append(" /\\ ".join(
            f"[{word}]={value}" if t is None else f"{t}:{name(word)}={value}"
            for (t, word), value in bad))
    if len(terms) == 1:
        return f"exists ({terms[0]})"
    return "exists (" + " \\/ ".join(f"({t})" for t in terms) + ")"


def head(language, program):
    labels = " ".join(program.labels) or "none"
    return [f"{language} {program.name}", "", f"(* labels: {labels} *)", ""]


def c_thread(number, thread, types, statement):
    """One function; statement() makes the lines of a statement."""
    params = ", ".join(f"{types[w]} *{w}" for w in sorted(types)
                       if w in words_of(thread) or w.startswith(f"e{number}"))
    lines = [f"P{number}({params})", "{"]
    lines += [f"\tint {r} = {UNSET};" for r in registers_of(thread)]
    depth = 1
    for at, s in enumerate(thread):
        if s.op == "if":
            made = [f"if ({s.dst} {s.args[0]} {s.args[1]}) {{"]
        else:
            made = statement(s, f"e{number}{at}")
        lines += ["\t" * depth + line for line in made]
        depth += s.op == "if"
    return lines + ["\t" * d + "}" for d in range(depth - 1, -1, -1)]


def c11_statement(s, expected):
    order, _, other = (s.order or "").partition("/")
    mo = f"memory_order_{order}"
    if s.op == "fence":
        return [f"atomic_thread_fence({mo});"]
    if s.op == "store":
        value = s.args[0].replace("+", " + ")
        if order == "plain":
            return [f"*{s.loc} = {value};"]
        return [f"atomic_store_explicit({s.loc}, {value}, {mo});"]
    if s.op == "load" and order == "plain":
        return [f"{s.dst} = *{s.loc};"]
    if s.op == "load":
        return [f"{s.dst} = atomic_load_explicit({s.loc}, {mo});"]
    if s.op == "cas":  # the old value is what stands in the expected one
        mo += f", memory_order_{other or 'relaxed'}"
        return [f"{s.dst} = {CAS}({s.loc}, {expected}, {s.args[1]}, {mo});",
                f"{s.dst} = *{expected};"]
    call = {"xchg": "atomic_exchange", "add": "atomic_fetch_add"}[s.op]
    return [f"{s.dst} = {call}_explicit({s.loc}, {s.args[0]}, {mo});"]


def c11(program):
    plain = {s.loc for t in program.threads for s in t if s.order == "plain"}
    types = {w: "int" if w in plain else "atomic_int" for w in program.init}
    init = dict(program.init)
    for number, thread in enumerate(program.threads):
        for at, s in enumerate(thread):
            if s.op == "cas":
                types[f"e{number}{at}"] = "int"
                init[f"e{number}{at}"] = int(s.args[0])
    lines = head("C", program)
    lines += ["{ " + " ".join(f"[{w}]={v};" for w, v in init.items()) + " }"]
    for number, thread in enumerate(program.threads):
        lines += [""] + c_thread(number, thread, types, c11_statement)
    return lines + ["", outcome(program, str)]


def lkmm_statement(counters):
    """counters: the words that are atomic_t."""
    def suffix(order):
        return "" if order in ("acq_rel", "seq_cst") else f"_{order}"

    def make(s, _):
        if s.op == "fence":
            return {"seq_cst": ["smp_mb();"],
                    "acq_rel": ["smp_rmb();", "smp_wmb();"]}[s.order]
        counter = s.loc in counters
        prefix = "atomic_" if counter else ""
        if s.op == "store":
            value = s.args[0].replace("+", " + ")
            if s.order in ("plain", "relaxed"):
                return [f"atomic_set({s.loc}, {value});" if counter else
                        f"WRITE_ONCE(*{s.loc}, {value});"]
            call = "atomic_set_release" if counter else "smp_store_release"
            return [f"{call}({s.loc}, {value});"] + \
                ["smp_mb();"] * (s.order == "seq_cst")
        if s.op == "load":
            if s.order in ("plain", "relaxed"):
                return [f"{s.dst} = atomic_read({s.loc});" if counter else
                        f"{s.dst} = READ_ONCE(*{s.loc});"]
            call = "atomic_read_acquire" if counter else "smp_load_acquire"
            return [f"{s.dst} = {call}({s.loc});"]
        if s.op == "add":
            return [f"{s.dst} = atomic_fetch_add{suffix(s.order)}"
                    f"({s.args[0]}, {s.loc});"]
        call = {"xchg": "xchg", "cas": "cmpxchg"}[s.op] + suffix(s.order)
        return [f"{s.dst} = {prefix}{call}({s.loc}, {', '.join(s.args)});"]
    return make


def lkmm(program):
    counters = {s.loc for t in program.threads for s in t if s.op == "add"}
    types = {w: "atomic_t" if w in counters else "int" for w in program.init}
    lines = head("C", program)
    lines += ["{ " + " ".join(f"{w}={v};" for w, v in program.init.items()) +
              " }"]
    for number, thread in enumerate(program.threads):
        lines += [""] + c_thread(number, thread, types,
                                 lkmm_statement(counters))
    return lines + ["", outcome(program, str)]


def arm_register(name, kind="W"):
    """r0 .. r9 are 0 to 9; those of the interrupt 10 to 13; 14, 15 are free."""
    number = int(name[1:])
    return kind + str({90: 10, 80: 11, 81: 12, 82: 13}.get(number, number))


def arm_statement(s, address, end):
    order = (s.order or "").partition("/")[0]
    a = "A" * (order in ("acquire", "acq_rel", "seq_cst"))
    l = "L" * (order in ("release", "acq_rel", "seq_cst"))
    dst = s.dst and arm_register(s.dst)
    if s.op == "if":
        if s.args[1] == "0":
            value, lines = dst, []
        else:
            value, lines = "W15", [f"SUB W15,{dst},#{s.args[1]}"]
        return lines + [("CBNZ" if s.args[0] == "==" else "CBZ") +
                        f" {value},{end}"]
    if s.op == "fence":
        return ["DMB ISHLD" if order == "acquire" else "DMB ISH"]
    if s.op == "store":
        source, _, number = s.args[0].rpartition("+")
        value = f"ADD W14,{arm_register(source)},#{number}" if source \
            else f"MOV W14,#{number}"
        return [value, f"{'STLR' if l else 'STR'} W14,[{address}]"]
    if s.op == "load":
        load = {"acquire": "LDAPR", "seq_cst": "LDAR"}.get(order, "LDR")
        return [f"{load} {dst},[{address}]"]
    if s.op == "cas":
        return [f"MOV {dst},#{s.args[0]}", f"MOV W14,#{s.args[1]}",
                f"CAS{a}{l} {dst},W14,[{address}]"]
    call = {"xchg": "SWP", "add": "LDADD"}[s.op]
    return [f"MOV W14,#{s.args[0]}", f"{call}{a}{l} W14,{dst},[{address}]"]


def aarch64(program):
    init = [f"{w}={v};" for w, v in program.init.items()]
    columns = []
    for number, thread in enumerate(program.threads):
        where = {w: f"X{16 + i}" for i, w in enumerate(words_of(thread))}
        init += [f"{number}:{x}={w};" for w, x in where.items()]
        column = [f"P{number}"]
        column += [f"MOV {arm_register(r)},#{UNSET}"
                   for r in registers_of(thread)]
        for s in thread:
            column += arm_statement(s, where.get(s.loc), f"L{number}")
        columns.append(column + [f"L{number}:"] *
                       any(s.op == "if" for s in thread))
    rows = max(map(len, columns))
    widths = [max(map(len, c)) for c in columns]
    lines = head("AArch64", program) + ["{ " + " ".join(init) + " }"]
    for row in range(rows):
        cells = [(c[row] if row < len(c) else "").ljust(w)
                 for c, w in zip(columns, widths)]
        lines.append(" " + " | ".join(cells) + " ;")
    return lines + [outcome(program, lambda r: arm_register(r, "X"))]


def text(language, program):
    make = {"c11": c11, "lkmm": lkmm, "aarch64": aarch64}[language]
    return "\n".join(make(program)) + "\n"
