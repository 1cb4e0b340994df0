import os
import pickle

import pytest
import torch
from conftest import save_untrained

from data.input_error import InputError
from utils.checkpoint import build_model, find_checkpoint, load_checkpoint, newest_checkpoint


def test_a_model_comes_back_without_any_data(make_model, tmp_path):
    model = make_model(random_output=True, num_condition_frames=3, latent_size=7)
    path = tmp_path / "1.pt"
    save_untrained(path, model, timestamp="now")
    stored = load_checkpoint(path)
    assert stored["timestamp"] == "now"
    again = build_model(stored, path)
    assert again.settings == model.settings
    window = model.surface.vertices.expand(2, 3, -1, -1).contiguous()
    assert torch.equal(again.predict(window), model.predict(window))


class Exploit:
    def __reduce__(self):
        return os.mkdir, ("exploited",)


def test_files_that_are_no_checkpoint(make_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = make_model()
    save_untrained(tmp_path / "good.pt", model)
    good = (tmp_path / "good.pt").read_bytes()
    (tmp_path / "truncated.pt").write_bytes(good[: len(good) // 2])
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pt").write_text("v 0 0 0\n")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(Exploit()))
    torch.save({"format": Exploit()}, tmp_path / "exploit.pt")
    torch.save(model, tmp_path / "module.pt")
    torch.save(model.state_dict(), tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "folder.pt").mkdir()
    for name in ("truncated", "empty", "text", "pickle", "exploit", "module", "other", "list", "folder", "missing"):
        with pytest.raises(InputError, match=rf"{name}\.pt: .*"):
            load_checkpoint(tmp_path / f"{name}.pt")
    assert not (tmp_path / "exploited").exists()


@pytest.mark.parametrize("name", ["settings", "model", "model_type", "timestamp", "options", "optimizer", "progress"])
def test_a_part_that_is_missing_or_something_else(make_model, tmp_path, name):
    path = tmp_path / "1.pt"
    save_untrained(path, make_model())
    stored = load_checkpoint(path)
    for found, change in (("nothing", {}), ("list", {name: [1]})):
        torch.save({key: value for key, value in stored.items() if key != name} | change, path)
        with pytest.raises(InputError, match=rf"1\.pt: found {found} as its {name}, expected a"):
            load_checkpoint(path)


def test_parts_that_do_not_fit_together(make_model, tmp_path):
    path = tmp_path / "1.pt"
    save_untrained(path, make_model())
    stored = load_checkpoint(path)
    for change in ({"settings": {"latent_size": 5}}, {"settings": {"colour": "red"}}, {"model": {}}):
        with pytest.raises(InputError, match=r"1\.pt"):
            build_model(stored | change, path)


def test_a_failed_save_leaves_the_old_file(make_model, tmp_path, monkeypatch):
    path = tmp_path / "1.pt"
    save_untrained(path, make_model())
    before = path.read_bytes()

    def full(_, file):
        file.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"failed writing file: .*1\.pt"):
        save_untrained(path, make_model())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_newest_is_the_farthest_of_the_last_run(tmp_path):
    with pytest.raises(InputError, match="no checkpoint found"):
        newest_checkpoint(tmp_path)
    runs = {
        "2024-01-01_00-00-00": ["30.pt"],
        "2024-01-02_00-00-00": ["2.pt", "10.pt", "10_7.pt", "9_50.pt", ".11.pt.77.partial", "notes.pt"],
        "2024-01-03_00-00-00": [],
    }
    for run, names in runs.items():
        (tmp_path / run).mkdir()
        for name in names:
            (tmp_path / run / name).touch()
    assert newest_checkpoint(tmp_path) == tmp_path / "2024-01-02_00-00-00" / "10_7.pt"
    assert find_checkpoint(tmp_path) == newest_checkpoint(tmp_path)
    run = tmp_path / "2024-01-01_00-00-00"
    assert find_checkpoint(run) == find_checkpoint(run / "30.pt") == run / "30.pt"
    with pytest.raises(InputError, match="no checkpoint found"):
        find_checkpoint(tmp_path / "2024-01-03_00-00-00")
