"""Look for phrases that make a page hard to read. `make lint` and ``python -m scripts.prose FILE ...`` run it.

It reads the prose of the project: Markdown without its code, and the comments, docstrings and sentences of Python
files. Each phrase comes with a simpler one to write instead. Spelling is checked by `codespell`.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PHRASES", "Find", "finds_in", "main"]

PROJECT = Path(__file__).resolve().parents[1]

#: Files that quote the phrases.
QUOTING = {"scripts/prose.py", "tests/unit/test_prose.py"}

#: A phrase as a regular expression, and what to write instead.
PHRASES: tuple[tuple[str, str], ...] = (
    (r"(?<!let )(?<!leave )(?<!leaves )(?<!left )(?<!stand-)alone", "only"),
    (r"shall", "must, should"),
    (r"(?<!there )(?:is|are) no(?! longer\b| more\b)", "is not, does not"),
    (r"(?:it|that|they) (?:is|are) (?-i:none)", "is not one"),
    (r"knows? no(?! more\b)", "does not know"),
    (r"what bec(?:a|o)mes? of", "the result of"),
    (r"tells|told(?!:)", "says, shows"),
    (r"a text(?! (?:editor|file)\b)|texts", "a string, strings"),
    (r"(?:made|makes?|done|does|do) again", "retried, retries"),
    (r"(?:is|are|be|not) tried again", "is retried"),
    (r"(?:be|is) done twice", "idempotent"),
    (r"anew", "again"),
    (r"put(?:s|ting)? (?:\w+ )?back", "restore"),
    (r"whoever", "anyone who"),
    (r"of (?:which|whom) (?:none|all|some|each)", "a sentence of its own"),
    (r"(?:lists? of|lists?'s?|the) exceptions(?= list)?(?! (?:tree|module))|exceptions? lists?", "excluded contacts"),
    (r"where an? [\w -]{1,40} is due", "must be"),
    (r"stands? (?:in|beside|below|above|where|before|under)(?! for\b)", "is in"),
    (r"from [0-9]+ on", "of at least"),
    (r"in clear", "in plain text"),
    (r"(?:an)?other [\w-]+ than", "other than, after the noun"),
    (r"wish(?:es)?", "request, setting"),
    (r"hitherto|thereof|thereby|wherein|whence|whereby|unasked|for ever", "a word of today"),
)

_PHRASE = re.compile("|".join(rf"(?P<p{number}>\b(?:{phrase})\b)" for number, (phrase, _) in enumerate(PHRASES)), re.I)

#: The parts of Markdown that are not prose: code blocks, inline code, the targets of links, and comments.
_MARKUP = re.compile(r"^( *)(```+).*?^\1\2 *$|`[^`\n]+`|(?<=\])\([^)\s]*\)|<!--.*?-->", re.MULTILINE | re.DOTALL)
#: The parts of a docstring or a comment that are not prose.
_CODE = re.compile(r"``[^`]+``|`[^`]+`")


@dataclass(frozen=True)
class Find:
    """A phrase to avoid, where it is, and what to write instead."""

    path: str
    line: int
    phrase: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.phrase!r}: write {self.instead}"


def finds_in(text: str, path: str) -> list[Find]:
    """Return the phrases to avoid in a file, in order.

    :param path: its extension decides how the file is read
    """
    pieces = _python(text) if path.endswith(".py") else [(1, _blank(_MARKUP, text))]
    return [find for line, prose in pieces for find in _finds(prose, path, line)]


def _finds(prose: str, path: str, first: int) -> Iterator[Find]:
    # A phrase may continue on the next line.
    for match in _PHRASE.finditer(re.sub(r"\s", " ", prose)):
        number = next(int(name[1:]) for name, found in match.groupdict().items() if found)
        line = first + prose.count("\n", 0, match.start())
        yield Find(path, line, match[0], PHRASES[number][1])


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """Replace all matches with underscores, and keep the line breaks."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", "_", match[0]), text)


def _python(text: str) -> Iterator[tuple[int, str]]:
    """Yield the prose of a Python file: each comment, and each string with a space, with its line."""
    block: list[str] = []
    start, last = 1, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield start, _blank(_CODE, "\n".join(block))
                block, start = [], token.start[0]
            block.append(token.string)
            last = token.start[0]
    yield start, _blank(_CODE, "\n".join(block))
    tree = ast.parse(text)
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "_" for part in node.values]
            yield node.lineno, _blank(_CODE, "".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            # A word without a space is a name or a key.
            yield node.lineno, _blank(_CODE, node.value) if " " in node.value.strip() else ""


def _files() -> list[str]:
    command = ["git", "ls-files", "*.md", "*.py"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=PROJECT).stdout.split("\n")
    return [path for path in listed if path and path not in QUOTING and (PROJECT / path).exists()]


def main(arguments: list[str] | None = None) -> int:
    """Search the files, print the finds, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.prose", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", help="the files to search; by default all files of the project")
    files = parser.parse_args(arguments).files or _files()
    found = [find for path in files for find in finds_in((PROJECT / path).read_text(), path)]
    print("".join(f"{find}\n" for find in found), end="")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
