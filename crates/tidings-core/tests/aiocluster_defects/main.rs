//! The 20 defects of Python aiocluster 1.1.0, as docs/protocol.md numbers them: `defect_NN_...` shows that ours has not
//! got it, `survives_defect_NN_...` that a Python peer which has it does no harm here, or no more than it must.
//!
//! Python peers are played through the wire by `python_peer`, with the defects that lose keys; real ones are met in
//! `tidings-interop`. Everything goes through the public interface of the core. What concerns the driver is tested on
//! each runtime by the conformance suite:
//!
//! - 10, a slow peer holds up the round: `limits::rounds_go_on_while_peers_hang`. Here: the core waits for nobody.
//! - 14, the check of TLS names: `tls_refused::a_member_that_speaks_as_another_is_refused` and its neighbours, with real
//!   certificates. Here: as whom a certificate lets a peer speak.
//! - 17, generations that go back: `forming::a_restarted_node_supersedes_its_former_run`, on the wall clock.
//! - 18, listening on the advertised address alone: `addresses::listening_and_advertised_address_may_differ`. Here: a
//!   node does not gossip with itself.
//!
//! 11 is also counted, key-value by key-value, where packing is: in `src/delta/tests.rs`.

mod exchanges;
mod key_values;
mod members;
mod packets;
mod python_peer;
mod replicas;
mod republish;
