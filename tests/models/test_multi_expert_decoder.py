import torch
from torch.nn.functional import silu

from models.multi_expert_decoder import MultiExpertDecoder


def decoder(num_experts):
    torch.manual_seed(0)
    made = MultiExpertDecoder(latent_size=4, condition_size=5, num_experts=num_experts, hidden_size=8).double()
    for parameter in made.output.parameters():
        torch.nn.init.normal_(parameter)
    return made, torch.randn(7, 4).double(), torch.randn(7, 5).double()


def test_untrained_it_adds_nothing():
    made = MultiExpertDecoder(4, 5, 3)
    assert torch.equal(made(torch.randn(7, 4), torch.randn(7, 5)), torch.zeros(7, 3))


def test_against_a_naive_loop_over_samples_and_experts():
    made, latent, condition = decoder(3)
    for sample in range(7):
        seen = condition[sample : sample + 1], latent[sample : sample + 1]
        weights = made.gate(silu(made.before_gate(*seen)))[0].softmax(dim=0)
        first = made.first(*seen)[0]
        expected, previous = torch.zeros(3).double(), None
        for expert in range(3):
            rows = slice(8 * expert, 8 * expert + 8)
            hidden = first[rows]
            if previous is not None:
                hidden = hidden + made.previous[expert - 1].weight @ previous
            previous = made.output[expert](silu(made.second[expert](silu(hidden))))
            expected = expected + weights[expert] * previous
        torch.testing.assert_close(made(latent, condition)[sample], expected)


def test_one_expert_is_a_plain_network():
    made, latent, condition = decoder(1)
    plain = torch.nn.Sequential(torch.nn.SiLU(), made.second[0], torch.nn.SiLU(), made.output[0])
    torch.testing.assert_close(made(latent, condition), plain(made.first(condition, latent)))


def test_the_order_of_experts_matters():
    made, latent, condition = decoder(3)
    before = made(latent, condition)
    with torch.no_grad():  # the first two experts change places, their gate weights with them
        swap = torch.tensor([1, 0, 2])
        rows = torch.cat([torch.arange(8) + 8 * expert for expert in swap])
        firsts, gates = made.first.parameters(), made.gate.parameters()
        for parameter, order in [*((each, rows) for each in firsts), *((each, swap) for each in gates)]:
            parameter.copy_(parameter[order])
    made.second = torch.nn.ModuleList(made.second[expert] for expert in swap)
    made.output = torch.nn.ModuleList(made.output[expert] for expert in swap)
    after = made(latent, condition)
    assert (after - before).abs().max() > 1e-2
