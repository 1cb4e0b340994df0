import errno
import os
import time

import pytest

from data.safe_write import remove_leftovers, write_beside


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with write_beside(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(error), write_beside(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_killed_runs_go_after_a_day(tmp_path):
    names = [".1.pt.77.partial", ".entry.78.partial", ".2.pt.79.partial", "1.pt"]
    for name in names:
        (tmp_path / name).mkdir() if "entry" in name else (tmp_path / name).touch()
    (tmp_path / names[1] / "vertices.npy").touch()
    long_ago = time.time() - 2 * 24 * 3600
    for name in (*names[:2], "1.pt"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".2.pt.79.partial", "1.pt"]


def test_a_full_disk_names_the_file(tmp_path):
    path = tmp_path / "file.txt"
    with pytest.raises(OSError, match=r"No space left on device: .*file\.txt"), write_beside(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError, match=r"8 requested and 4 written: .*file\.txt"), write_beside(path):
        raise OSError("8 requested and 4 written")  # NumPy's
    assert list(tmp_path.iterdir()) == []
