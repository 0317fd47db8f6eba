"""One real aiocluster node as a process of its own, driven by JSON lines.

The one argument is the node's configuration, a JSON object (see `read_config`). The first line written is
`{"ready": true}`. From then on each line on standard input is a request `{"id": ..., "command": ..., ...}`, and each
is answered by one line, `{"id": ..., "result": ...}` or `{"id": ..., "error": ...}`, in the order of the requests.

The end of standard input ends the process at once, so that no node outlives the one who started it.
"""

import asyncio
import json
import logging
import os
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any

from aiocluster import Cluster, Config, FailureDetectorConfig, NodeId
from aiocluster.protos.messages_pb2 import PacketPb
from google.protobuf.message import DecodeError

MAX_REQUEST_BYTES = 64 * 1024 * 1024

type Json = dict[str, Any]
type Command = Callable[[Json], Awaitable[Any]]


class ErrorCounter(logging.Handler):
    """Counts the errors that the library logs: each is an exception that it did not expect."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, _record: logging.LogRecord) -> None:
        self.count += 1


class ObservedCluster(Cluster):
    """The real node with what passes its sockets counted and, on request, held back. Nothing else is changed."""

    def __init__(self, config: Config, initial_key_values: dict[str, str], rng: Random) -> None:
        super().__init__(config, initial_key_values, rng)
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.bytes_sent = 0
        self.bytes_received = 0
        self.largest_sent = 0
        self.refused = 0
        self.held_back: dict[str, float] = {}

    async def _read_message(self, reader: StreamReader) -> bytes:
        try:
            packet = await super()._read_message(reader)
        except ValueError:
            self.refused += 1
            raise
        self.received[kind_of_bytes(packet)] += 1
        self.bytes_received += len(packet)
        return packet

    async def _write_message(self, writer: StreamWriter, packet: PacketPb) -> None:
        kind = kind_of(packet)
        if (seconds := self.held_back.get(kind)) is not None:
            await asyncio.sleep(seconds)
        await super()._write_message(writer, packet)
        size = packet.ByteSize()
        self.sent[kind] += 1
        self.bytes_sent += size
        self.largest_sent = max(self.largest_sent, size)


class Peer:
    """The commands, by name: what a request may ask for."""

    def __init__(self, cluster: ObservedCluster, errors: ErrorCounter) -> None:
        self.cluster = cluster
        self.errors = errors
        self.commands: dict[str, Command] = {
            "set": self.set,
            "set_many": self.set_many,
            "set_with_ttl": self.set_with_ttl,
            "delete": self.delete,
            "delete_after_ttl": self.delete_after_ttl,
            "get": self.get,
            "snapshot": self.snapshot,
            "stats": self.stats,
            "round": self.round,
            "gossip_with": self.gossip_with,
            "hold_back": self.hold_back,
            "stop": self.stop,
        }

    async def answer(self, request: Json) -> Any:
        command = self.commands.get(request["command"])
        if command is None:
            raise LookupError(f"unknown command {request['command']!r}; known: {', '.join(self.commands)}")
        return await command(request)

    async def set(self, request: Json) -> None:
        self.cluster.set(request["key"], request["value"])

    async def set_many(self, request: Json) -> None:
        for key, value in request["pairs"].items():
            self.cluster.set(key, value)

    async def set_with_ttl(self, request: Json) -> None:
        self.cluster.set_with_ttl(request["key"], request["value"])

    async def delete(self, request: Json) -> None:
        self.cluster.delete(request["key"])

    async def delete_after_ttl(self, request: Json) -> None:
        self.cluster.delete_after_ttl(request["key"])

    async def get(self, request: Json) -> str | None:
        return self.cluster.get(request["key"])

    async def snapshot(self, request: Json) -> Json:
        """All that this node holds; without the key-values themselves where `keys` is false."""
        snapshot = self.cluster.snapshot()
        return {
            "self": node_id_to_json(snapshot.self_node_id),
            "live": [node_id_to_json(node_id) for node_id in self.cluster.live_nodes()],
            "dead": [node_id_to_json(node_id) for node_id in snapshot.dead_nodes],
            "nodes": [
                {
                    "node_id": node_id_to_json(node_id),
                    "heartbeat": state.heartbeat,
                    "max_version": state.max_version,
                    "last_gc_version": state.last_gc_version,
                    "key_count": len(state.key_values),
                    "key_values": [
                        {"key": key, "value": held.value, "version": held.version, "status": held.status.name}
                        for key, held in state.key_values.items()
                    ]
                    if request.get("keys", True)
                    else [],
                }
                for node_id, state in snapshot.node_states.items()
            ],
        }

    async def stats(self, _request: Json) -> Json:
        cluster = self.cluster
        return {
            "sent": dict(cluster.sent),
            "received": dict(cluster.received),
            "bytes_sent": cluster.bytes_sent,
            "bytes_received": cluster.bytes_received,
            "largest_sent": cluster.largest_sent,
            "refused": cluster.refused,
            "errors": self.errors.count,
        }

    async def round(self, _request: Json) -> None:
        """One gossip round now, garbage collection included."""
        await self.cluster._gossip_multiple()

    async def gossip_with(self, request: Json) -> None:
        """One exchange now, with whoever listens at that address."""
        await self.cluster._gossip(request["host"], request["port"])

    async def hold_back(self, request: Json) -> None:
        """From now on waits this long before it sends a packet of this kind, with the connection open."""
        self.cluster.held_back[request["kind"]] = request["seconds"]

    async def stop(self, _request: Json) -> None:
        await self.cluster.close()


def kind_of(packet: PacketPb) -> str:
    return packet.WhichOneof("msg") or "none"


def kind_of_bytes(packet: bytes) -> str:
    try:
        return kind_of(PacketPb.FromString(packet))
    except DecodeError:
        return "invalid"


def node_id_to_json(node_id: NodeId) -> Json:
    host, port = node_id.gossip_advertise_addr
    return {
        "name": node_id.name,
        "generation_id": node_id.generation_id,
        "host": host,
        "port": port,
        "tls_name": node_id.tls_name,
    }


def read_config(given: Json) -> Config:
    """Makes aiocluster's configuration; times are in seconds, and what is not given keeps aiocluster's default."""
    node_id = NodeId(
        name=given["name"],
        generation_id=given["generation_id"],
        gossip_advertise_addr=(given["host"], given["port"]),
        tls_name=given.get("tls_name"),
    )
    detector: Json = {
        field: timedelta(seconds=value) if field.endswith(("_interval", "_period")) else value
        for field, value in given.get("failure_detector", {}).items()
    }
    plain = {
        field: given[field]
        for field in (
            "cluster_id",
            "gossip_interval",
            "gossip_count",
            "marked_for_deletion_grace_period",
            "max_payload_size",
            "connect_timeout",
            "read_timeout",
            "write_timeout",
        )
        if field in given
    }
    tls: Json | None = given.get("tls")
    return Config(
        node_id=node_id,
        seed_nodes=[(host, port) for host, port in given.get("seeds", [])],
        failure_detector=FailureDetectorConfig(**detector),
        tls_server_context=server_context(tls) if tls else None,
        tls_client_context=client_context(tls) if tls else None,
        tls_server_hostname=tls["server_hostname"] if tls else None,
        **plain,
    )


def server_context(tls: Json) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls["certificates"], tls["key"])
    if not tls["server_only"]:
        context.load_verify_locations(tls["authorities"])
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(tls: Json) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls["authorities"])
    if not tls["server_only"]:
        context.load_cert_chain(tls["certificates"], tls["key"])
    return context


def write_line(line: Json) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def open_requests() -> StreamReader:
    reader = StreamReader(limit=MAX_REQUEST_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def main() -> None:
    given: Json = json.loads(sys.argv[1])
    errors = ErrorCounter()
    logging.basicConfig(level=given.get("log_level", "WARNING"), format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger().addHandler(errors)

    rng = Random(given.get("random_seed", given["generation_id"]))
    cluster = ObservedCluster(read_config(given), given.get("initial_key_values", {}), rng)
    await cluster.start()
    peer = Peer(cluster, errors)
    requests = await open_requests()
    write_line({"ready": True})

    while line := await requests.readline():
        request: Json = json.loads(line)
        try:
            answer: Json = {"result": await peer.answer(request)}
        except Exception as exc:
            answer = {"error": f"{type(exc).__name__}: {exc}"}
        write_line({"id": request["id"]} | answer)
        if request["command"] == "stop":
            return
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
