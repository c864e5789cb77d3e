"""Where workers are placed, and what is said of one that died."""

import signal

import pytest

from feedrun.runtime import machine
from feedrun.sweep import local


@pytest.fixture
def pretend(monkeypatch):
    """Pretend a machine of so many cores, GPUs and GiB of free memory."""

    def have(cores, gpus=0, memory=100.0):
        monkeypatch.setattr(machine, "cores", lambda: list(range(cores)))
        monkeypatch.setattr(machine, "accelerators", lambda: [str(k) for k in range(gpus)])
        monkeypatch.setattr(machine, "free_memory", lambda: memory)

    return have


@pytest.mark.parametrize(
    ("have", "workers", "units", "count"),
    [
        ({"cores": 4}, None, 10, 4),
        ({"cores": 4}, None, 2, 2),
        ({"cores": 4, "memory": 5.0}, None, 10, 2),
        ({"cores": 4, "memory": 0.1}, None, 10, 1),
        ({"cores": 16, "gpus": 2}, None, 10, 2),
        ({"cores": 4}, 3, 10, 3),
        ({"cores": 2}, 5, 10, 5),
    ],
)
def test_as_many_workers_as_fit_or_as_asked_for(have, workers, units, count, pretend):
    pretend(**have)
    assert len(local.places(workers, units)) == count


def test_cores_are_shared_out_and_gpus_taken_in_turn(pretend):
    pretend(cores=5, gpus=2)
    places = local.places(3, 10)
    assert sorted(core for place in places for core in place.cores) == [0, 1, 2, 3, 4]
    assert [place.gpu for place in places] == ["0", "1", "0"]
    assert all(place.shares for place in places)
    assert not any(place.shares for place in local.places(2, 10))


def test_more_workers_than_cores_still_have_one_each(pretend):
    pretend(cores=2)
    assert [place.cores for place in local.places(5, 9)] == [[0], [1], [0], [1], [0]]


def test_death_is_put_into_words():
    assert "SIGKILL (out of memory?)" in local.died(-signal.SIGKILL)
    assert local.died(-signal.SIGSEGV) == "its process was killed by SIGSEGV"
    assert "exit code 3" in local.died(3)


def test_gpus_hidden_by_the_environment_are_not_counted(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert machine.accelerators() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.accelerators() == []
