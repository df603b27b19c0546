# SPDX-License-Identifier: MIT
"""What the check-*.py scripts share: the tree's files, C split in code and
comments, and a list of breaches that becomes the exit status."""

import bisect
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
C_FILES = (".c", ".h", ".cc", ".cpp")
_TOKENS = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.S | re.X)
_breaches = 0


def files(*tops, suffixes=C_FILES):
    """The paths below the given directories, relative to the root."""
    for top in tops:
        for here, directories, names in os.walk(os.path.join(ROOT, top)):
            directories[:] = sorted(d for d in directories
                                    if d not in (".git", "build", "__pycache__"))
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(here, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def breach(path, line, message):
    global _breaches
    _breaches += 1
    print(f"{path}:{line}: {message}")


def finish(summary):
    name = os.path.basename(sys.argv[0])
    print(f"{name}: {summary}" + (f"; {_breaches} breaches" * bool(_breaches)))
    sys.exit(1 if _breaches else 0)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


class Comment:
    def __init__(self, first, last, text, alone):
        self.first, self.last = first, last  # lines, from 1
        self.alone = alone                   # no code before it on its line
        text = re.sub(r"^/\*+|\*/$|^//", "", text)
        self.lines = [re.sub(r"^\s*\*? ?", "", l).strip()
                      for l in text.split("\n")]


class Source:
    """A C file. `code` is the text with comments and the insides of strings
    blanked out, so that offsets and lines stay what they were."""

    def __init__(self, path):
        self.path = path
        self.text = read(path)
        self._starts = [0] + [m.end() for m in re.finditer("\n", self.text)]
        self.comments = []
        self.code = _TOKENS.sub(self._token, self.text)

    def _token(self, match):
        text = match.group()
        first = self._starts[self.line(match.start()) - 1]
        before = self.text[first:match.start()]
        if match["string"]:
            if re.match(r"\s*#\s*include\b", before):
                return text
            return text[0] + _blank(text[1:-1]) + text[-1]
        self.comments.append(Comment(self.line(match.start()),
                                     self.line(match.end() - 1), text,
                                     not before.strip()))
        return _blank(text)

    def line(self, offset):
        return bisect.bisect_right(self._starts, offset)

    def lines(self):
        """The lines of the file, without a last empty one."""
        return self.text.splitlines()

    def find(self, pattern):
        """(line, match) for each match in the code."""
        for match in re.finditer(pattern, self.code):
            yield self.line(match.start()), match

    def directives(self):
        """(line, name, rest) for each preprocessor directive."""
        for line, m in self.find(r"(?m)^[ \t]*#[ \t]*(\w+)((?:\\\n|[^\n])*)"):
            yield line, m[1], m[2].strip()

    def statements(self):
        """(first, last) lines of each statement; a directive is one."""
        spans, depth, start, at = [], 0, None, 0
        directive = re.compile(r"[ \t]*#(?:\\\n|[^\n])*")
        code = self.code
        while at < len(code):
            if at == 0 or code[at - 1] == "\n":
                match = directive.match(code, at)
                if match:
                    spans.append((at, match.end() - 1))
                    at = match.end()
                    continue
            c = code[at]
            if start is None and not c.isspace():
                start = at
            depth += (c == "(") - (c == ")")
            if c == ":" and depth == 0 and re.fullmatch(
                    r"case\b.*|\w+\s*", code[start:at], re.S):
                start = None  # a label is not part of the statement
            if c in ";{}" and depth <= 0:
                spans.append((start or at, at))
                start, depth = None, 0
            at += 1
        return [(self.line(a), self.line(b)) for a, b in sorted(spans)]
