"""Optimisation steps; on CUDA, recorded once as a graph of kernels: a step is then started once, not kernel by kernel.

The host takes several times as long to start a small network's kernels as the device to run them.
"""

from dataclasses import fields

import torch
from torch import Tensor, nn

from utils.fitting.optimizer import set_learning_rate
from utils.predicting.model_inputs import Samples
from utils.runs.processes import noticed_if_another_ends, num_processes

LARGEST_GRADIENT = 1.0
WARM_UP_STEPS = 3  # before a recording, as CUDA wants it
MOST_RECORDINGS = 4  # steps of other sizes than these are not recorded


class Recording:
    """A recorded step for samples of one size: what it reads, and the losses that it writes, with the gradient's norm."""

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer, samples: Samples):
        self.samples = Samples(samples.features.clone(), samples.targets.clone(), samples.vertex.clone())
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP_STEPS):
                losses_and_gradients(module, self.samples)
        torch.cuda.current_stream().wait_stream(beside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(
            self.graph, capture_error_mode="thread_local"
        ):  # meanwhile, frames are read in another one
            self.losses = losses_and_gradients(module, self.samples)
            self.norm = change_parameters(module, optimizer)

    def replay(self, samples: Samples) -> tuple[dict[str, Tensor], Tensor]:
        """Take the step with other samples; the losses are overwritten by the next call."""
        for own, given in ((self.samples.features, samples.features), (self.samples.targets, samples.targets)):
            own.copy_(given)
        self.samples.vertex.copy_(samples.vertex)
        self.graph.replay()
        return self.losses, self.norm


class Steps:
    """Steps of an optimizer along the gradients of a module's losses, recorded where that can be."""

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer):
        self.module, self.optimizer, self.recordings = module, optimizer, dict[int, Recording]()

    def take(self, samples: Samples, learning_rate: float) -> tuple[dict[str, Tensor], Tensor]:
        """Take a step; return the losses of samples before it, by name, and the norm of the gradient of their sum. They last
        until the next call."""
        set_learning_rate(self.optimizer, learning_rate)
        count = len(samples.vertex)
        if not self.can_be_recorded(samples) or (
            count not in self.recordings and len(self.recordings) == MOST_RECORDINGS
        ):
            with noticed_if_another_ends():
                losses = losses_and_gradients(self.module, samples)
            return losses, change_parameters(self.module, self.optimizer)
        if count not in self.recordings:
            self.recordings[count] = Recording(self.module, self.optimizer, samples)
        return self.recordings[count].replay(samples)

    def can_be_recorded(self, samples: Samples) -> bool:
        """Say whether a step can be recorded: on CUDA, by one process, of vertices without their meshes, and not the first one,
        which makes the optimizer's state."""
        vertices_alone = all(getattr(samples, each.name) is None for each in fields(Samples) if each.default is None)
        return samples.vertex.is_cuda and vertices_alone and num_processes() == 1 and len(self.optimizer.state) > 0


def losses_and_gradients(module: nn.Module, samples: Samples) -> dict[str, Tensor]:
    """Return the losses of samples, by name, with the gradients of their sum in the module's parameters."""
    for parameter in module.parameters():
        parameter.grad = None
    losses: dict[str, Tensor] = module(samples)
    torch.stack(list(losses.values())).sum().backward()
    return {name: loss.detach() for name, loss in losses.items()}


def change_parameters(module: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
    """Step along the gradients, shortened where they are too long; return their norm."""
    norm = nn.utils.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT)
    optimizer.step()
    return norm
