import errno
import os

import pytest

from data.safe_write import write_beside


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


def test_a_folder_that_another_process_finished_first_is_kept(tmp_path):
    path = tmp_path / "entry"
    with write_beside(path) as partial:
        partial.mkdir()
        (partial / "mine").touch()
        path.mkdir()
        (path / "theirs").touch()
    assert [file.name for file in path.iterdir()] == ["theirs"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_file(tmp_path):
    path = tmp_path / "file.txt"
    with pytest.raises(OSError, match=r"No space left on device: .*file\.txt"), write_beside(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError, match=r"8 requested and 4 written: .*file\.txt"), write_beside(path):
        raise OSError("8 requested and 4 written")  # NumPy's
    assert list(tmp_path.iterdir()) == []
