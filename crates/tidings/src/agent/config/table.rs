//! Every setting: its name in the file, what it is for, and where its value is kept. Flags, environment, file and help
//! are all made from this table.

use super::field::Field::{
    self, Address, Addresses, Bounded, Count, Decimal, File, Number, OptionalAddress, OptionalNumber, OptionalText,
    OptionalTime, Pairs, Socket, Switch, Text, Time,
};

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its place in the file: `section.field`.
    pub(crate) name: &'static str,
    /// What it is for, in one sentence or two.
    pub(crate) help: &'static str,
    /// A value that it could have, in TOML, for those that have none by default.
    pub(crate) example: &'static str,
    pub(crate) field: Field,
}

/// Where a name differs from what the rules of `flag` and `env` make of it.
const FLAGS: [(&str, &str); 3] = [("seeds", "seed"), ("key_values", "set"), ("http.listen", "http")];
const ENVS: [(&str, &str); 1] = [("log.filter", "RUST_LOG")];

impl Setting {
    /// The flag, without its dashes.
    pub(crate) fn flag(&self) -> String {
        renamed(&FLAGS, self.name).map_or_else(|| self.name.replace(['.', '_'], "-"), str::to_string)
    }

    /// The environment's variable.
    pub(crate) fn env(&self) -> String {
        renamed(&ENVS, self.name)
            .map_or_else(|| format!("TIDINGS_{}", self.name.replace('.', "_").to_uppercase()), str::to_string)
    }

    /// The section of the file that it stands in; empty for the top.
    pub(crate) fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The name within its section.
    pub(crate) fn key(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, key)| key)
    }

    /// What stands for the value in the help.
    pub(crate) fn placeholder(&self) -> &'static str {
        match self.field {
            Text(_) | OptionalText(_) => "TEXT",
            Address(_) | OptionalAddress(_) | Addresses(_) => "HOST:PORT",
            Pairs(_) => "KEY=VALUE",
            Time(_) | OptionalTime(_) => "TIME",
            Count(_) | Bounded(..) | Number(_) | OptionalNumber(_) | Decimal(_) => "NUMBER",
            Switch(_) => "true|false",
            File(_) => "FILE",
            Socket(_) => "IP:PORT",
            Field::LogFormat(_) => "text|json",
        }
    }
}

fn renamed(names: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    names.iter().find(|(from, _)| *from == name).map(|(_, to)| *to)
}

const fn row(name: &'static str, help: &'static str, field: Field) -> Setting {
    Setting { name, help, example: "", field }
}

const fn without_default(name: &'static str, help: &'static str, example: &'static str, field: Field) -> Setting {
    Setting { name, help, example, field }
}

/// All settings, in the order of the file: those of one section stand together, the top before all sections.
#[rustfmt::skip]
pub(crate) const SETTINGS: &[Setting] = &[
    without_default("name", "This node's name, unique in its cluster and the same at every start.", r#""one""#,
        Text(|s| &mut s.name)),
    row("listen", "Where to listen for gossip; port 0 lets the system choose.", Address(|s| &mut s.listen)),
    without_default("advertise", "Where other nodes reach this one, if that is not where it listens.",
        r#""node1.example:7000""#, OptionalAddress(|s| &mut s.advertise)),
    row("seeds", "Nodes to begin with. A name may stand for many, as that of a headless service.",
        Addresses(|s| &mut s.seeds)),
    row("cluster_id", "The cluster to belong to; nodes of another one are not spoken to.",
        Text(|s| &mut s.protocol.cluster_id)),
    without_default("generation", "Which run of the node this is, higher than the last; without it, the wall clock's nanoseconds.",
        "1", OptionalNumber(|s| &mut s.generation)),
    row("names_are_tls_names", "Over TLS: refuse a node whose certificate is for another name than its own; the same on every node.",
        Switch(|s| &mut s.protocol.names_are_tls_names)),
    row("key_values", "Key-values to start with.", Pairs(|s| &mut s.key_values)),
    row("gossip_interval", "Time between two gossip rounds, 1ms to 1h.", Time(|s| &mut s.protocol.gossip_interval)),
    row("gossip_count", "How many live nodes a round gossips with, 1 to 64.", Count(|s| &mut s.protocol.gossip_count)),
    row("marked_for_deletion_grace_period", "How long a deleted key is remembered, 1ms to 365days; a node cut off for longer is sent everything again.",
        Time(|s| &mut s.protocol.marked_for_deletion_grace_period)),
    row("max_payload_size", "The largest packet to send, in bytes, 512 to 16 MiB; the same on every node.",
        Count(|s| &mut s.protocol.max_payload_size)),
    row("max_concurrent_gossip", "How many exchanges this node has open by its own dialling, 1 to 4096.",
        Count(|s| &mut s.protocol.max_concurrent_gossip)),
    row("connect_timeout", "How long resolving and connecting may take, TLS included.",
        Time(|s| &mut s.protocol.exchange_timeouts.connect)),
    row("packet_timeout", "How long each step of an exchange may take: our packet to go, the peer's to come.",
        Time(|s| &mut s.protocol.exchange_timeouts.packet)),
    row("exchange_timeout", "How long an exchange may take in all.",
        Time(|s| &mut s.protocol.exchange_timeouts.whole)),
    row("resolve_interval", "How long the addresses of a host name are used before it is resolved again.",
        Time(|s| &mut s.resolve_interval)),
    row("leave_timeout", "How long a stop goes on telling peers that this node leaves.", Time(|s| &mut s.leave_timeout)),
    row("shutdown_timeout", "How long a stop then waits for open exchanges.", Time(|s| &mut s.shutdown_timeout)),
    row("event_buffer", "How many events are kept for a slow subscriber.", Count(|s| &mut s.event_buffer)),

    row("failure_detector.phi_threshold", "A node is dead when phi passes this: above 0, up to 1000.",
        Decimal(|s| &mut s.protocol.failure_detector.phi_threshold)),
    row("failure_detector.sampling_window_size", "How many heartbeat intervals the mean remembers.",
        Number(|s| &mut s.protocol.failure_detector.sampling_window_size)),
    without_default("failure_detector.max_interval", "A longer interval is no sample; without it, 10s, or ten gossip intervals if that is more.",
        r#""10s""#, OptionalTime(|s| &mut s.protocol.failure_detector.max_interval)),
    without_default("failure_detector.initial_interval", "The interval expected before any was seen; without it, the gossip interval, but at least 1s.",
        r#""1s""#, OptionalTime(|s| &mut s.protocol.failure_detector.initial_interval)),
    row("failure_detector.prior_weight", "How many samples the initial interval counts for, 0 to 1000.",
        Decimal(|s| &mut s.protocol.failure_detector.prior_weight)),
    row("failure_detector.local_health_weight", "How much longer others may be silent while this node's own exchanges fail, 0 to 100.",
        Decimal(|s| &mut s.protocol.failure_detector.local_health_weight)),
    row("failure_detector.dead_node_grace_period", "How long a dead node is remembered.",
        Time(|s| &mut s.protocol.failure_detector.dead_node_grace_period)),

    row("limits.max_nodes", "Other nodes known at once, dead ones included.", Count(|s| &mut s.protocol.limits.max_nodes)),
    row("limits.max_forgotten_nodes", "Forgotten nodes remembered.", Count(|s| &mut s.protocol.limits.max_forgotten_nodes)),
    row("limits.max_keys_per_node", "Keys of one node, deleted ones included.", Count(|s| &mut s.protocol.limits.max_keys_per_node)),
    row("limits.max_state_bytes_per_node", "Bytes of one node's keys and values, and 224 for each key.",
        Count(|s| &mut s.protocol.limits.max_state_bytes_per_node)),
    row("limits.max_state_bytes", "The same of all other nodes together.", Count(|s| &mut s.protocol.limits.max_state_bytes)),
    row("limits.max_accepted_exchanges", "Exchanges that peers have open to this node.",
        Count(|s| &mut s.protocol.limits.max_accepted_exchanges)),
    row("limits.max_accepted_exchanges_per_ip", "The same for one IP address.",
        Count(|s| &mut s.protocol.limits.max_accepted_exchanges_per_ip)),
    row("limits.max_queued_events", "Events that wait to be handed out.", Count(|s| &mut s.protocol.limits.max_queued_events)),
    row("limits.max_queued_event_bytes", "Bytes that these may hold on to.",
        Count(|s| &mut s.protocol.limits.max_queued_event_bytes)),

    row("limits.decode.max_packet_bytes", "The longest packet taken, in bytes, at least twice max_payload_size.",
        Count(|s| &mut s.protocol.limits.decode.max_packet_bytes)),
    row("limits.decode.max_name_bytes", "The longest cluster id, node name, host and certificate name.",
        Count(|s| &mut s.protocol.limits.decode.max_name_bytes)),
    row("limits.decode.max_key_bytes", "The longest key.", Count(|s| &mut s.protocol.limits.decode.max_key_bytes)),
    row("limits.decode.max_value_bytes", "The longest value.", Count(|s| &mut s.protocol.limits.decode.max_value_bytes)),
    row("limits.decode.max_digest_entries", "The most nodes in a digest.", Count(|s| &mut s.protocol.limits.decode.max_digest_entries)),
    row("limits.decode.max_node_deltas", "The most nodes in a delta.", Count(|s| &mut s.protocol.limits.decode.max_node_deltas)),
    row("limits.decode.max_key_values", "The most key-values in a delta.", Count(|s| &mut s.protocol.limits.decode.max_key_values)),

    without_default("tls.certificates", "This node's certificate and those between it and its authority, PEM. With key and authorities: TLS.",
        r#""/etc/tidings/node.crt""#, File(|s| &mut s.tls.certificates)),
    without_default("tls.key", "The private key, PEM.", r#""/etc/tidings/node.key""#, File(|s| &mut s.tls.key)),
    without_default("tls.authorities", "The authorities whose certificates are accepted, PEM.",
        r#""/etc/tidings/authorities.crt""#, File(|s| &mut s.tls.authorities)),
    without_default("tls.name", "The name in this node's certificate by which peers know it.", r#""node1.example""#,
        OptionalText(|s| &mut s.tls.name)),
    without_default("tls.default_server_name", "The name expected of a node whose own is not known yet; without it, the host that is dialled.",
        r#""nodes.example""#, OptionalText(|s| &mut s.tls.default_server_name)),
    row("tls.server_only", "Only the side that is dialled shows a certificate.", Switch(|s| &mut s.tls.server_only)),

    without_default("http.listen", "Serve the HTTP API and the page here; any address but a loopback one needs a token.",
        r#""127.0.0.1:8000""#, Socket(|s| &mut s.http.listen)),
    without_default("http.token_file", "A file with the token that every caller has to show. TIDINGS_HTTP_TOKEN is the token itself.",
        r#""/etc/tidings/token""#, File(|s| &mut s.http.token_file)),
    row("http.max_connections", "Connections at once, 1 to 65536; further ones wait.", Bounded(|s| &mut s.http.max_connections, 1, 65_536)),
    row("http.max_streams", "Event streams at once, 1 to 65536; further ones are refused.", Bounded(|s| &mut s.http.max_streams, 1, 65_536)),
    row("http.read_timeout", "How long a caller may take to send a request, and a connection may idle.", Time(|s| &mut s.http.read_timeout)),
    row("http.write_timeout", "How long a caller may take none of an answer.", Time(|s| &mut s.http.write_timeout)),

    row("log.format", "How lines on stderr look: text or json.", Field::LogFormat(|s| &mut s.log.format)),
    row("log.filter", "What is logged: a level, or targets with levels, as in tidings_driver=debug,info.", Text(|s| &mut s.log.filter)),
];
