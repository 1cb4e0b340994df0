import numpy as np

from models import compiled


def doubled(values, out):
    for place in range(len(values)):
        out[place] = 2 * values[place]


def test_a_compiled_function_does_what_it_says():
    out = np.zeros(3)
    compiled.compiled(doubled)(np.arange(3.0), out)
    assert out.tolist() == [0, 2, 4]


def test_without_a_folder_to_keep_it_in_a_function_is_compiled_all_the_same(monkeypatch):
    real = compiled.njit

    def without_folder(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function 'doubled': no locator available for file")
        return real(**options)

    monkeypatch.setattr(compiled, "njit", without_folder)
    test_a_compiled_function_does_what_it_says()
