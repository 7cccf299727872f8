"""What is known of a device's memory."""

import pytest
import torch

from skdl.training.survival.device_memory import (
    UNKNOWN,
    Memory,
    device_memory,
    is_out_of_memory,
)

CPU = torch.device("cpu")
GIB = 1 << 30


def machine(root, files):
    """Write a file system with 8 GiB, 6 of them available, and more files."""
    meminfo = f"MemTotal: {8 << 20} kB\nMemFree: 1 kB\nMemAvailable: {6 << 20} kB\n"
    for path, text in {"proc/meminfo": meminfo, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(str(text))
    return root


def test_without_limits_it_is_that_of_the_machine(tmp_path):
    assert device_memory(CPU, machine(tmp_path, {})) == Memory(8 * GIB, 6 * GIB)


def test_a_container_has_what_its_group_is_allowed(tmp_path):
    group = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": 4 * GIB,
        "sys/fs/cgroup/memory.current": 3 * GIB,
        "sys/fs/cgroup/memory.stat": f"anon 5\ninactive_file {GIB}\n",
    }
    assert device_memory(CPU, machine(tmp_path, group)) == Memory(4 * GIB, 2 * GIB)


def test_a_limit_further_up_counts_and_max_is_none(tmp_path):
    groups = {
        "proc/self/cgroup": "0::/user/job\n",
        "sys/fs/cgroup/user/memory.max": 2 * GIB,
        "sys/fs/cgroup/user/memory.current": GIB,
        "sys/fs/cgroup/user/job/memory.max": "max",
        "sys/fs/cgroup/user/job/memory.current": 5,
    }
    assert device_memory(CPU, machine(tmp_path, groups)) == Memory(2 * GIB, GIB)


def test_the_first_version_of_groups_is_read_too(tmp_path):
    group = {
        "proc/self/cgroup": "4:cpu,cpuacct:/job\n3:memory:/job\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": 1 << 62,  # none
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": GIB,
        "sys/fs/cgroup/memory/job/memory.usage_in_bytes": 2 * GIB,
    }
    assert device_memory(CPU, machine(tmp_path, group)) == Memory(GIB, 0)


def test_what_is_not_known_is_taken_for_little(tmp_path):
    assert device_memory(CPU, tmp_path) == Memory(UNKNOWN, UNKNOWN)
    assert device_memory(torch.device("meta")) == Memory(UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("allocate memory"), False),
    ],
)
def test_errors_of_too_little_memory_are_told_from_others(error, expected):
    assert is_out_of_memory(error) is expected


def test_torch_raises_such_an_error():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
