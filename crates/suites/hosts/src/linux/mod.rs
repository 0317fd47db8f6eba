//! The whole program. Network namespaces are Linux's own.

mod agent;
mod cluster;
mod command_line;
mod detector;
mod fault;
mod interrupt;
mod leftovers;
mod namespace;
mod network;
mod report;
mod requirements;
mod scenario;
mod tool;
mod view;

pub(crate) use command_line::obey;
