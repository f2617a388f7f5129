import os
import subprocess
import sys

import pytest

from state.locks import hold_lock, is_alive, release_lock, try_lock


@pytest.fixture
def two(tmp_path):
    """One file, opened twice: a lock belongs to the open file."""
    with (tmp_path / "lock").open("w") as one, (tmp_path / "lock").open("w") as other:
        yield one, other


def test_a_lock_that_is_held_is_not_given_again_until_it_is_let_go(two):
    one, other = two

    with hold_lock(one):
        assert not try_lock(other)

    assert try_lock(other)
    assert not try_lock(one, 0.02, pause=0.01)
    release_lock(other)
    assert try_lock(one)


def test_a_lock_ends_with_its_file(two):
    one, other = two
    assert try_lock(one)

    one.close()

    assert try_lock(other)


def test_a_process_is_alive_until_it_was_waited_for():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_alive(process.pid)

    process.communicate(b"\n")

    assert not is_alive(process.pid)
    assert is_alive(os.getpid())
