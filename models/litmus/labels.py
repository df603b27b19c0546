# SPDX-License-Identifier: MIT
"""Which tests fail when the order of a label is weakened.

From three places: the shapes here, by the tags of their statements; the table
of docs/ordering.md, where it names a model of models/spin with its options; the
first comment of each client in models/genmc.
"""

import glob
import os
import re

import shapes

ROOT = os.path.dirname(os.path.dirname(shapes.HERE))
TABLE = "docs/ordering.md"
LABEL = r"\b[A-Z]{2}[0-9]+\b"
OPTION = r"-D\w+(?:=\d+)?"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def rows():
    """{label: cells} of docs/ordering.md"""
    found = {}
    for line in read(TABLE).splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) > 4 and re.fullmatch(LABEL, cells[0]):
            found[cells[0]] = cells
    return found


def excuse(cells):
    """Why no test can fail without this one, or None."""
    label, site, _, without = cells[:4]
    if label.startswith("ST"):
        return "hints and figures"
    if site.startswith("kernel"):
        return "the kernel's"
    if without.startswith("Nothing"):
        return "relaxed is enough"
    return None


def state(variant):
    """{tag: what a variant does to it}"""
    made = {}
    for what in variant.changes:
        for tag in re.findall(r"[A-Z]\w*", what):
            made[tag] = made.get(tag, ()) + (what,)
    return made


def weakened(shape, variant, model):
    """The tags without whose order a variant fails: those in which alone it
    differs from a variant that does not. What has a ? is a substitute."""
    substitutes = {t for thread in shape.threads for s in thread if s.off
                   for t in s.tags}
    mine, found = state(variant), set()
    for other in shape.variants:
        if other.verdicts[model] == "OK":
            theirs = state(other)
            differs = {t for t in set(mine) | set(theirs)
                       if mine.get(t) != theirs.get(t)}
            differs = differs - substitutes or differs
            moved = any(">" in what for what in variant.changes)
            if len(differs) == 1 or moved and not theirs:
                found |= differs
    return found


def of_shapes(all_shapes):
    """{label: [(variant, models in which it is BAD)]}"""
    caught = {}
    for shape in all_shapes:
        for variant in shape.variants:
            by_label = {}
            for model in shapes.MODELS:
                if variant.verdicts[model] == "BAD":
                    for tag in weakened(shape, variant, model):
                        for label in shape.labels.get(tag, []):
                            by_label.setdefault(label, {})[model] = True
            for label, models in by_label.items():
                caught.setdefault(label, []).append(
                    (" ".join([shape.name] + variant.changes), list(models)))
    return caught


def of_spin(table):
    """{label: models with options}, as the table says; and what it says that
    models/spin/EXPECTED does not."""
    expected = {}
    for line in read("models/spin/EXPECTED").splitlines():
        words = line.lstrip("+").split()
        if words and not words[0].startswith("#"):
            expected[words[0], frozenset(words[2:])] = words[1]
    caught, unknown = {}, []
    for label, cells in table.items():
        for name, text in re.findall(r"(\w+\.pml)(.*?)(?=\w+\.pml|$)",
                                     cells[4]):
            for options in re.findall(rf"{OPTION}(?: {OPTION})*", text):
                verdict = expected.get((name, frozenset(options.split())))
                if verdict is None:
                    unknown.append(f"{TABLE}: {label}: {name} {options} is "
                                   "not in models/spin/EXPECTED")
                elif verdict == "BAD":
                    caught.setdefault(label, []).append(f"{name} {options}")
    return caught, unknown


def of_genmc():
    """{label: clients with options}"""
    caught = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "models/genmc/*.c"))):
        comment = read(path).partition("*/\n#")[0]
        for options, labels in re.findall(
                rf"^ \*\t({OPTION}(?: {OPTION})*)\s+BAD\t(.*)$", comment,
                re.M):
            for label in re.findall(LABEL, labels):
                caught.setdefault(label, []).append(
                    f"{os.path.basename(path)} {options}")
    return caught


def table():
    """(rows of (label, litmus, spin, genmc, excuse), complaints)"""
    known = rows()
    litmus = of_shapes(shapes.read_all())
    spin, wrong = of_spin(known)
    genmc = of_genmc()
    made = []
    for label, cells in known.items():
        row = (label, litmus.get(label, []), spin.get(label, []),
               genmc.get(label, []), excuse(cells))
        if not any(row[1:]):
            wrong.append(f"{TABLE}: {label}: nothing fails without it")
        made.append(row)
    for label in sorted(set(litmus) - set(known)):
        wrong.append(f"models/litmus: {label} has no row in {TABLE}")
    return made, wrong
