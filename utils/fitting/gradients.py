"""Losses and their gradients; on CUDA, recorded once as a graph of kernels: a step is then started once, not kernel by kernel.

The host takes several times as long to start a small network's kernels as the device to run them.
"""

from dataclasses import fields

import torch
from torch import Tensor, nn

from utils.predicting.model_inputs import Samples
from utils.runs.processes import noticed_if_another_ends, num_processes

WARM_UP_STEPS = 3  # before a recording, as CUDA wants it
MOST_RECORDINGS = 4  # steps of other sizes than these are not recorded


class Recording:
    """A recorded step for samples of one size: what it reads, its losses, and the gradients that it writes."""

    def __init__(self, module: nn.Module, samples: Samples):
        self.parameters = [each for each in module.parameters() if each.requires_grad]
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
        self.gradients = [each.grad for each in self.parameters]

    def replay(self, samples: Samples) -> dict[str, Tensor]:
        """Do what `losses_and_gradients` does for other samples; the losses are overwritten by the next call."""
        for own, given in ((self.samples.features, samples.features), (self.samples.targets, samples.targets)):
            own.copy_(given)
        self.samples.vertex.copy_(samples.vertex)
        self.graph.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.losses


class Gradients:
    """The losses of a module on samples, and the gradients of their sum, recorded where that can be."""

    def __init__(self, module: nn.Module):
        self.module, self.recordings = module, dict[int, Recording]()

    def step(self, samples: Samples) -> dict[str, Tensor]:
        """Return the losses of samples, by name, with the gradients of their sum in the parameters; they last until the next
        call."""
        count = len(samples.vertex)
        if not self.can_be_recorded(samples) or (
            count not in self.recordings and len(self.recordings) == MOST_RECORDINGS
        ):
            with noticed_if_another_ends():
                return losses_and_gradients(self.module, samples)
        if count not in self.recordings:
            self.recordings[count] = Recording(self.module, samples)
        return self.recordings[count].replay(samples)

    def can_be_recorded(self, samples: Samples) -> bool:
        """Say whether a step can be recorded: on CUDA, by one process, of vertices without their meshes."""
        vertices_alone = all(getattr(samples, each.name) is None for each in fields(Samples) if each.default is None)
        return samples.vertex.is_cuda and vertices_alone and num_processes() == 1


def losses_and_gradients(module: nn.Module, samples: Samples) -> dict[str, Tensor]:
    """Return the losses of samples, by name, with the gradients of their sum in the module's parameters."""
    for parameter in module.parameters():
        parameter.grad = None
    losses: dict[str, Tensor] = module(samples)
    torch.stack(list(losses.values())).sum().backward()
    return {name: loss.detach() for name, loss in losses.items()}
