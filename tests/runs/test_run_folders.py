from utils.runs.run_folders import new_timestamp, runs_by_age


def test_two_runs_in_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stamps = [new_timestamp("tube") for _ in range(3)]
    assert len(set(stamps)) == 3
    assert sorted(path.name for path in (tmp_path / "saved_model/tube").iterdir()) == sorted(stamps)


def test_a_clock_set_back_makes_no_run_older_than_the_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "saved_model/tube"
    (folder / "2100-01-01_00-00-00").mkdir(parents=True)
    (folder / "notes").mkdir()
    stamps = ["2100-01-01_00-00-00", *(new_timestamp("tube") for _ in range(10))]
    assert stamps[10] == "2100-01-01_00-00-00_11"
    assert [path.name for path in runs_by_age(folder)] == stamps[::-1]
