import pytest

from data.input_error import InputError
from utils.run_folders import inference_folder, new_timestamp


def test_two_runs_in_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stamps = [new_timestamp("tube") for _ in range(3)]
    assert len(set(stamps)) == 3
    assert sorted(path.name for path in (tmp_path / "saved_model/tube").iterdir()) == sorted(stamps)


def test_exports_stay_in_their_folder():
    assert str(inference_folder("tube", "2024-01-31_12-00-00_2")) == "inference_meshes/tube/2024-01-31_12-00-00_2"
    for stamp in ("../../elsewhere", "/root", "2024-01-31_12-00-00/../..", ""):
        with pytest.raises(InputError, match="timestamp"):
            inference_folder("tube", stamp)
