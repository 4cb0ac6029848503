"""Reads the broker itself: which jobs wait in it, and, in Redis's log of commands, what became of each message."""

import json
from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from urllib.parse import urlsplit

import redis

from tests.servers import RedisServer


class Step(StrEnum):
    """What Redis was told of a job's message."""

    SENT = "sent"
    NOTED = "noted"  # by a worker, as taken and not acknowledged
    CLEARED = "cleared"  # the note, since the message was acknowledged; or is restored, in the same transaction
    RESTORED = "restored"  # to its queue, since its worker did not acknowledge it in time


class Broker:
    """One Redis database as a broker. What happened in it is told by Redis's append-only file."""

    def __init__(self, server: RedisServer, url: str) -> None:
        self._server = server
        self._database = urlsplit(url).path.removeprefix("/")
        self._client = redis.Redis.from_url(url)
        self._client.config_set("auto-aof-rewrite-percentage", 0)  # the file would otherwise be condensed some time

    def jobs(self) -> set[str]:
        """The jobs whose messages are in a queue, or with a worker that has not acknowledged them."""
        queued = [text for key in self._client.scan_iter(_type="list") for text in self._client.lrange(key, 0, -1)]
        taken = [json.loads(entry)[0] for entry in self._client.hvals("unacked")]
        return {_job(json.loads(text)) for text in queued} | {_job(message) for message in taken}

    def messages(self) -> dict[str, list[Step]]:
        """What Redis was told last of each message that a job ever had."""
        jobs: dict[str, str] = {}
        last: dict[str, Step] = {}
        for name, *arguments in self._commands():
            if name in {b"LPUSH", b"RPUSH"}:
                message = json.loads(arguments[1])
                tag = message["properties"]["delivery_tag"]
                jobs[tag] = _job(message)
                last[tag] = Step.SENT if name == b"LPUSH" else Step.RESTORED
            elif name in {b"HSET", b"HDEL"} and arguments[0] == b"unacked":
                last[arguments[1].decode()] = Step.NOTED if name == b"HSET" else Step.CLEARED
        steps = defaultdict(list)
        for tag, job in jobs.items():
            steps[job].append(last[tag])
        return steps

    def _commands(self) -> Iterator[list[bytes]]:
        is_ours = False
        for path in sorted(self._server.directory.glob("appendonlydir/*.incr.aof")):
            for command in _parsed(path.read_bytes()):
                if command[0].upper() == b"SELECT":
                    is_ours = command[1].decode() == self._database
                elif is_ours:
                    yield [command[0].upper(), *command[1:]]


def _parsed(data: bytes) -> Iterator[list[bytes]]:
    """Take Redis's protocol apart: `*2`, then for each of the two words `$length` and the word itself."""
    at = 0
    while at < len(data):
        line_end = data.index(b"\r\n", at)
        if data[at : at + 1] != b"*":  # a note, such as the time
            at = line_end + 2
            continue
        words = []
        count, at = int(data[at + 1 : line_end]), line_end + 2
        for _ in range(count):
            line_end = data.index(b"\r\n", at)
            length, at = int(data[at + 1 : line_end]), line_end + 2
            words.append(data[at : at + length])
            at += length + 2
        yield words


def _job(message: dict[str, dict[str, str]]) -> str:
    return message["headers"]["id"]
