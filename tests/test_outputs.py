"""outputs/ as an admin reads and clears it: our files, and nothing else that lies in the folder or beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from outputs import MAX_LINES, MAX_READ_BYTES, clear_outputs, list_outputs, open_outputs, read_tail, search_outputs

SECRET = "CODE1234"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files of ours, and a secret everywhere else."""
    folder = tmp_path / "outputs"
    (folder / "mail").mkdir(parents=True)
    (folder / "stdout_a.txt").write_text("first line\nSecond Line\n")
    (folder / "stderr_a.txt").write_text("a warning\n")
    (folder / "stdout_empty.txt").touch()
    for name in ("mail/1.eml", "mail/stdout_x.txt", "../stdout_b.txt", "notes.txt", "stdout_a.log", "stdout_ü.txt"):
        (folder / name).write_text(SECRET)
    (folder / "stdout_link.txt").symlink_to(folder / "mail" / "1.eml")
    return folder


def test_only_our_files_with_something_in_them_are_listed(folder: Path) -> None:
    assert {output.name for output in list_outputs(folder)} == {"stdout_a.txt", "stderr_a.txt"}
    assert read_tail(folder, "stdout_a.txt") == "first line\nSecond Line\n"


@pytest.mark.parametrize(
    "name",
    [
        *("mail/1.eml", "mail/stdout_x.txt", "../stdout_b.txt", "../outputs/mail/1.eml", "notes.txt", "stdout_a.log"),
        *(
            "stdout_link.txt",
            "stdout_ü.txt",
            "",
            ".",
            "..",
            "/etc/passwd",
            "stdout_a.txt/../mail/1.eml",
            "stdout_*.txt",
        ),
        *("stdout_a.txt\0", "stdout_a.txt\n"),
    ],
)
def test_no_other_file_is_read_whatever_it_is_called(folder: Path, name: str) -> None:
    assert read_tail(folder, name) == ""


def test_a_search_finds_lines_whatever_their_case_and_nothing_of_the_mails(folder: Path) -> None:
    assert search_outputs(folder, "second LINE") == [("stdout_a.txt", "Second Line")]
    assert search_outputs(folder, SECRET) == []


def test_no_more_is_read_than_a_page_can_show(folder: Path) -> None:
    (folder / "stdout_a.txt").write_text("".join(f"line {number}\n" for number in range(50_000)))
    tail = read_tail(folder, "stdout_a.txt")
    assert len(tail) <= MAX_READ_BYTES
    assert tail.startswith("line ")
    assert tail.endswith("line 49999\n")
    assert len(search_outputs(folder, "line")) == MAX_LINES


@pytest.mark.parametrize("is_in_use", [True, False])
def test_clearing_leaves_everything_else_and_a_process_goes_on_writing(folder: Path, *, is_in_use: bool) -> None:
    stdout, stderr = open_outputs(folder)
    with stdout, stderr:
        stdout.write(b"before\n")
        stdout.flush()
        clear_outputs(folder, is_in_use=is_in_use)
        assert list_outputs(folder) == []
        stdout.write(b"after\n")
        stdout.flush()
    assert [read_tail(folder, output.name) for output in list_outputs(folder)] == ["after\n"] * is_in_use
    assert (folder / "stdout_a.txt").exists() == is_in_use
    assert (folder / "mail" / "1.eml").read_text() == SECRET
    assert (folder / "notes.txt").read_text() == SECRET
