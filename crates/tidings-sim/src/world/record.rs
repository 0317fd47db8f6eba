//! Recording a node as a driver would.

use super::World;

impl World {
    /// Records what a node is given from now on; when it is started again, what its new run is given instead. Whatever was
    /// recorded of it before is dropped. The run stays the same.
    pub fn record(&mut self, index: usize) {
        if let Some(host) = self.hosts.get_mut(index) {
            host.recording = host.node.begin(usize::MAX).encode();
        }
    }

    /// What is recorded of a node, as [`replay`](crate::replay) takes it; `None`: it is not recorded.
    pub fn recording(&mut self, index: usize) -> Option<&[u8]> {
        let host = self.hosts.get_mut(index)?;
        let recording = host.recording.as_mut()?;
        recording.extend(host.node.take().bytes);
        Some(recording)
    }
}
