"""The sequential weighted multi-expert decoder: small networks in sequence, each of which reads the output of the last."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from models.split_linear import SplitLinear


class MultiExpertDecoder(nn.Module):
    """Experts in sequence, their outputs summed with the weights of a softmax gate.

    Expert k reads the latent, the condition and the output of expert k-1; the first one has no predecessor. The first layers
    of all experts read the same latent and condition, so their weights stand in one matrix: one large product in place of many
    small ones.
    """

    def __init__(self, latent_size: int, condition_size: int, num_experts: int, hidden_size: int = 24):
        super().__init__()
        self.num_experts = num_experts
        self.before_gate = SplitLinear(condition_size, latent_size, 32)
        self.gate = nn.Linear(32, num_experts)
        self.first = SplitLinear(condition_size, latent_size, num_experts * hidden_size)
        self.previous = nn.ModuleList(nn.Linear(3, hidden_size, bias=False) for _ in range(num_experts - 1))
        self.second = nn.ModuleList(nn.Linear(hidden_size, hidden_size) for _ in range(num_experts))
        self.output = nn.ModuleList(nn.Linear(hidden_size, 3) for _ in range(num_experts))
        for parameter in self.output.parameters():  # an untrained decoder adds nothing
            nn.init.zeros_(parameter)

    def forward(self, latent: Float[Tensor, "S L"], condition: Float[Tensor, "S C"]) -> Float[Tensor, "S 3"]:
        """Return the weighted sum (S, 3) of the experts' outputs for S vertex samples."""
        weights = self.gate(silu(self.before_gate(condition, latent))).softmax(dim=1)
        own = self.first(condition, latent).chunk(self.num_experts, dim=1)
        total = latent.new_zeros(latent.shape[0], 3)
        output = total
        for expert in range(self.num_experts):
            hidden = own[expert] if expert == 0 else own[expert] + self.previous[expert - 1](output)
            output = self.output[expert](silu(self.second[expert](silu(hidden))))
            total = total + weights[:, expert : expert + 1] * output
        return total
