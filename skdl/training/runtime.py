"""Where and how a network runs: device, precision, memory, randomness and threads.

One object answers for all of them, so that nothing else asks torch about them.
"""

import functools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from skdl.randomness import (
    Randomness,
    drawing_from,
    random_states,
    set_random_states,
)
from skdl.threads import one_thread, threads_here
from skdl.training.captures import computing_on
from skdl.training.ranks import Ranks
from skdl.training.survival.out_of_memory import MemoryLimit

PRECISIONS = {
    "auto": torch.float32,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
}

# Multiplications per training step below which one CPU thread is as fast as several.
# Below it fits use one thread, so their bits do not depend on how many there are.
_WORK_FOR_THREADS = 2e7


@dataclass(frozen=True)
class Runtime:
    """A device, and the precision and randomness of what runs there.

    Parameters
    ----------
    device : torch.device
        Where tensors and networks live.
    precision : torch.dtype, default=torch.float32
        The type of the arithmetic in training; weights stay float32.
    memory : MemoryLimit
        How many rows of a batch fit, as far as is known.
    ranks : Ranks or None, default=None
        The processes that train together, where there are several.
    """

    device: torch.device
    precision: torch.dtype = torch.float32
    memory: MemoryLimit = field(default_factory=MemoryLimit, compare=False)
    ranks: Ranks | None = None

    def autocast(self) -> AbstractContextManager:
        """Run what is inside in this runtime's precision."""
        if self.precision == torch.float32:
            return nullcontext()
        # torch keeps cast weights until the outermost autocast ends, which may be the
        # caller's: steps would go on with the weights of the first.
        return torch.autocast(
            self.device.type, dtype=self.precision, cache_enabled=False
        )

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Draw from generators with this seed inside; torch's own are not touched."""
        randomness = Randomness(seed, self.device)
        with computing_on(self.device), drawing_from(randomness):
            yield

    def random_states(self) -> list[Tensor]:
        """Return the states of the generators that are drawn from."""
        return random_states(self.device)

    def set_random_states(self, states: list[Tensor]) -> None:
        """Give the generators states that they had."""
        set_random_states(states, self.device)

    def threads(self, work: float) -> AbstractContextManager:
        """Use one CPU thread inside where a step is `work` multiplications, too few."""
        few = self.device.type == "cpu" and work < _WORK_FOR_THREADS
        return one_thread() if few else nullcontext()


def bfloat16_is_fast(device: torch.device, *, convolves: bool = False) -> bool:
    """Tell whether a device multiplies bfloat16 faster than float32.

    GPUs since Ampere do, and CPUs with matrix tiles (AMX) or AVX-512's instructions for
    it, unless oneDNN, which alone uses them, is switched off or kept from them
    (`ONEDNN_MAX_CPU_ISA`). For convolutions a CPU needs tiles: without them oneDNN has
    wrong gradients where a map of one pixel is halved.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not runs_in_onednn(torch.bfloat16):
        return False
    units = ["_is_amx_tile_supported"]
    units += [] if convolves else ["_is_avx512_bf16_supported"]
    asked = [getattr(torch.cpu, name, None) for name in units]
    return any(has_them() for has_them in asked if has_them is not None)


def runs_in_onednn(dtype: torch.dtype) -> bool:
    """Tell whether torch hands a CPU's products and LSTMs of a type to oneDNN.

    Where it does not they run in torch's own kernels: an LSTM as a chain of small
    operations for every step, and products of bfloat16 many times slower than those of
    float32. oneDNN takes bfloat16 on CPUs with AVX-512, or with Arm's units for it.

    Parameters
    ----------
    dtype : torch.dtype
        The type of the arithmetic, float32 or bfloat16.

    Returns
    -------
    bool
        torch's own answer, as of now: it goes by the CPU, by
        `torch.backends.mkldnn.flags` and by `ONEDNN_MAX_CPU_ISA`.
    """
    onednn = torch.backends.mkldnn
    if not (onednn.is_available() and onednn.enabled):
        return False
    if dtype != torch.bfloat16:
        return True
    has_bfloat16 = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return has_bfloat16 is not None and bool(has_bfloat16())


def resolve_runtime(
    device: str | torch.device | Sequence[str | torch.device],
    precision: str = "auto",
    *,
    prefer_bfloat16: bool = False,
    convolves: bool = False,
) -> Runtime:
    """Turn the names that a user gives into a runtime.

    Parameters
    ----------
    device : str or torch.device, or a list of them
        "auto" takes a CUDA device where there is one that works and the CPU elsewhere;
        otherwise torch's own names, such as "cpu", "cuda" or "cuda:1". Of several all
        are looked at, and it is the first.
    precision : str, default="auto"
        A key of `PRECISIONS`.
    prefer_bfloat16 : bool, default=False
        Whether the time goes into convolutions or large products: "auto" is then
        bfloat16 where the device is made for it.
    convolves : bool, default=False
        Whether it goes into convolutions.

    Returns
    -------
    Runtime

    Raises
    ------
    ValueError
        If the name is not a device, or the device is not there or does not work, or is
        neither a CPU nor a CUDA device.

    Warns
    -----
    RuntimeWarning
        Once for each reason why "auto" takes the CPU where torch reports CUDA.
    """
    threads_here()
    if not isinstance(device, str | torch.device):
        check_devices(device)
        found = [resolve_runtime(d, precision) for d in dict.fromkeys(device)]
        device = found[0].device
    if str(device) == "auto":
        device = "cuda" if torch.cuda.is_available() and _cuda_works() else "cpu"
    resolved = _named_device(device)
    if resolved.type == "cuda" and not _has_cuda(resolved.index):
        raise ValueError(
            f"device={str(device)!r} was asked for, but torch finds "
            f"{torch.cuda.device_count()} CUDA devices; use device='auto' or 'cpu'."
        )
    if resolved.type == "cuda" and (failure := _cuda_failure(resolved)):
        raise ValueError(
            f"device={str(device)!r} was asked for and torch finds it, but it does not "
            f"work: {failure}. Mend the driver or the installation of torch, or use "
            "device='cpu'."
        )
    kind = PRECISIONS[precision]
    if precision == "auto" and prefer_bfloat16:
        is_fast = bfloat16_is_fast(resolved, convolves=convolves)
        kind = torch.bfloat16 if is_fast else kind
    return Runtime(resolved, kind)


def check_devices(devices: Sequence[str | torch.device]) -> None:
    """Refuse a list of no device, of what is none, or in which a GPU is named twice.

    Raises
    ------
    ValueError
    """
    names = [str(device) for device in devices]
    twice = [n for n in names if n.startswith("cuda:") and names.count(n) > 1]
    strange = [d for d in devices if not isinstance(d, str | torch.device)]
    if not names or twice or strange:
        wrong = f"names {twice[0]} twice" if twice else "names none"
        wrong = f"holds {strange[0]!r}" if strange else wrong
        raise ValueError(
            "device must be the name of a device, or a list of several such as "
            f"['cuda:0', 'cuda:1'] or ['cpu', 'cpu']; {list(devices)!r} {wrong}."
        )


def _named_device(device: str | torch.device) -> torch.device:
    """Return the device of a name, if it is of a kind that networks run on here."""
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device must be 'auto' or one of torch's device names such as 'cpu', "
            f"'cuda' or 'cuda:1', got {device!r}."
        ) from error
    if resolved.type not in ("cpu", "cuda"):
        raise ValueError(
            f"device={str(device)!r} is one of torch's devices, but networks run on "
            "'cpu' and 'cuda' only; use device='auto', which takes the better one."
        )
    return resolved


def _has_cuda(index: int | None) -> bool:
    return torch.cuda.is_available() and (index or 0) < torch.cuda.device_count()


def _cuda_works() -> bool:
    """Tell whether the CUDA device that torch reports works; warn if it does not."""
    failure = _cuda_failure(torch.device("cuda"))
    if failure:
        _warn_of_cuda(failure)
    return not failure


@functools.cache  # once is enough
def _warn_of_cuda(failure: str) -> None:
    warnings.warn(
        f"torch reports a CUDA device that does not work: {failure}. The CPU is used; "
        "device='cpu' says so without this warning.",
        RuntimeWarning,
        stacklevel=4,
    )


def _cuda_failure(device: torch.device) -> str:
    """Say why nothing can be computed on a CUDA device, or return ""."""
    try:
        with computing_on(device):
            torch.ones(1, device=device).add(1).item()
    except (RuntimeError, AssertionError) as error:
        return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
    return ""


def runtime_after_loading(device: str | torch.device) -> Runtime:
    """Return the runtime asked for if this machine has it, else the CPU."""
    try:
        return resolve_runtime(device)
    except ValueError:
        return Runtime(torch.device("cpu"))


def work_per_row(network: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """Count the multiplications of one forward pass by row, in linear and conv layers.

    Parameters
    ----------
    network : nn.Module
        Run once, in evaluation mode.
    inputs : tuple of Tensor
        A few rows of input.

    Returns
    -------
    float
    """
    total = 0.0

    def count(module: nn.Module, _: object, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor) and not isinstance(module, nn.Embedding):
            for weight in module.parameters(recurse=False):
                if weight.ndim > 1:  # every output value costs one row of the weight
                    total += weight.numel() / weight.shape[0] * output.numel()

    handles = [module.register_forward_hook(count) for module in network.modules()]
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return total / len(inputs[0])
