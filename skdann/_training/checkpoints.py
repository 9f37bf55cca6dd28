"""Checkpoints: files from which a fit that was killed goes on, each written whole or not at all.

A fit writes into a folder of its own, whose name hangs on everything that determines the fit: rows,
settings, versions. A file's name hangs on the part of the fit that it belongs to. So a file is
found by the same fit only, and what another fit has left is never taken for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import shutil
import struct
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy
import sklearn
import torch

from skdann._training.digest import digest
from skdann.exceptions import CheckpointWarning, warn_caller

# At least so many seconds lie between two files of a training; see `Checkpoints.pause`.
_SECONDS = 10.0

# ... and so many times as long as the last one took to write.
_TIMES_AS_LONG = 20

# A file starts with this, then come the number of bytes of the rest, and their checksum.
_MAGIC = b"skdann checkpoint 1\n"
_LENGTH = struct.Struct("<Q")
_CHECKSUM_BYTES = hashlib.sha256().digest_size

# A file that is being written has this ending, and is changed all the time.
_UNFINISHED = ".tmp"
_STALE_SECONDS = 600

# Says that the user has stopped the fit, which then ended as if it were complete.
_INTERRUPTED = "interrupted"

_live = threading.local()


class Checkpoints:
    """Where a part of a fit leaves its files; without a folder, nothing is written or read.

    Parameters
    ----------
    folder : Path, default=None
        The folder of the whole fit.
    name : str, default=""
        The part of the fit; names of files start with it.
    seconds : float, default=10
        At least so many seconds lie between two files of one training.
    """

    def __init__(
        self, folder: Path | None = None, name: str = "", seconds: float = _SECONDS
    ) -> None:
        self._folder = folder
        self._name = name
        self._seconds = seconds

    @classmethod
    def of_fit(cls, checkpoint_dir: Any, random_state: Any, *determined_by: Any) -> Checkpoints:
        """Return the checkpoints of a whole fit; nothing is kept if `checkpoint_dir` is None.

        Parameters
        ----------
        checkpoint_dir : path or None
        random_state : int, RandomState or None
            As the user gave it.
        *determined_by : objects
            All that the result hangs on: records, settings, trained networks to go on from.

        Raises
        ------
        ValueError
            Without a `random_state`, or if the folder can't be made.
        """
        if checkpoint_dir is None:
            return cls()
        if random_state is None:
            raise ValueError(
                "checkpoint_dir is given, and random_state is None: a fit with fresh random "
                "numbers could not be told from another one. Give it an int, such as "
                "random_state=0."
            )
        folder = Path(checkpoint_dir).absolute() / f"fit-{digest(_versions(), *determined_by)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir={str(checkpoint_dir)!r} can't be used: {error}. Give a folder "
                "that you can write to, or None."
            ) from error
        _clean(folder)
        return cls(folder, seconds=_SECONDS)

    def __bool__(self) -> bool:
        """Tell whether anything is kept."""
        return self._folder is not None

    def part(self, name: str, *determined_by: Any) -> Checkpoints:
        """Return the checkpoints of a part of this part, told from others by its name and values.

        They belong in it if the part can differ between two runs of the same fit, or if several
        parts have the same name.
        """
        if not self:
            return self
        name = f"{name}-{digest(*determined_by)}" if determined_by else name
        return Checkpoints(self._folder, f"{self._name}.{name}".lstrip("."), self._seconds)

    def pause(self, took: float = 0.0) -> float:
        """Return the seconds between two files, the last of which took so long to write."""
        return max(self._seconds, _TIMES_AS_LONG * took)

    # -- one file ----------------------------------------------------------------------------

    def write(self, state: Any, *, live: Any = None) -> None:
        """Write a file; if that fails, warn, and leave what was there.

        Parameters
        ----------
        state : anything that `torch.save` takes
        live : object, default=None
            A reference to it inside `state` is written as such, without what it holds.
        """
        if self._folder is None or not self._folder.is_dir():  # the same fit has ended elsewhere
            return
        try:
            content = io.BytesIO()
            torch.save(state, content, pickle_module=_pickling(live))
            payload = content.getbuffer()
            header = _MAGIC + _LENGTH.pack(len(payload)) + self._checksum(payload)
            _write_whole(self._file, header, payload)
        except Exception as error:  # a full disk, or what a callback holds by now
            warn_caller(
                f"A checkpoint can't be written, and the fit goes on without: {error}.",
                CheckpointWarning,
            )

    def read(self, *, trusted: bool = False, live: Any = None) -> Any:
        """Return what was written; None if there is no file, or with a warning no good one.

        Parameters
        ----------
        trusted : bool, default=False
            Whether any object may be loaded, and so any code run, or only tensors, numbers,
            strings and containers of them.
        live : object, default=None
            What takes the place of the references to `live` in `write`.
        """
        if self._folder is None:
            return None
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._refused(str(error))
        start = len(_MAGIC) + _LENGTH.size + _CHECKSUM_BYTES
        payload = memoryview(content)[start:]
        if content[:start] != _MAGIC + _LENGTH.pack(len(payload)) + self._checksum(payload):
            return self._refused("it is incomplete, or was written by something else")
        _live.object = live
        try:
            return torch.load(io.BytesIO(payload), weights_only=not trusted)
        except Exception as error:  # objects of the user's run code of the user's
            return self._refused(str(error).partition("\n")[0])
        finally:
            del _live.object

    def write_arrays(self, several: Sequence[Sequence[np.ndarray]]) -> None:
        """Write a file of lists of arrays."""
        if self:
            self.write([[torch.from_numpy(one) for one in arrays] for arrays in several])

    def read_arrays(self) -> list[list[np.ndarray]] | None:
        """Return what `write_arrays` has written, as `read` does."""
        several = self.read()
        return several and [[one.numpy() for one in arrays] for arrays in several]

    def _refused(self, why: str) -> None:
        warn_caller(
            f"The checkpoint {self._file} is of no use, and this part of the fit starts anew: "
            f"{why}.",
            CheckpointWarning,
        )

    @property
    def _file(self) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._name}.skdann"

    def _checksum(self, payload: memoryview) -> bytes:
        # With the names: a file under another name is none.
        checksum = hashlib.sha256(f"{self._file.parent.name}/{self._file.name}".encode())
        checksum.update(payload)
        return checksum.digest()

    # -- the end -----------------------------------------------------------------------------

    def keep(self) -> None:
        """Keep the files when the fit ends, for the next one."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / _INTERRUPTED).touch()

    def remove_parts(self) -> None:
        """Remove the files of this part's parts."""
        if self._folder is not None:
            for path in self._folder.glob(f"{self._name}.*.skdann"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def finish(self) -> None:
        """Remove all files of the fit, unless it was interrupted."""
        if self._folder is not None and not (self._folder / _INTERRUPTED).exists():
            shutil.rmtree(self._folder, ignore_errors=True)


def _versions() -> list[str]:
    """Return the versions of what computes numbers."""
    import skdann

    return [one.__version__ for one in (skdann, torch, np, scipy, sklearn)]


def _clean(folder: Path) -> None:
    """Remove what killed processes have left half written, and an earlier interrupt's mark."""
    (folder / _INTERRUPTED).unlink(missing_ok=True)
    for path in folder.glob(f"*{_UNFINISHED}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()


def _write_whole(path: Path, *parts: Any) -> None:
    """Write a file so that, whenever the machine stops, it is there as it was or as it will be."""
    unfinished = path.with_name(f"{uuid.uuid4().hex}{_UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder can't be opened
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# -- objects that stay where they are ------------------------------------------------------------


def _the_live_object() -> Any:
    return _live.object


def _pickling(live: Any) -> Any:
    """Return what `torch.save` takes for the module pickle; `live` is written as a reference."""
    if live is None:
        return pickle

    class WithLive(pickle.Pickler):
        def reducer_override(self, value: Any) -> Any:
            return (_the_live_object, ()) if value is live else NotImplemented

    return SimpleNamespace(__name__="pickle", Pickler=WithLive)
