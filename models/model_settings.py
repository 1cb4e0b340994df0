"""What decides the shape of a model."""

from dataclasses import asdict, dataclass

UP_AXES = {"x": 0, "y": 1, "z": 2}


@dataclass
class ModelSettings:
    """All that decides the shape of a model; a checkpoint holds it, so that no flag has to be repeated."""

    latent_size: int = 32
    num_embeddings: int = 12
    num_experts: int = 6
    num_condition_frames: int = 1
    coordinates: str = "local"  # or "world": the keys of `models.coordinates.COORDINATES`
    up_axis: str = "y"
    num_joints: int = 0
    left_out: tuple[str, ...] = ()  # optional feature groups that the data had no use for

    def to_dict(self) -> dict[str, int | str | tuple[str, ...]]:
        return asdict(self)
