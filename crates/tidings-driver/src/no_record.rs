//! Stands in for `record` where that feature is off: nothing is ever recorded, and the node is the core's own.

use std::sync::Arc;

use tidings_core::Node;

use crate::error::StartError;
use crate::shared::Shared;

pub(crate) type Machine = Node;

pub(crate) fn machine(node: Node) -> Machine {
    node
}

#[derive(Debug)]
pub(crate) enum Recording {}

impl Recording {
    pub(crate) fn notice(&self, _: &Machine) {
        match *self {}
    }

    pub(crate) fn end(&self) {
        match *self {}
    }

    pub(crate) async fn ended(&self) {
        match *self {}
    }
}

pub(crate) enum Target {}

impl Target {
    pub(crate) fn check(&self) -> Result<(), StartError> {
        match *self {}
    }
}

pub(crate) enum RecordFile {}

impl RecordFile {
    pub(crate) fn create(target: Target, _: &mut Machine) -> Result<RecordFile, StartError> {
        match target {}
    }

    pub(crate) fn recording(&self) -> Recording {
        match *self {}
    }

    pub(crate) fn write_in_background(self, _: &Arc<Shared>) -> Result<(), StartError> {
        match self {}
    }
}
