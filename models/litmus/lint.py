# SPDX-License-Identifier: MIT
"""Litmus tests as compilers and an assembler read them.

herd7 is not everywhere. What stands between the initial values and the
condition is C, or AArch64 assembler, so that a C compiler can tell a call that
does not exist or a brace that is missing, and an assembler an instruction.
"""

import os
import re
import shutil
import subprocess

CC = os.environ.get("CC", "cc")
ASSEMBLER = ["clang", "--target=aarch64-linux-gnu", "-march=armv8.3-a"]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-but-set-variable"]

# The kernel's names, with the types that they have there; as functions, so
# that types are checked.
KERNEL = """
typedef struct { int counter; } atomic_t;
#define READ_ONCE(x) (x)
#define WRITE_ONCE(x, v) ((x) = (v))
void smp_mb(void), smp_rmb(void), smp_wmb(void);
void smp_store_release(int *, int), atomic_set(atomic_t *, int);
void atomic_set_release(atomic_t *, int);
int smp_load_acquire(int *), atomic_read(atomic_t *);
int atomic_read_acquire(atomic_t *);
#define EACH(f) f() f(_relaxed) f(_acquire) f(_release)
#define DECLARE(order) int xchg##order(int *, int); \\
	int cmpxchg##order(int *, int, int); \\
	int atomic_xchg##order(atomic_t *, int); \\
	int atomic_cmpxchg##order(atomic_t *, int, int); \\
	int atomic_fetch_add##order(int, atomic_t *);
EACH(DECLARE)
"""


def body(test):
    """(initial values, program, condition)"""
    match = re.search(r"^\{(.*?)\}\n(.*)^exists (.*)$", test, re.S | re.M)
    return match.groups()


def check_names(name, test):
    """What the condition and the initial values name is there."""
    init, program, condition = body(test)
    words = set(re.findall(r"(?<![\w:])\[?(\w+)\]?=\d", init))
    for thread, register in re.findall(r"(\d+):(\w+)=", condition):
        at = f"P{thread}" in program and \
            re.search(rf"\b{register.replace('X', 'W')}\b", program)
        if not at:
            yield f"{name}: no {register} in P{thread}"
    for word in re.findall(r"\[(\w+)\]=\d", condition):
        if word not in words:
            yield f"{name}: {word} has no initial value"


def c_source(number, test):
    """The test's functions, as functions of one C file."""
    return re.sub(r"^P(\d)", rf"void P\1_{number}", body(test)[1], flags=re.M)


def arm_source(number, test):
    """The columns one below the other."""
    rows = [row.rstrip(";").split("|") for row in
            (line.strip() for line in body(test)[1].splitlines()) if row]
    lines = []
    for column, title in enumerate(rows[0]):
        lines.append(f"// test {number}, {title.strip()}")
        for row in rows[1:]:
            cell = row[column].strip() if column < len(row) else ""
            lines.append(re.sub(r"\bL(\d)\b", rf"L\1_{number}", cell))
    return "\n".join(lines) + "\n"


def compile_(command, source):
    done = subprocess.run(command, input=source, text=True,
                          capture_output=True, check=False)
    return [] if done.returncode == 0 else done.stderr.splitlines()[:20]


def lint(tests):
    """tests: {language: {name: text}}. (what is wrong, what was left out)"""
    wrong, left = [], []
    for texts in tests.values():
        for name, text in texts.items():
            wrong += check_names(name, text)
    heads = {"c11": "#include <stdatomic.h>\n", "lkmm": KERNEL}
    for language, start in heads.items():
        source = start + "".join(c_source(n, text) for n, text in
                                 enumerate(tests[language].values()))
        wrong += compile_([CC, "-std=gnu11", "-fsyntax-only", *WARNINGS,
                           "-xc", "-"], source)
    if shutil.which(ASSEMBLER[0]):
        source = "".join(arm_source(n, text) for n, text in
                         enumerate(tests["aarch64"].values()))
        wrong += compile_([*ASSEMBLER, "-c", "-xassembler", "-o", os.devnull,
                           "-"], source)
    else:
        left.append(f"assembler: no {ASSEMBLER[0]}")
    return wrong, left
