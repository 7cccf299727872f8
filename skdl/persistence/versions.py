"""What a report of a bug should tell of the machine."""

import importlib.metadata
import os
import platform
import sys
from typing import Any

import torch
from threadpoolctl import threadpool_info

_PACKAGES = (
    "skdl",
    "torch",
    "scikit-learn",
    "numpy",
    "scipy",
    "pandas",
    "narwhals",
    "skops",
    "onnx",
    "onnxruntime",
    "triton",
    "polars",
    "pyarrow",
    "pillow",
    "tokenizers",
)
_FILE_PACKAGES = ("skdl", "torch", "scikit-learn", "numpy", "skops")


def versions(packages: tuple[str, ...] = _FILE_PACKAGES) -> dict[str, str]:
    """Return the versions of packages that are installed.

    Parameters
    ----------
    packages : tuple of str
        Names of distributions.

    Returns
    -------
    dict
    """
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _devices() -> dict[str, str]:
    found = {"cpu": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"}
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            found[f"cuda:{i}"] = torch.cuda.get_device_name(i)
    if torch.backends.mps.is_available():
        found["mps"] = "Metal"
    return found


def _threads() -> dict[str, Any]:
    found: dict[str, Any] = {
        "processors": os.cpu_count(),
        "torch": torch.get_num_threads(),
        "torch between operations": torch.get_num_interop_threads(),
    }
    for pool in threadpool_info():
        found[f"{pool['internal_api']} ({pool['prefix']})"] = pool["num_threads"]
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return found | {n: os.environ[n] for n in limits if n in os.environ}


def show_versions() -> None:
    """Print versions, devices, kernels and threads, for reports of bugs.

    Examples
    --------
    >>> import skdl
    >>> skdl.show_versions()  # doctest: +ELLIPSIS
    System
        python: ...
    """
    settings = {
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "float32 matmul": torch.get_float32_matmul_precision(),
        "default dtype": str(torch.get_default_dtype()),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "cuda of torch": torch.version.cuda,
    }
    sections: dict[str, dict[str, Any]] = {
        "System": {
            "python": sys.version.replace("\n", " "),
            "platform": platform.platform(),
        },
        "Packages": versions(_PACKAGES),
        "Devices and kernels": _devices(),
        "Torch": settings,
        "Threads": _threads(),
    }
    for title, lines in sections.items():
        print(title)
        for name, value in lines.items():
            print(f"    {name}: {value}")
