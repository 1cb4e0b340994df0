import pytest
import torch

import fit_mesh
from data.input_error import InputError
from models.model_settings import ModelSettings
from utils.command_line import arguments
from utils.command_line.arguments import choose_device, choose_settings

FIT = ["-src", "a", "-tar", "b"]


def test_defaults():
    args = fit_mesh.parse_arguments(FIT)
    assert choose_settings(args, None) == ModelSettings(32, 12, 6, 1, "local", "y")
    assert (args.num_frames, args.mini_batch_size, args.model_type) == (60, 32729, "without_joints")
    assert (args.num_epochs, args.epoch_save_interval, args.num_inference_meshes) == (2, 1, 2)
    assert (args.load_saved_model, args.units) == (False, None)


def test_the_checkpoint_decides_and_contradictions_name_both():
    stored = ModelSettings(latent_size=7, num_condition_frames=3)
    assert choose_settings(fit_mesh.parse_arguments(FIT), stored) == stored
    assert choose_settings(fit_mesh.parse_arguments([*FIT, "-n_cond", "3"]), stored) == stored
    with pytest.raises(InputError, match="--num_condition_frames: found 2, expected 3 as in the checkpoint"):
        choose_settings(fit_mesh.parse_arguments([*FIT, "-n_cond", "2"]), stored)


def test_devices(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device(None) == torch.device("cpu")
    assert "no CUDA device" in capsys.readouterr().out
    with pytest.raises(InputError, match="--device: found cuda:0, expected one of those there are: cpu"):
        choose_device("cuda:0")
    with pytest.raises(InputError, match="found banana"):
        choose_device("banana")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device(None) == torch.device("cuda:0")
    assert choose_device("cuda") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match="cuda:0, cuda:1, cpu"):
        choose_device("cuda:2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_device(None) == torch.device("cuda:1")
    monkeypatch.setattr(arguments, "num_processes", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    assert choose_device("cuda") == torch.device("cuda:1")
    with pytest.raises(InputError, match="found cuda:0, expected cuda or nothing"):
        choose_device("cuda:0")
