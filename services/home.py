"""The home folder: where one deployment on this machine keeps its files, and who may use it.

Layout, made at first use with mode 0700 (secret files 0600):

    ready.json    where everything answers; there only while everything does
    status.json   what the supervisor last knew of each child
    token         the operator's token for the API
    logs/ run/    each child's log; each child's process id, and the lock
    kafka/ relay/ clickhouse/ wallet/    what the embedded parts keep
    keys/ secrets/                       merchants' keys; everything else that must not be read
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.topics import PARTITIONS_DEFAULT

HOME_VARIABLE: Final = "NCC_HOME"
HOME_DEFAULT: Final = ".ncc"


class HomeBusyError(Exception):
    """Another supervisor uses this home folder; its message is for the operator."""


class Ready(BaseModel):
    """Where a running deployment answers (`ready.json`)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    relay: str
    """The embedded relay, `ws://127.0.0.1:PORT`."""
    api: str
    """The operator's API, `http://127.0.0.1:PORT`."""
    kafka: str
    """The broker's bootstrap address, `127.0.0.1:PORT`."""
    token_file: str
    """The file that holds the API token; the token itself stands nowhere else."""
    pid: int
    """The supervisor's process id."""
    partitions: int = PARTITIONS_DEFAULT
    """How many partitions every topic of this deployment has."""


@dataclass(frozen=True)
class Home:
    """One home folder; naming a path in it makes the folders that the path needs, and nothing else."""

    root: Path

    @classmethod
    def find(cls, option: str | os.PathLike[str] | None, environ: Mapping[str, str] = os.environ) -> Self:
        """The folder the operator named, else `NCC_HOME`, else `.ncc` in the working folder; makes nothing."""
        chosen = option or environ.get(HOME_VARIABLE) or HOME_DEFAULT
        return cls(Path(chosen).expanduser().absolute())

    @property
    def ready_file(self) -> Path:
        return self.root / "ready.json"

    @property
    def status_file(self) -> Path:
        return self.root / "status.json"

    @property
    def token_file(self) -> Path:
        return self.root / "token"

    @property
    def logs(self) -> Path:
        return self._folder("logs")

    @property
    def run(self) -> Path:
        return self._folder("run")

    @property
    def kafka(self) -> Path:
        return self._folder("kafka")

    @property
    def relay(self) -> Path:
        return self._folder("relay")

    @property
    def clickhouse(self) -> Path:
        return self._folder("clickhouse")

    @property
    def wallet(self) -> Path:
        return self._folder("wallet")

    @property
    def keys(self) -> Path:
        return self._folder("keys")

    @property
    def secrets(self) -> Path:
        return self._folder("secrets")

    def token(self) -> str:
        """The operator's token, made at first use."""
        if not self.token_file.exists():
            write_atomic(self.token_file, secrets.token_urlsafe(32).encode())
        return self.token_file.read_text().strip()

    def ready(self) -> Ready | None:
        """Where the deployment of this home answers; None when nothing runs here or not everything answers.

        A file that a killed supervisor left behind counts as nothing: its lock went with it.
        """
        try:
            ready = Ready.model_validate_json(self.ready_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return ready if self.is_held() else None

    def is_held(self) -> bool:
        """Whether a living supervisor holds this home."""
        try:
            file = os.open(self._lock_file, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Holds this home for one supervisor; raises HomeBusyError while another does.

        The lock is the kernel's (flock), so it ends with the process however that ends.
        """
        file = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeBusyError(self._who_holds(file)) from None
            os.truncate(file, 0)
            os.pwrite(file, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(file)

    def _who_holds(self, file: int) -> str:
        pid = os.pread(file, 20, 0).decode(errors="replace") or "unknown"
        return (
            f"the home folder {self.root} is in use by process {pid}: stop that one first, "
            f"or choose another folder with --home or {HOME_VARIABLE}"
        )

    @property
    def _lock_file(self) -> Path:
        return self.root / "run" / "lock"

    def _folder(self, name: str) -> Path:
        # Only what is made here gets the mode: the operator may have pointed us at a folder of their own.
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self.root / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Writes a whole file or nothing: a reader sees the old content or the new one, also after a crash.

    Makes the parent folder (0700); `mode` is the new file's.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise
