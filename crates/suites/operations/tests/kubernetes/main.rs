//! The Kubernetes manifest: every document against the types that are made from Kubernetes' own schema, and what the
//! documents say of each other.

mod parts;
mod schema;
