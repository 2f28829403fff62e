"""Cores and memory under the limits of containers, read from made-up files."""

from __future__ import annotations

import os

import pytest
import torch

from twofold import resources
from twofold.errors import UserError
from twofold.resources import bytes_in_words, free_memory, require, require_time, usable_cores


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A made-up /proc and /sys/fs/cgroup: write(path, text)."""
    monkeypatch.setattr(resources, "PROC", tmp_path / "proc")
    monkeypatch.setattr(resources, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable:    800 kB\n")
    return write


def test_without_limits(machine, monkeypatch):
    assert usable_cores() == 8 and free_memory() == 800 * 1024
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert usable_cores() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "40")
    assert usable_cores() == 1


def test_cgroup_version_2(machine):
    machine("proc/self/cgroup", "0::/my/group\n")
    machine("cgroup/my/group/cpu.max", "250000 100000\n")
    machine("cgroup/my/group/memory.max", "500000\n")
    machine("cgroup/my/group/memory.current", "300000\n")
    machine("cgroup/my/group/memory.stat", "anon 5\ninactive_file 1000\n")
    assert usable_cores() == 3 and free_memory() == 201000


def test_cgroup_version_2_without_limits(machine):
    machine("proc/self/cgroup", "0::/\n")
    machine("cgroup/cpu.max", "max 100000\n")
    machine("cgroup/memory.max", "max\n")
    machine("cgroup/memory.current", "300000\n")
    assert usable_cores() == 8 and free_memory() == 800 * 1024


def test_cgroup_version_1_as_seen_in_a_container(machine):
    machine("proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n")
    machine("cgroup/cpu/cpu.cfs_quota_us", "50000\n")
    machine("cgroup/cpu/cpu.cfs_period_us", "100000\n")
    machine("cgroup/memory/memory.limit_in_bytes", "400000\n")
    machine("cgroup/memory/memory.usage_in_bytes", "100000\n")
    assert usable_cores() == 1 and free_memory() == 300000


def test_this_machine():
    assert usable_cores() >= 1 and free_memory() > 1 << 20


def test_what_takes_more_than_is_free_is_refused(monkeypatch):
    monkeypatch.setattr(resources, "free_memory", lambda: 10**9)
    require(10**9, "This", "give less")
    with pytest.raises(UserError, match=r"^This would take 2 GB of memory, and 1 GB are free: give less.$"):
        require(2 * 10**9, "This", "give less")
    monkeypatch.setattr(resources, "free_memory", lambda: 0)
    require(resources.SMALL, "What is small", "is not looked at")


def test_the_memory_of_a_gpu_counts_with_what_torch_keeps_of_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**10))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5 * 10**9)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2 * 10**9)
    require(4 * 10**9, "This", "give less", torch.device("cuda", 1))
    with pytest.raises(UserError, match=r"^This would take 9 GB of memory, and 4 GB on cuda:1 are free: give less.$"):
        require(9 * 10**9, "This", "give less", torch.device("cuda", 1))


def test_what_takes_years_is_refused():
    require_time(9 * resources.YEAR, "This", "give less")
    with pytest.raises(UserError, match=r"^This would take 31,710 years at the very least: give less.$"):
        require_time(1e12, "This", "give less")


def test_bytes_in_words():
    sizes = (420_000, 9.9e6, 1.3e9, 130e9, 5e12, 4e15, 3e18, 1e30, 12)
    words = ["420 kB", "9.9 MB", "1.3 GB", "130 GB", "5 TB", "4 PB", "3 EB", "more than 1,000 EB", "12 bytes"]
    assert [bytes_in_words(size) for size in sizes] == words
