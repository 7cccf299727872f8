"""Processes that train one network, started by torch's elastic launcher."""

import dataclasses
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

# What a process runs: it finds the modules that the one which starts it finds. It does
# not run that one's script again. Once it is done it ends at once: threads of process
# groups that are there while Python ends can crash it.
_COMMAND = (
    "import json, os, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from importlib import import_module; "
    "import_module(sys.argv[2]).main(*sys.argv[3:]); "
    "sys.stdout.flush(); sys.stderr.flush(); os._exit(0)"
)
_STARTED_BY = "SKDL_STARTED_BY"
_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
_PATIENCE = 5  # seconds until what does not end is killed


class DeadProcessError(RuntimeError):
    """One of the processes has ended without a word."""


def launch(n_processes: int, module: str, *arguments: str) -> None:
    """Run `main` of a module in so many processes, until all have ended.

    They find in their environment what torchrun would tell them, so that they can meet.
    If one ends badly the others are ended.

    Parameters
    ----------
    n_processes : int
        At least one.
    module : str
        Has a function `main`.
    *arguments : str
        What it takes.

    Raises
    ------
    DeadProcessError
        If one of them has not ended well.
    KeyboardInterrupt
        If interrupted; the processes are ended.
    """
    command = ("-c", _COMMAND, json.dumps(sys.path), module, *arguments)
    # The launcher makes a folder for logs, which it would leave behind.
    with _surroundings(), tempfile.TemporaryDirectory() as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=n_processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            local_addr="localhost",
            logs_specs=DefaultLogsSpecs(log_dir=logs),
            **_where_there(
                signals_to_handle=",".join(_SIGNALS), shutdown_timeout=_PATIENCE
            ),
        )
        try:
            elastic_launch(config, sys.executable)(*command)
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            number = -failure.exitcode
            how = f"ended with exit code {failure.exitcode}"
            if number > 0:
                how = f"was ended by {signal.Signals(number).name}"
            raise DeadProcessError(f"process {rank} of {n_processes} {how}") from None
        except SignalException as error:
            raise KeyboardInterrupt(str(error)) from None


def _where_there(**options: Any) -> dict[str, Any]:
    """Return those options of the launcher that this version of torch has."""
    known = {field.name for field in dataclasses.fields(LaunchConfig)}
    return {name: value for name, value in options.items() if name in known}


@contextmanager
def _surroundings() -> Iterator[None]:
    """Take back what the launcher changes, and keep its log, which is told better."""
    known = [getattr(signal, name, None) for name in _SIGNALS]
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {s: signal.getsignal(s) for s in known if s is not None and is_main}
    environment = dict(os.environ)
    loggers = [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.startswith("torch.distributed.elastic")
    ]
    disabled = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    os.environ[_STARTED_BY] = str(os.getpid())
    try:
        yield
    finally:
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
        for logger, was in zip(loggers, disabled, strict=True):
            logger.disabled = was
        for number, handler in handlers.items():
            signal.signal(number, handler)


def end_with_the_starter() -> None:
    """End this process as soon as the one that has started it is gone."""
    starter = int(os.environ[_STARTED_BY])

    def watch() -> None:
        while os.getppid() == starter:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
