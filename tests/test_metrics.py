import numpy as np

from utils.metrics import ErrorSummary, error_table, summarise_errors, vertex_errors


def test_errors_are_distances():
    scan = np.zeros((2, 3, 3))
    predicted = scan + [3.0, 4.0, 0.0]
    np.testing.assert_array_equal(vertex_errors(predicted, scan), np.full((2, 3), 5.0))


def test_summary_is_in_mm():
    errors = np.arange(101.0) / 1000
    assert summarise_errors(errors, 1000.0) == ErrorSummary(mean=50.0, percentile_95=95.0, maximum=100.0)


def test_table_lines_up():
    rows = {"60 frames": (ErrorSummary(2.0, 8.0, 30.0), ErrorSummary(0.5, 2.0, 10.0))}
    head, row = error_table(rows).splitlines()
    assert len(head) == len(row)
    assert "2.00 →   0.50" in row
    assert row.endswith("25.0%")
