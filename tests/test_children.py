"""What the other tests rely on: Ctrl-C reaches children, and none of them stays behind."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests import children

FAMILY = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1e6)"])
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, os.getpgid(0) == os.getpid())
print(child.pid, file=sys.stderr, flush=True)
child.wait()
"""


@pytest.fixture
def in_the_background():
    """As in a shell script's `pytest &`: SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_reaches_a_child_of_a_process_that_ignores_it(in_the_background):
    child = children.start([sys.executable, "-c", FAMILY])
    children.until(child.said, child)
    child.send(signal.SIGINT)
    done = child.ended()
    assert done.returncode == -signal.SIGINT and done.stdout == "True True\n"
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_children_of_a_child_end_with_it():
    child = children.start([sys.executable, "-c", FAMILY])
    grandchild = int(children.until(child.said, child))
    children.end_all()
    assert not child.running()
    children.until(lambda: not alive(grandchild))


def test_a_wait_for_what_a_dead_child_would_have_done_fails_with_what_it_said():
    child = children.start([sys.executable, "-c", "import sys; sys.exit('no room')"])
    with pytest.raises(AssertionError, match="no room"):
        children.until(lambda: False, child)


def alive(pid):
    """Whether a process runs; one that has ended but that nobody has reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
