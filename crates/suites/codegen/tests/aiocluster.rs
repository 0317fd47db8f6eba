//! The schema, without the fields of ours, is the wire that Python aiocluster 1.1.0 speaks.

use std::collections::BTreeSet;

use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use protox::prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

/// Message, field number, field name, type.
const WIRE: &[(&str, i32, &str, &str)] = &[
    ("PacketPb", 1, "cluster_id", "string"),
    ("PacketPb", 2, "syn", "SynPb in msg"),
    ("PacketPb", 3, "synack", "SynAckPb in msg"),
    ("PacketPb", 4, "ack", "AckPb in msg"),
    ("PacketPb", 5, "bad_cluster", "BadClusterPb in msg"),
    ("SynPb", 2, "digest", "DigestPb"),
    ("SynAckPb", 2, "digest", "DigestPb"),
    ("SynAckPb", 3, "delta", "DeltaPb"),
    ("AckPb", 3, "delta", "DeltaPb"),
    ("AddressPb", 1, "host", "string"),
    ("AddressPb", 2, "port", "uint32"),
    ("NodeIdPb", 1, "name", "string"),
    ("NodeIdPb", 2, "generation_id", "uint64"),
    ("NodeIdPb", 3, "gossip_advertise_addr", "AddressPb"),
    ("NodeIdPb", 4, "tls_name", "string"),
    ("NodeDigestPb", 1, "node_id", "NodeIdPb"),
    ("NodeDigestPb", 2, "heartbeat", "uint64"),
    ("NodeDigestPb", 3, "last_gc_version", "uint64"),
    ("NodeDigestPb", 4, "max_version", "uint64"),
    ("DigestPb", 1, "node_digests", "repeated NodeDigestPb"),
    ("KeyValueUpdatePb", 1, "key", "string"),
    ("KeyValueUpdatePb", 2, "value", "string"),
    ("KeyValueUpdatePb", 3, "version", "uint64"),
    ("KeyValueUpdatePb", 4, "status", "VersionStatusEnumPb"),
    ("NodeDeltaPb", 1, "node_id", "NodeIdPb"),
    ("NodeDeltaPb", 2, "from_version_excluded", "uint64"),
    ("NodeDeltaPb", 3, "last_gc_version", "uint64"),
    ("NodeDeltaPb", 4, "key_values", "repeated KeyValueUpdatePb"),
    ("NodeDeltaPb", 5, "max_version", "optional uint64"),
    ("DeltaPb", 1, "node_deltas", "repeated NodeDeltaPb"),
];

/// Messages without fields have no row above.
const EMPTY_MESSAGES: &[&str] = &["BadClusterPb"];

/// What aiocluster has nothing like.
const OWN_TYPES: &[&str] = &["TidingsPacketPb", "TidingsPb", "KindPb", "StatusPb", "EntryPb", "RangePb", "ReportPb"];

const STATUSES: &[(i32, &str)] = &[(0, "SET"), (1, "DELETED"), (2, "DELETE_AFTER_TTL")];

/// Numbers from here on are ours.
const FIRST_OWN_NUMBER: i32 = 100;

#[test]
fn the_fields_below_100_are_those_of_aiocluster() {
    let file = schema();
    let fields: BTreeSet<_> = file
        .message_type
        .iter()
        .flat_map(|message| message.field.iter().map(move |field| (message, field)))
        .filter(|(_, field)| field.number() < FIRST_OWN_NUMBER)
        .map(|(message, field)| {
            (message.name().to_owned(), field.number(), field.name().to_owned(), type_of(message, field))
        })
        .collect();
    let wire = WIRE
        .iter()
        .map(|(message, number, name, field_type)| {
            (message.to_string(), *number, name.to_string(), field_type.to_string())
        })
        .collect();
    assert_eq!(fields, wire);
}

#[test]
fn the_messages_and_the_statuses_are_those_of_aiocluster() {
    let file = schema();
    let messages: BTreeSet<&str> = file.message_type.iter().map(DescriptorProto::name).collect();
    assert_eq!(messages, WIRE.iter().map(|row| row.0).chain(EMPTY_MESSAGES.iter().copied()).collect());
    let [status] = &file.enum_type[..] else { panic!("one enum, not {}", file.enum_type.len()) };
    let statuses: Vec<_> = status.value.iter().map(|value| (value.number(), value.name())).collect();
    assert_eq!((status.name(), &statuses[..]), ("VersionStatusEnumPb", STATUSES));
}

#[test]
fn the_schema_is_proto3_and_has_no_package() {
    let file = schema();
    assert_eq!((file.syntax(), file.package.as_deref()), ("proto3", None));
}

/// What is left of the schema without the dialect between nodes of ours.
fn schema() -> FileDescriptorProto {
    let mut files = tidings_codegen::schema().expect("the schema parses").file;
    assert_eq!(files.len(), 1, "the schema imports nothing");
    let mut file = files.remove(0);
    file.message_type.retain(|message| !OWN_TYPES.contains(&message.name()));
    file.enum_type.retain(|of_ours| !OWN_TYPES.contains(&of_ours.name()));
    file
}

/// The type as a row of the table has it: its label, its name, and the oneof it stands in.
fn type_of(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let name = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    let optional = field.proto3_optional();
    let label = match field.label() {
        Label::Repeated => "repeated ",
        _ if optional => "optional ",
        _ => "",
    };
    let oneof =
        field.oneof_index.filter(|_| !optional).and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
    let suffix = oneof.map_or_else(String::new, |oneof| format!(" in {}", oneof.name()));
    format!("{label}{name}{suffix}")
}
