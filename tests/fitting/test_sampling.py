import numpy as np
import pytest
import torch
from tube import tube_surface_with_joints

from data.sequences.mesh_windows import all_windows
from models import controls
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from utils.fitting import sampling
from utils.fitting.progress import TrainingOptions
from utils.fitting.sampling import SHUFFLED_VERTICES, WHOLE_MESHES, Block, TrainingSamples, plan_epoch, read_ahead
from utils.predicting.model_inputs import Samples, read_inputs, read_meshes
from utils.runs import processes


def test_an_epoch_shows_every_frame_equally_often(monkeypatch):
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 1)
    blocks = plan_epoch(num_training=23, samples_per_frame=10, num_frames=5, samples_per_step=20, seed=0, epoch=0)
    assert sorted(np.concatenate([block.frames for block in blocks]).tolist()) == list(range(23))
    assert [len(block.frames) for block in blocks] == [5, 5, 5, 5, 3]
    assert [block.num_steps for block in blocks] == [2, 2, 2, 2, 2]  # 50 vertices in steps of about 20
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 27)
    longer = plan_epoch(num_training=23, samples_per_frame=10, num_frames=5, samples_per_step=20, seed=0, epoch=0)
    assert sum(block.num_steps for block in longer) == 30
    assert np.bincount(np.concatenate([block.frames for block in longer])).tolist() == [3] * 23
    assert len({tuple(block.seed) for block in longer}) == 15


def test_plans_follow_from_seed_and_epoch_alone():
    def frames(seed, epoch):
        return np.concatenate([block.frames for block in plan_epoch(40, 10, 60, 1000, seed, epoch)]).tolist()

    assert frames(0, 1) == frames(0, 1)
    assert frames(0, 1) != frames(0, 2)
    assert frames(0, 1) != frames(1, 1)


def read_steps(sampling, model, windows, frames, num_steps):
    block, device = Block(frames, num_steps, [0, 0, 0]), torch.device("cpu")
    parts = sampling.parts(block, len(model.surface.vertices), device)
    meshes = (read_meshes(model, windows, part, device) for part in parts)
    return list(sampling.steps(sampling.gather(model, meshes, sum(map(len, parts))), block))


def test_a_block_holds_each_vertex_sample_once(make_model, make_tube_sequence):
    model = make_model(num_condition_frames=2)
    windows = all_windows([make_tube_sequence(11)], 2)
    frames = np.array([7, 3, 10, 0, 1, 2, 9, 8, 5])
    steps = read_steps(SHUFFLED_VERTICES, model, windows, frames, 4)
    assert [len(step.vertex) for step in steps] == [162] * 4
    assert [step.weight for step in steps] == [1.0] * 4
    block = Samples(*(torch.cat([getattr(step, name) for step in steps]) for name in ("features", "targets", "vertex")))
    window, joints, history = read_inputs(model, windows, frames, torch.device("cpu"))
    features = model.features(window, joints, history)
    targets = model.targets(window[:, -1], torch.from_numpy(windows.scan(frames)))
    for vertex in (0, 31, 71):
        mine = block.vertex == vertex
        assert mine.sum() == 9
        together = torch.cat([block.features[mine], block.targets[mine]], dim=1)
        expected = torch.cat([features[:, vertex], targets[:, vertex]], dim=1)
        torch.testing.assert_close(together.sort(dim=0)[0], expected.sort(dim=0)[0])


@pytest.mark.parametrize("sampling", [SHUFFLED_VERTICES, WHOLE_MESHES])
@pytest.mark.parametrize("num_frames", [1, 2, 7])
@pytest.mark.parametrize("num_processes", [2, 3])
def test_processes_share_a_step_among_them(
    make_model, make_tube_sequence, monkeypatch, sampling, num_frames, num_processes
):
    model, windows = make_model(num_condition_frames=2), all_windows([make_tube_sequence(11)], 2)
    frames = np.array([7, 3, 10, 0, 1, 2, 9])[:num_frames]
    num_steps = min(num_frames, 3) if sampling is WHOLE_MESHES else 60

    def rows(step):
        return torch.cat([step.features.flatten(0, -2), step.targets.flatten(0, -2)], dim=1)

    alone = read_steps(sampling, model, windows, frames, num_steps)
    monkeypatch.setattr(processes.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(processes.dist, "get_world_size", lambda: num_processes)
    shares = []
    for rank in range(num_processes):
        monkeypatch.setattr(processes.dist, "get_rank", lambda rank=rank: rank)
        shares.append(read_steps(sampling, model, windows, frames, num_steps))
    assert all(len(step.vertex) for steps in shares for step in steps)
    for whole, *parts in zip(alone, *shares, strict=True):
        together = torch.cat([rows(part) for part in parts if part.weight])
        torch.testing.assert_close(together.sort(dim=0)[0], rows(whole).sort(dim=0)[0])
        means = [part.weight * rows(part).mean(dim=0) for part in parts]
        torch.testing.assert_close(sum(means) / num_processes, rows(whole).mean(dim=0), atol=1e-5, rtol=1e-4)


def options(num_frames):
    return TrainingOptions(2, 0.01, 100, num_frames, 2, 1, 0)


@pytest.mark.parametrize("num_frames", [3, 60])
def test_what_is_no_more_than_fits_is_read_once(make_model, make_tube_sequence, monkeypatch, num_frames):
    model, windows = make_model(num_condition_frames=2), all_windows([make_tube_sequence(11)], 2)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 24)
    reads, real = [], sampling.read_meshes
    monkeypatch.setattr(sampling, "read_meshes", lambda *given, **more: reads.append(1) or real(*given, **more))
    samples = TrainingSamples(SHUFFLED_VERTICES, model, windows, options(num_frames), torch.device("cpu"))
    blocks = samples.blocks_of_epoch(0)
    assert len(blocks) == (3 if num_frames == 60 else 12)  # three passes, in one block each or in four
    first = list(samples.of_steps(blocks, 0))
    counts = np.zeros((72, 1))
    for step in first:
        np.add.at(counts, step.vertex.numpy(), 1)
    assert (counts == 3 * 11).all()
    so_far = len(reads)
    again = list(samples.of_steps(blocks, 0))
    assert (len(reads) == so_far) == (num_frames == 60)
    rest = list(samples.of_steps(blocks, 10))
    for steps in (again, [*first[:10], *rest]):
        for one, other in zip(first, steps, strict=True):
            assert torch.equal(one.features, other.features)
            assert torch.equal(one.vertex, other.vertex)


def test_blocks_hold_as_many_vertices_as_whole_frames_have(make_model, make_tube_sequence, monkeypatch):
    monkeypatch.setattr(controls, "MOST_CONTROLS", 12)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 1)
    model = MeshAutoencoder(ModelSettings(num_condition_frames=2), tube_surface_with_joints(0))
    windows = all_windows([make_tube_sequence(30)], 2)
    for kind, expected in ((SHUFFLED_VERTICES, [18, 12]), (WHOLE_MESHES, [3] * 10)):
        samples = TrainingSamples(kind, model, windows, options(3), torch.device("cpu"))
        blocks = samples.blocks_of_epoch(0)
        assert [len(block.frames) for block in blocks] == expected
    samples = TrainingSamples(SHUFFLED_VERTICES, model, windows, options(3), torch.device("cpu"))
    steps = list(samples.of_steps(samples.blocks_of_epoch(0), 0))
    assert set(torch.cat([step.vertex for step in steps]).tolist()) == set(model.surface.controls.tolist())


def test_blocks_come_in_order_and_a_failing_read_is_not_lost():
    def fail():
        raise OSError("gone")

    reads = [lambda: 1, lambda: 2, fail, lambda: 4]
    ahead = read_ahead(iter(reads))
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(OSError, match="gone"):
        next(ahead)
