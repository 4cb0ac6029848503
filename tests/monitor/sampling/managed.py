"""A RabbitMQ node with its management API, and an SQS endpoint, for the samplers that ask them."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, TypeVar

from tests.servers import HOST, RabbitServer, free_port

PATIENCE_S = 30

Value = TypeVar("Value")


class ManagedRabbit(RabbitServer):
    """A RabbitMQ node that also answers HTTP, and refreshes what it tells there every second."""

    def __init__(self, directory: Path) -> None:
        self.api_port = free_port()
        super().__init__(directory)

    @property
    def api_url(self) -> str:
        """The management API, with its account."""
        return f"http://guest:guest@{HOST}:{self.api_port}"

    def start(self) -> Self:
        """Starts the node with the plugin."""
        plugins = self.directory / "plugins"
        plugins.write_text("[rabbitmq_management].\n")
        plugins.chmod(0o644)
        return super().start()

    def settings(self) -> Mapping[str, str]:
        """The plugin, on a port of its own."""
        of_server = super().settings()
        listener = f'-rabbitmq_management listener [{{port,{self.api_port}}},{{ip,"{HOST}"}}]'
        often = "-rabbit collect_statistics_interval 1000"
        erlang = of_server["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]
        return {
            **of_server,
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{erlang} {listener} {often}",
        }


def until(question: Callable[[], Value], is_right: Callable[[Value], bool]) -> Value:
    """Ask again and again until the answer is right, or patience ends; return the last answer."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = question()
        if is_right(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)
