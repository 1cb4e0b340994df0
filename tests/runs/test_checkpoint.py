import errno
import os
import pickle
import zipfile

import pytest
import torch
from tube import save_untrained

from data.input_error import InputError
from models.leverage import LARGEST_DOUBT
from utils.runs.checkpoint import FORMAT, build_model, find_checkpoint, load_checkpoint, newest_checkpoint


def test_a_model_comes_back_without_any_data(make_model, tmp_path):
    model = make_model(random_output=True, num_condition_frames=3, latent_size=7)
    model.linear.smoothing_steps = 2
    path = tmp_path / "1.pt"
    save_untrained(path, model, timestamp="2026-01-31_12-00-00_2")
    stored = load_checkpoint(path)
    assert stored["timestamp"] == "2026-01-31_12-00-00_2"
    again = build_model(stored, path)
    assert again.settings == model.settings
    assert again.linear.smoothing_steps == 2
    window = model.surface.vertices.expand(2, 3, -1, -1).contiguous()
    assert torch.equal(again.predict(window), model.predict(window))


class Exploit:
    """Unpickled, it runs a command."""

    def __reduce__(self):
        return os.system, ("touch exploited",)


def pack(source, target):
    """Write a checkpoint's zip archive anew, compressed."""
    with zipfile.ZipFile(source) as stored, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))


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
    torch.save({"format": Exploit()}, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(model, tmp_path / "module.pt")
    torch.save(model.state_dict(), tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"format": FORMAT, "model": torch.zeros(10_000_000)}, tmp_path / "large.pt")
    pack(tmp_path / "large.pt", tmp_path / "packed.pt")
    assert (tmp_path / "packed.pt").stat().st_size < 100_000
    (tmp_path / "folder.pt").mkdir()
    reasons = dict.fromkeys(("truncated", "empty", "text", "pickle", "legacy"), "not a whole checkpoint")
    reasons |= dict.fromkeys(("folder", "missing"), "no such file")
    reasons |= {"exploit": "it asks for posix.system", "module": "it asks for models.mesh_autoencoder.MeshAutoencoder"}
    reasons |= {
        "other": "found None, expected",
        "list": "found 'list', expected",
        "packed": "expected them as they are",
    }
    for name, reason in reasons.items():
        with pytest.raises(InputError, match=rf"{name}\.pt: .*{reason}") as caught:
            load_checkpoint(tmp_path / f"{name}.pt")
        assert "weights_only" not in str(caught.value)  # torch's own message advises to load it unsafely
    assert not (tmp_path / "exploited").exists()


@pytest.fixture
def stored(make_model, tmp_path):
    save_untrained(tmp_path / "1.pt", make_model(num_condition_frames=3))
    return load_checkpoint(tmp_path / "1.pt")


@pytest.mark.parametrize("name", ["settings", "model", "model_type", "timestamp", "options", "optimizer", "progress"])
def test_a_part_that_is_missing_or_something_else(stored, tmp_path, name):
    path = tmp_path / "changed.pt"
    for found, change in (("nothing", {}), ("list", {name: [1]})):
        torch.save({key: value for key, value in stored.items() if key != name} | change, path)
        with pytest.raises(InputError, match=rf"changed\.pt: found {found} as its {name}, expected a"):
            load_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model_type", "../../etc", "found '../../etc' as its model_type"),
        ("model_type", "/root", "found '/root' as its model_type"),
        ("timestamp", "..", "found '..' as its timestamp"),
        ("timestamp", "2024-01-31_12-00-00/../..", "as its timestamp"),
        ("progress", {"epoch": 1}, "found nothing as its step"),
        ("progress", {"epoch": -1}, "a progress that no training run writes"),
        ("progress", {"curves": {"reconstruction": [["a", 1.0]]}}, "a progress that no training run writes"),
        ("progress", {"curves": {"reconstruction": []}}, "a progress that no training run writes"),
        ("progress", {"history": [1]}, "a progress that no training run writes"),
        ("progress", {"recent": {"reconstruction": torch.zeros(5)}}, "a progress that no training run writes"),
        ("optimizer", {"state": torch.zeros(1).expand(10**12)}, "not stored in full"),
        ("model", {"embedding": torch.eye(3).to_sparse()}, "not stored in full"),
        ("model", {"embedding": torch.zeros(3, device="meta")}, "not stored in full"),
        ("record", {"commit": torch.zeros(1)}, "a record that no training run writes"),
        ("options", {"units": torch.zeros(1)}, "an? options that no training run writes"),
        ("progress", {"history": [{}]}, "a progress that no training run writes"),
        ("progress", {"more": 1}, "a progress that no training run writes"),
    ],
)
def test_parts_that_no_run_writes(stored, tmp_path, name, value, message):
    if name == "progress" and len(value) == 1 and value != {"epoch": 1}:
        value = stored[name] | value
    torch.save(stored | {name: value}, tmp_path / "changed.pt")
    with pytest.raises(InputError, match=message):
        load_checkpoint(tmp_path / "changed.pt")


def test_a_list_that_holds_itself(stored, tmp_path):
    endless = []
    endless.append(endless)
    torch.save(stored | {"record": {"commit": endless}}, tmp_path / "changed.pt")
    with pytest.raises(InputError, match="a record that no training run writes"):
        load_checkpoint(tmp_path / "changed.pt")
    torch.save(stored | {"optimizer": {"state": endless}}, tmp_path / "changed.pt")
    load_checkpoint(tmp_path / "changed.pt")  # the optimizer refuses it


def outside(name, index):
    """A change of a model's state: an index that is none."""

    def change(state):
        state[name][(0,) * state[name].ndim] = index

    return change


def test_what_was_not_known_earlier(stored, tmp_path):
    del stored["settings"]["past"], stored["settings"]["answer_seen"]
    del stored["model"]["leverage.reached"], stored["model"]["leverage.moving_share"]
    stored["model"]["leverage.doubt"] = torch.tensor(100.0)
    torch.save(stored, tmp_path / "earlier.pt")
    model = build_model(load_checkpoint(tmp_path / "earlier.pt"), tmp_path / "earlier.pt")
    assert (model.settings.past, model.settings.answer_seen) == ("fading", False)
    assert (model.leverage.share_of_network(torch.full((2, len(model.leverage.reached)), 1e6)) == 1).all()
    assert model.leverage.doubt == torch.tensor(LARGEST_DOUBT)
    assert (model.leverage.moving_share == 0).all()


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"latent_size": 5}, None, "expected"),
        ({"latent_size": 10**9}, None, "expected"),  # nothing of that size is built
        ({"num_embeddings": 2**31 - 1}, None, "expected"),
        ({"num_condition_frames": 2**31 - 1}, None, "."),
        ({"num_experts": 10**8}, None, "100000000 experts"),
        ({"num_experts": 10**30}, None, "num_experts is 10+"),
        ({"num_experts": 0}, None, "num_experts is 0"),
        ({"num_experts": 2.0}, None, "num_experts is 2.0"),
        ({"num_experts": True}, None, "num_experts is True"),
        ({"up_axis": "w"}, None, "w up"),
        ({"coordinates": "polar"}, None, "polar coordinates"),
        ({"colour": "red"}, None, "colour"),
        ({"left_out": ("joints", "motion")}, None, "left_out is"),
        ({"left_out": ([],)}, None, "left_out is"),
        ({"answer_seen": True, "coordinates": "world"}, None, "answer_seen in world"),
        ({"left_out": ("oscillators of 5 frames",)}, None, "expected"),
        ({}, lambda state: state.clear(), "6 experts in 0 weights"),
        ({}, lambda state: state.pop("decoder.gate.bias"), "decoder.gate.bias: nothing, expected"),
        ({}, lambda state: state.update(more=torch.zeros(1)), "more: .* expected nothing"),
        ({}, lambda state: state.update(up="y"), "no tensors"),
        ({}, lambda state: state.update(up=torch.zeros(3, dtype=torch.float64)), "up: .*float64"),
        ({}, lambda state: state["embedding"].fill_(torch.nan), "embedding holds numbers that are not finite"),
        ({}, lambda state: state.update({"surface.vertices": torch.zeros(5, 3)}), "tangent_ends of shape"),
        ({}, lambda state: state["linear._extra_state"].fill_(10**9), "1000000000 smoothing steps, expected 0 to 2"),
        ({}, outside("surface.faces", 72), "faces with an index of 72, expected 0 to 71"),
        ({}, outside("surface.tangent_ends", -1), "tangent_ends with an index of -1"),
        ({}, outside("surface.nearest_anchors", 10**12), "nearest_anchors with an index of 10+"),
    ],
)
def test_parts_that_do_not_fit_together(stored, tmp_path, settings, change, message):
    stored["settings"] |= settings
    if change:
        change(stored["model"])
    with pytest.raises(InputError, match=rf"1\.pt: settings and weights do not fit together \(.*{message}"):
        build_model(stored, tmp_path / "1.pt")


def test_a_failed_save_leaves_the_old_file(make_model, tmp_path, monkeypatch):
    path = tmp_path / "1.pt"
    save_untrained(path, make_model())
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*1\.pt"):
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
