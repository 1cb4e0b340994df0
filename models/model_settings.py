"""What decides the shape of a model."""

from dataclasses import asdict, dataclass

UP_AXES = {"x": 0, "y": 1, "z": 2}
UNITS_IN_MM = {"m": 1000.0, "cm": 10.0, "mm": 1.0}


@dataclass
class ModelSettings:
    """All that decides the shape of a model, and what its numbers mean; a checkpoint holds it, so that no flag has to be
    repeated."""

    latent_size: int = 32
    num_embeddings: int = 12
    num_experts: int = 6
    num_condition_frames: int = 1
    coordinates: str = "local"  # or "world": the keys of `models.coordinates.COORDINATES`
    up_axis: str = "y"
    units: str = "m"  # of the meshes: the keys of `UNITS_IN_MM`
    num_joints: int = 0
    frame_step: int = 1  # how far the numbers of consecutive frames are apart
    left_out: tuple[str, ...] = ()  # optional feature groups that the data had no use for
    answer_seen: bool = False  # whether the network sees what the linear part answers
    past: str = "fading"  # what came before a sequence's first frame, as the data said: see `data.sequences.run_up`

    def to_dict(self) -> dict[str, int | str | tuple[str, ...]]:
        return asdict(self)
