"""What people hand over, and what becomes of it: the right frames, or a line that says what to do."""

from pathlib import Path

import numpy as np
import pytest
from inputs_of_users import INPUTS
from inputs_of_users.command_lines import COMMANDS
from inputs_of_users.meshes import JOINTS, SCANS, SKINNED, Read, folder

from data.input_error import InputError
from data.sequences.descriptions import describe_sequences
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import split_windows
from data.sequences.plausibility import check_plausible


def found(name):
    """The folder or file of a name, in a list; None where there is none."""
    paths = [path for path in Path().iterdir() if path.name.partition(".")[0] == name]
    return paths or None


def looked_at(held_out):
    """What a fit looks at before it begins: the sequences, and all that is said of them."""
    sequences, _ = load_sequences(found("skin"), found("scan"), found("joints"))
    windows, _ = split_windows(sequences, 1, held_out)
    said = describe_sequences(windows.sequences)
    return sequences, [*said, *(check_plausible(sequences, 1.0) if found("scan") else [])]


@pytest.mark.parametrize(
    "name", [*INPUTS, *(pytest.param(name, marks=pytest.mark.starts_scripts) for name in COMMANDS)]
)
def test_what_people_hand_over(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    if name in COMMANDS:
        COMMANDS[name]()
        return
    make, expected = INPUTS[name]
    make()
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            looked_at(held_out=2)
        return
    expected = expected if isinstance(expected, Read) else Read(expected)
    (sequence,), said = looked_at(held_out=2)
    frames = slice(len(list(expected.numbers)))
    assert sequence.frame_numbers.tolist() == list(expected.numbers)
    assert expected.said in "\n".join(said)
    if expected.skinned is None:
        apart = np.linalg.norm(sequence.skinned - sequence.scan, axis=2), np.linalg.norm(SKINNED - SCANS, axis=2)
        np.testing.assert_allclose(*(np.sort(each) for each in apart), atol=expected.tolerance)
        return
    np.testing.assert_allclose(sequence.skinned, expected.skinned[frames], atol=expected.tolerance)
    if sequence.scan is not None and expected.with_its_scans:
        np.testing.assert_allclose(sequence.scan, SCANS[frames][sequence.scanned], atol=1e-6)
    if sequence.joints is not None:
        np.testing.assert_allclose(sequence.joints, JOINTS[frames], atol=1e-6)


def test_steps_are_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder("skin", SKINNED, numbers=range(2, 34, 2))
    folder("other", SKINNED)
    sequences, _ = load_sequences([Path("skin"), Path("other")], None)
    lines = describe_sequences(sequences)
    assert lines[0] == "skin: frames 2 to 32, 2 apart, 72 vertices"
    assert lines[-1] == "frames are 1 and 2 apart: motion per frame is not the same in all of them"
