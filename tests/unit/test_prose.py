"""The prose check finds the phrases that are hard to read, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import prose

BAD = [
    "It is sent with ALL alone.",
    "How a number's privacy shall be.",
    "`x` is no number of seconds.",
    "It is none; the message shows nothing.",
    "Send to the phone what became of the task.",
    "The log tells.",
    "The team was told.",
    "A list, or a text that holds JSON.",
    "Calls are made again.",
    "A failed call is tried again.",
    "Only what may be done twice.",
    "Made anew for every task.",
    "The list is put back.",
    "Whoever hides it sees nothing.",
    "Two cases, of which none applies.",
    "The list of exceptions is read.",
    "The exceptions list is read.",
    "It is a string where a list of contacts is due.",
    "The token stands in no log.",
    "A number from 0 on.",
    "Secrets in clear.",
    "Another value than CONTACTS.",
    "As the caller wishes.",
]
GOOD = [
    "Settings that are left out are left alone. A stand-alone program.",
    "There is no call that reads a value. It is no longer used.",
    "The value is None. `alone`, ``shall`` and [a link](what/alone.md) are code.",
    "The text file, a text editor, the text of the license.",
    "Python's exceptions; the exceptions module; a list of errors.",
    "A subscription that is due on Monday.",
    "This class stands in for the network.",
    "Counted from 0 onwards, allowance, wishing, retold.",
]


@pytest.mark.parametrize("sentence", BAD)
def test_a_phrase_that_is_hard_to_read_is_found(sentence: str) -> None:
    assert [find.line for find in prose.finds_in(f"# Title\n\n{sentence}\n", "page.md")] == [3]


@pytest.mark.parametrize("sentence", GOOD)
def test_a_plain_sentence_is_not_found(sentence: str) -> None:
    assert prose.finds_in(sentence, "page.md") == []


def test_every_phrase_has_an_example() -> None:
    found = {find.instead for sentence in BAD for find in prose.finds_in(sentence, "page.md")}
    assert {instead for _, instead in prose.PHRASES} - found == {"a word of today", "does not know"}


def test_a_phrase_across_a_line_break_is_found() -> None:
    [find] = prose.finds_in("It is\nno number.", "page.md")
    assert (find.line, find.phrase) == (1, "is\nno".replace("\n", " "))


def test_code_on_a_page_is_not_prose() -> None:
    page = "```python\n# alone\n```\n\n- item\n\n  ```bash\n  echo alone\n  ```\n\n<!-- alone -->\nLast: alone\n"
    assert [find.line for find in prose.finds_in(page, "page.md")] == [12]


def test_comments_docstrings_and_sentences_of_python_are_prose_and_names_are_not() -> None:
    code = (
        '"""Values alone."""\n\nalone = "shall"\nKEY = {"texts": alone}\n'
        'print(f"{alone} is no number")\n#: It stands\n#: in the log.\n'
    )
    finds = prose.finds_in(code, "module.py")
    assert sorted((find.line, find.phrase.lower()) for find in finds) == [(1, "alone"), (5, "is no")]
    assert prose.finds_in("x = 1  # it is done, shall it be\n", "module.py")[0].line == 1


def test_a_find_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("Alone.\n")
    assert prose.main([str(page)]) == 1
    assert capsys.readouterr().out == f"{page}:1: 'Alone': write only\n"
    page.write_text("Only.\n")
    assert prose.main([str(page)]) == 0


def test_the_project_has_no_finds() -> None:
    done = subprocess.run([sys.executable, "-m", "scripts.prose"], capture_output=True, text=True, cwd=prose.PROJECT)
    assert (done.returncode, done.stdout) == (0, "")
