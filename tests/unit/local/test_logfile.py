"""Log files that do not grow for ever."""

from pathlib import Path

from firedrill.local.logfile import LogFile, last_lines


def test_a_full_file_turns_over_between_lines(tmp_path: Path) -> None:
    """The newest lines are in the file, older ones beside it, and no line is cut."""
    path = tmp_path / "a.log"
    log = LogFile(path, most_bytes=100)
    for number in range(50):
        log.write(f"line {number:03d}\n".encode())
    log.close()
    older, newer = (tmp_path / "a.log.1").read_text(), path.read_text()
    assert newer.endswith("line 049\n")
    assert len(older) <= 110
    assert all(len(line) == 8 for line in (older + newer).splitlines())


def test_chunks_need_not_end_with_lines(tmp_path: Path) -> None:
    """A chunk may hold many lines and half of one; all of it is kept in order across the two files."""
    log = LogFile(tmp_path / "a.log", most_bytes=64)
    log.write(b"a" * 60 + b"\nbb")
    log.write(b"bb\ncc\n")
    log.close()
    assert (tmp_path / "a.log.1").read_bytes() == b"a" * 60 + b"\nbbbb\n"
    assert (tmp_path / "a.log").read_bytes() == b"cc\n"


def test_it_goes_on_where_the_last_run_ended(tmp_path: Path) -> None:
    """A restarted process appends."""
    path = tmp_path / "a.log"
    path.write_text("old\n")
    log = LogFile(path)
    log.write(b"new\n")
    log.close()
    assert path.read_text() == "old\nnew\n"


def test_a_folder_that_is_gone_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    """Whoever reads the pipe must go on reading."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    LogFile(blocked / "a.log").write(b"x\n")


def test_last_lines(tmp_path: Path) -> None:
    """The end of a file, and nothing for a missing one."""
    (tmp_path / "a.log").write_text("1\n2\n3\n")
    assert last_lines(tmp_path / "a.log", 2) == ["2", "3"]
    assert last_lines(tmp_path / "none.log", 2) == []
