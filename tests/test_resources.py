"""Cores and memory under the limits of containers, read from made-up files."""

from __future__ import annotations

import os

import pytest

from twofold import resources
from twofold.resources import free_memory, usable_cores


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
