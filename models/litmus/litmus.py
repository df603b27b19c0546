#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Litmus tests for the labels of docs/ordering.md.

    litmus.py check [SHAPE...]   verdicts by check.py, lint of the files,
                                 labels, the table in README.md
    litmus.py herd7 [SHAPE...]   verdicts by herd7
    litmus.py write DIRECTORY    the files, and EXPECTED with their verdicts
    litmus.py labels [LABEL...]  what fails without each label's order
    litmus.py table              README.md's table
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import check
import labels
import lint
import shapes
import write

README = os.path.join(shapes.HERE, "README.md")
# The models' own places: herd7 has RC11 and AArch64; the kernel's is in its
# tree, tools/memory-model.
HERD7 = os.environ.get("HERD7", "herd7")
LKMM = os.environ.get("LKMM", "")
OPTIONS = {"c11": ["-model", "rc11.cat"], "aarch64": [],
           "lkmm": ["-I", LKMM, "-conf", "linux-kernel.cfg"]}


def chosen(names):
    everything = shapes.read_all()
    unknown = set(names) - {s.name for s in everything}
    if unknown:
        sys.exit(f"no such shape: {' '.join(sorted(unknown))}")
    return [s for s in everything if not names or s.name in names]


def variants(names):
    """(shape, variant, its programs)"""
    for shape in chosen(names):
        for variant in shape.variants:
            yield shape, variant, list(shapes.programs(shape, variant))


def wanted(variant, models):
    return [m for m in models if variant.verdicts[m] != "-"]


def title(shape, variant):
    return " ".join([shape.name] + variant.changes)


def merge(results, models):
    """A variant is BAD when one of its programs is."""
    return {m: "BAD" if any(r[m] == "BAD" for r in results) else "OK"
            for m in models}


def report(shape, variant, seen):
    """Prints one variant; True when it is as expected."""
    expected = {m: variant.verdicts[m] for m in seen}
    result = "pass" if seen == expected else "FAIL"
    words = "  ".join(f"{m} {v}" + (f", not {expected[m]}"
                                    if v != expected[m] else "")
                      for m, v in seen.items())
    print(f"{result}  {title(shape, variant):38} {words}")
    return seen == expected


def run_check(names):
    wrong = passed = count = 0
    for shape, variant, programs in variants(names):
        models = wanted(variant, shapes.MODELS)
        results = [check.verdicts(p, models) for p in programs]
        fine = report(shape, variant, merge(results, models))
        passed, wrong = passed + fine, wrong + (not fine)
        count += len(programs)
    complaints, left = lint.lint(tests(names))
    if not names:
        complaints += labels.table()[1]
        if table() not in open(README, encoding="utf-8").read():
            complaints.append("models/litmus/README.md: its table is not what "
                              "litmus.py table prints")
    for line in complaints:
        print(line)
    for line in left:
        print(f"skipped: {line}")
    print(f"{passed} variants passed, {wrong} failed; {count} programs, "
          f"{len(complaints)} complaints")
    return wrong == 0 and not complaints


def tests(names):
    """{language: {name: text}}"""
    made = {language: {} for language in write.LANGUAGES}
    for _, variant, programs in variants(names):
        for language in wanted(variant, write.LANGUAGES):
            for program in programs:
                made[language][program.name] = write.text(language, program)
    return made


def run_write(directory):
    for language, texts in tests([]).items():
        os.makedirs(os.path.join(directory, language), exist_ok=True)
        for name, text in texts.items():
            path = os.path.join(directory, language, name + ".litmus")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    with open(os.path.join(directory, "EXPECTED"), "w", encoding="utf-8") as f:
        f.write("# variant c11 aarch64 lkmm: its files are VARIANT.litmus, or "
                "VARIANT+at*.litmus,\n# of which one at least is BAD\n")
        for shape, variant, _ in variants([]):
            name = "+".join(filter(None, (shape.name, variant.name)))
            print(name, *(variant.verdicts[l] for l in write.LANGUAGES),
                  file=f)


def by_herd7(language, text, directory):
    """OK or BAD, or None when herd7 says neither."""
    path = os.path.join(directory, "test.litmus")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run([*shlex.split(HERD7), *OPTIONS[language], path],
                          capture_output=True, text=True, check=False)
    seen = re.search(r"^Observation \S+ (Never|Sometimes|Always)",
                     done.stdout, re.M)
    if done.returncode or not seen:
        print(done.stdout + done.stderr)
        return None
    race = re.search(r"^(Flag|Undef)", done.stdout, re.M)
    return "BAD" if race or seen[1] != "Never" else "OK"


def run_herd7(names):
    languages = [l for l in write.LANGUAGES if l != "lkmm" or LKMM]
    if not LKMM:
        print("skipped: lkmm, as LKMM does not name the kernel's "
              "tools/memory-model")
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        for shape, variant, programs in variants(names):
            models = wanted(variant, languages)
            results = [{m: by_herd7(m, write.text(m, p), directory)
                        for m in models} for p in programs]
            lost = any(None in r.values() for r in results)
            fine = report(shape, variant, merge(results, models))
            failed += lost or not fine
    print(f"{failed} variants failed with herd7")
    return failed == 0


def run_labels(names):
    for label, litmus, spin, genmc, excuse in labels.table()[0]:
        if names and label not in names:
            continue
        for variant, models in litmus:
            print(label, "litmus", variant, ",".join(models), sep="\t")
        for kind, found in (("spin", spin), ("genmc", genmc)):
            for test in found:
                print(label, kind, test, sep="\t")
        if excuse and not (litmus or spin or genmc):
            print(label, "-", excuse, sep="\t")


def table():
    lines = ["| shape | variant | C11 | AArch64 | LKMM | x86 |",
             "|---|---|---|---|---|---|"]
    for shape in shapes.read_all():
        named = f"{shape.name}: {shape.title}"
        for variant in shape.variants:
            what = " ".join(variant.changes)
            what = f"`{what}`" if what else ""
            verdicts = " | ".join(variant.verdicts[m] for m in shapes.MODELS)
            lines.append(f"| {named} | {what} | {verdicts} |")
            named = ""
    return "\n".join(lines) + "\n"


def main(command="", *names):
    if command == "check":
        return run_check(names)
    if command == "herd7" and not shutil.which(shlex.split(HERD7)[0]):
        print("skipped: no herd7 on the PATH")
        return True
    if command == "herd7":
        return run_herd7(names)
    if command == "write" and len(names) == 1:
        run_write(names[0])
    elif command == "labels":
        run_labels(names)
    elif command == "table" and not names:
        print(table(), end="")
    else:
        sys.exit(__doc__.strip())
    return True


sys.exit(0 if main(*sys.argv[1:]) else 1)
