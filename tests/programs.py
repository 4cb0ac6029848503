"""Finds the programs that the tests run, and the accounts to run them by."""

import os
import pwd
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class MissingProgramError(RuntimeError):
    """A program that the tests need is not installed; the message tells how to install it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program by its possible names, its Debian package, and where to look: in folders (as patterns), or on PATH."""

    names: tuple[str, ...]
    package: str
    places: tuple[str, ...] = ("PATH",)

    def path(self) -> Path:
        """Where the program is; `MissingProgramError` if nowhere."""
        folders = os.pathsep.join(self._folders())
        for name in self.names:
            if found := shutil.which(name, path=folders):
                return Path(found)
        raise MissingProgramError(
            f"the tests need {' or '.join(self.names)}, which is not installed; "
            f"install it: sudo apt-get install -y --no-install-recommends {self.package}"
        )

    def _folders(self) -> Iterator[str]:
        for place in self.places:
            yield from os.get_exec_path() if place == "PATH" else _matching(place)


def take_account(name: str, directory: Path) -> list[str]:
    """Under root, gives the directory to an account, and returns the command that runs a program by it; else nothing.

    The account is `nobody` where there is none of that name.
    """
    if os.geteuid() != 0:
        return []
    known = {account.pw_name: account for account in pwd.getpwall()}
    account = known.get(name) or known["nobody"]
    shutil.chown(directory, account.pw_uid, account.pw_gid)
    # setpriv replaces itself by the program, so that the process is the server; su and runuser would stay between.
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def _matching(pattern: str) -> list[str]:
    return sorted(map(str, Path("/").glob(pattern.lstrip("/"))), reverse=True)
