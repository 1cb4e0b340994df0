"""What all tests share: one thread, a cache of their own, and a small tube that bends and swings."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from terminal import session
from tube import tube_frames, tube_quads, tube_scans, tube_surface_with_joints, untrained_model

from data.formats.polygons import Polygons
from data.sequences.mesh_sequence import MeshSequence


def starts_scripts(item):
    return item.get_closest_marker("starts_scripts") is not None


def pytest_collection_modifyitems(items):
    # those that take long come first, so that no process ends long after others
    items.sort(key=starts_scripts, reverse=True)


def pytest_runtest_setup(item):
    session.may_start_scripts = starts_scripts(item)


@pytest.fixture(autouse=True, scope="session")
def _environment(tmp_path_factory):
    os.environ["SKIN2SCAN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    session.folder = tmp_path_factory.mktemp("output")
    # more threads only get into each other's way on meshes this small
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


@pytest.fixture
def make_tube_sequence():
    """A function that returns a tube's `MeshSequence`, with a scan of `every` so many frames."""

    def make(num_frames=12, seed=0, every=1):
        skinned = tube_frames(num_frames, seed)
        files = [Path(f"tube_sbs.{number:05d}.obj") for number in range(1, num_frames + 1)]
        numbers = np.arange(1, num_frames + 1)
        names = [file.stem for file in files]
        polygons = Polygons.from_rows(tube_quads())
        scan = tube_scans(skinned).astype(np.float32)
        rows = np.where(np.arange(num_frames) % every == 0, np.arange(num_frames) // every, -1)
        named = "tube", numbers, files, names, polygons
        return MeshSequence(*named, skinned.astype(np.float32), scan[::every].copy(), scan_rows=rows)

    return make


@pytest.fixture(scope="session")
def tube_surface():
    return tube_surface_with_joints(0)


@pytest.fixture
def make_model(tube_surface):
    """A function that returns an auto-encoder of the tube, with weights drawn at random where `random_output`."""

    def make(random_output=False, **settings):
        return untrained_model(tube_surface, random_output, **settings)

    return make
