"""The process set-up, each case in a process of its own: what it sets lasts as long as that."""

import json
import os
import platform
import sys
import time

import pytest

from feedrun.runtime import machine, setup
from tests import children

COUNTED = """
import json, os, sys
from feedrun.runtime import setup
said = setup.setup(cache=True, devices=2, malloc=True, precision="highest")
import jax
events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name))
jax.jit(lambda x: (x @ x).sum())(jax.numpy.ones((8, 8))).block_until_ready()
print(json.dumps({"said": said, "devices": len(jax.devices("cpu")),
    "precision": jax.config.jax_default_matmul_precision, "flags": os.environ["XLA_FLAGS"],
    "hits": sum(e == "/jax/compilation_cache/cache_hits" for e in events),
    "misses": sum(e == "/jax/compilation_cache/cache_misses" for e in events)}))
"""


TUNED = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "FEEDRUN_SET": "GLIBC_TUNABLES"}
"""What a restarted command finds in its environment."""


def python(code, folder, *, tuned=True, **environment):
    """The last line printed by `code` in a fresh process without our variables, as JSON."""
    ours = ("JAX_", "FEEDRUN_", "XLA_FLAGS", "GLIBC_TUNABLES")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    clean |= {"XDG_CACHE_HOME": str(folder), "JAX_PLATFORMS": "cpu"} | environment
    clean |= TUNED if tuned else {}
    done = children.run([sys.executable, "-c", code], env=clean)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_it_imports_no_jax(tmp_path):
    code = "import json, sys, feedrun.runtime.setup; print(json.dumps('jax' in sys.modules))"
    assert python(code, tmp_path) is False


def test_two_devices_and_a_second_process_hits_the_cache(tmp_path):
    first, second = python(COUNTED, tmp_path), python(COUNTED, tmp_path)
    assert first["devices"] == second["devices"] == first["said"]["devices"] == 2
    assert first["precision"] == first["said"]["precision"] == "highest"
    assert first["said"]["cache"] == str(tmp_path / "feedrun" / "jax")
    assert (first["hits"], second["misses"]) == (0, 0)
    assert first["misses"] == second["hits"] > 0


def test_xla_compiles_quickly_unless_the_user_or_an_accelerator_says_otherwise(tmp_path):
    code = "import json, os, feedrun; print(json.dumps(os.environ.get('XLA_FLAGS', '')))"
    quick = "--xla_backend_optimization_level=1"
    assert quick in python(code, tmp_path).split()
    own = python(code, tmp_path, XLA_FLAGS="--xla_backend_optimization_level=2")
    assert own.count("optimization_level") == 1
    (tmp_path / "jax_plugins").mkdir()
    assert quick not in python(code, tmp_path, PYTHONPATH=str(tmp_path))


def test_switches_off(tmp_path):
    code = COUNTED.replace("cache=True", "cache=False").replace("malloc=True", "malloc=False")
    code = code.replace('"highest"', '"default"').replace("devices=2", "devices=1")
    out = python(code, tmp_path, tuned=False)
    said = {"cache": None, "devices": 1, "malloc": False, "precision": "default"}
    said |= {"processes": 1, "xla_flags": out["flags"], "refused": {}}
    assert out["said"] == said and "optimization_level" in out["flags"]
    assert (out["devices"], out["precision"], out["hits"] + out["misses"]) == (1, None, 0)
    assert not list(tmp_path.iterdir())


def test_what_the_user_set_stays(tmp_path):
    theirs = {"JAX_DEFAULT_MATMUL_PRECISION": "float32", "MALLOC_ARENA_MAX": "4"}
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=3"}
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine")}
    out = python(COUNTED, tmp_path, tuned=False, **theirs, **flags, **cache)
    assert (out["devices"], out["precision"]) == (3, "float32")
    assert out["said"]["cache"] == str(tmp_path / "mine") and (tmp_path / "mine").exists()
    assert (out["said"]["devices"], out["said"]["malloc"]) == (3, False)
    assert set(out["said"]["refused"]) == {"cache", "devices", "malloc", "precision"}


def test_an_unwritable_cache_folder_is_said_and_not_fatal(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    out = python(COUNTED, blocked)
    assert out["said"]["cache"] is None and "cannot write" in out["said"]["refused"]["cache"]
    assert out["hits"] + out["misses"] == 0


def test_a_jax_already_imported_still_gets_cache_precision_and_devices(tmp_path):
    out = python("import jax\n" + COUNTED, tmp_path)
    assert (out["devices"], out["precision"], out["said"]["refused"]) == (2, "highest", {})
    assert out["misses"] > 0


def test_a_jax_that_has_computed_keeps_its_devices_and_says_so(tmp_path):
    out = python("import jax; jax.numpy.ones(3).sum()\n" + COUNTED, tmp_path)
    assert out["devices"] == out["said"]["devices"] == 1
    assert out["said"]["refused"] == {"devices": "jax has already started"}
    assert out["precision"] == "highest" and out["misses"] > 0


def test_a_child_process_may_choose_anew(tmp_path):
    code = COUNTED.replace("\nimport jax", "\nsetup.setup(cache=False, devices=1, malloc=False, "
    'precision="default")\nimport jax', 1)  # fmt: skip
    out = python(code, tmp_path)
    assert (out["devices"], out["precision"], out["hits"] + out["misses"]) == (1, None, 0)


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc/stat")
def test_own_work_is_not_other_load():
    start = machine.clock()
    enough = time.process_time() + 0.5
    while time.process_time() < enough:
        pass
    loaded, now = machine.other_load(start), machine.clock()
    assert start and now and loaded is not None
    spent = (now.machine - start.machine) / (now.wall - start.wall) / (os.cpu_count() or 1)
    assert 0 <= loaded < spent  # what is left of the machine's time once ours is taken out


HUGE = """
import ctypes, json, os, re, sys
from feedrun.runtime import setup
%s
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
size = 2**27
libc.memset(ctypes.c_void_p(libc.malloc(ctypes.c_size_t(size))), 1, ctypes.c_size_t(size))
rollup = open("/proc/self/smaps_rollup").read()
said = setup.setup(cache=False, devices=1, malloc=True, precision="default")
print(json.dumps({"huge": int(re.search("AnonHugePages: *([0-9]+)", rollup)[1]) * 1024 / size,
    "said": said["malloc"], "refused": said["refused"], "words": sys.argv}))
"""


@pytest.mark.skipif(setup._malloc_fault() is not None, reason=f"{setup._malloc_fault()}")
def test_a_restarted_command_has_its_large_buffers_in_huge_pages(tmp_path):
    plain = python(HUGE % "", tmp_path, tuned=False)
    restarted = python(HUGE % "setup.restart()", tmp_path, tuned=False)
    assert not plain["said"] and "feedrun command" in plain["refused"]["malloc"]
    assert restarted["said"] and restarted["refused"] == {}
    assert restarted["huge"] > 0.9
    assert restarted["words"] == plain["words"]


def test_a_tuned_process_that_was_not_to_be_says_so(tmp_path):
    code = COUNTED.replace("malloc=True", "malloc=False")
    out = python(code, tmp_path)
    assert out["said"]["malloc"] and "when this process started" in out["said"]["refused"]["malloc"]
