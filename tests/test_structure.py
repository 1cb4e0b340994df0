"""How the house is laid out: who may import whom, how long things may be, and where the test of a thing is."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = {path.stem for path in ROOT.glob("*.py")}
# each room may import itself and these
ROOMS = {
    "data": [],
    "data/formats": ["data"],
    "data/sequences": ["data/formats", "data"],
    "data/sample_body": ["data/formats", "data"],
    "models": [],
    "utils/runs": ["models", "data", "data/formats", "data/sequences"],
}
for below, room in zip(
    ["utils/runs", "utils/predicting", "utils/showing", "utils/fitting"],
    ["utils/predicting", "utils/showing", "utils/fitting", "utils/command_line"],
    strict=True,
):
    ROOMS[room] = [below, *ROOMS[below]]
LONGEST_FILE, LONGEST_CLASS, LONGEST_FUNCTION, LONGEST_SCRIPT = 300, 120, 60, 80
# tests of what only several modules together do
TOGETHER = {
    "blender/test_extension.py",
    "data/formats/test_hostile_files.py",
    "data/formats/test_hosts.py",
    "scripts/test_inputs_of_users.py",
    "data/sequences/test_joints.py",
    "models/test_devices.py",
    "showing/test_browser.py",
}


def files_of(room):
    return sorted(path for path in (ROOT / room).glob("*.py"))


def imported(path):
    """The project's rooms, and scripts, that a file imports from anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            rooms = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
            found |= {next((room for room in rooms if room in [*ROOMS, "utils"]), parts[0])}
    return found & {*ROOMS, *SCRIPTS, "utils"}


def imported_names(path):
    """The first part of each name that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room):
    assert files_of(room)
    for path in files_of(room):
        assert imported(path) <= {room, *ROOMS[room]}, path


def test_scripts_import_no_script():
    for path in ROOT.glob("*.py"):
        assert not imported(path) & SCRIPTS, path


def test_the_extension_has_its_own_licence_and_stands_alone():
    """Blender's licence obliges it; and there is no torch, and nothing of ours, where it is installed."""
    for path in files_of("blender"):
        text = path.read_text(encoding="utf-8")
        assert "# SPDX-License-Identifier: GPL-3.0-or-later" in text, path
        assert not imported(path), path
        assert "import torch" not in text
    for path in [file for top in ("data", "models", "utils", ".") for file in (ROOT / top).glob("*.py")]:
        assert "blender" not in imported_names(path), path


def test_every_room_says_what_lives_there():
    assert files_of("utils") == [ROOT / "utils/__init__.py"]
    for room in [*ROOMS, "utils"]:
        tree = ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8"))
        assert len(ast.get_docstring(tree) or "") > 60, room
        assert not {node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}, room  # it hands on no names


def test_nothing_is_too_long():
    for path in [*ROOT.glob("*.py"), *(file for top in ("blender", "data", "models", "utils", "benchmarks", "tests")
                                       for file in (ROOT / top).rglob("*.py"))]:  # fmt: skip
        text = path.read_text(encoding="utf-8")
        limit = LONGEST_SCRIPT if path.parent == ROOT else LONGEST_FILE
        assert len(text.splitlines()) <= limit, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                longest = LONGEST_CLASS if isinstance(node, ast.ClassDef) else LONGEST_FUNCTION
                assert node.end_lineno - node.lineno < longest, f"{path}: {node.name}"


def test_a_test_is_found_by_its_path():
    tests = ROOT / "tests"
    rooms = {tests / room.removeprefix("utils/"): ROOT / room for room in [*ROOMS, "blender"]}
    for folder, room in rooms.items():
        for path in folder.glob("test_*.py"):
            name = path.relative_to(tests).as_posix()
            assert name in TOGETHER or (room / path.name.removeprefix("test_")).exists(), path
    elsewhere = {path.parent for path in tests.rglob("test_*.py")} - rooms.keys()
    assert elsewhere == {tests, tests / "scripts", tests / "benchmarks"}
