"""Decodes packets with aiocluster's own protobuf classes and prints them as JSON, one line for each file named.

Field and enum names are the schema's, integers are numbers; a field that is not on the wire is left out.
"""

import json
import sys
from pathlib import Path
from typing import Any

from aiocluster.protos.messages_pb2 import PacketPb
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message


def to_json(message: Message) -> dict[str, Any]:
    return {field.name: field_to_json(field, value) for field, value in message.ListFields()}


def field_to_json(field: FieldDescriptor, value: Any) -> Any:
    if hasattr(value, "append"):  # only a repeated field has it
        return [scalar_to_json(field, item) for item in value]
    return scalar_to_json(field, value)


def scalar_to_json(field: FieldDescriptor, value: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return to_json(value)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return field.enum_type.values_by_number[value].name
    return value


def main() -> None:
    for name in sys.argv[1:]:
        packet = PacketPb.FromString(Path(name).read_bytes())
        kind = packet.WhichOneof("msg")
        print(json.dumps({"kind": kind, "cluster_id": packet.cluster_id, "packet": to_json(packet)}))


if __name__ == "__main__":
    main()
