//! Recording a node as a driver would.

use super::World;

impl World {
    /// Records what a node is given from now on; when it is started again, what its new run is given instead. Whatever was
    /// recorded of it before is dropped. The run stays the same.
    pub fn record(&mut self, index: usize) {
        if let Some(host) = self.hosts.get_mut(index) {
            host.recording = host.node_mut().and_then(|node| node.begin(usize::MAX).encode());
        }
    }

    /// What is recorded of a node, as [`replay`](crate::replay) takes it; `None`: it is not recorded.
    ///
    /// ```
    /// use tidings_core::{Config, Instant, NodeId};
    /// use tidings_sim::{LinkConfig, World, address, replay};
    ///
    /// let mut world = World::new(7, LinkConfig::default());
    /// for index in 0..3 {
    ///     let mut config = Config::new(NodeId::new(format!("node{index}"), 1, address(index)));
    ///     config.seeds = vec![address(0)];
    ///     world.add(config)?;
    /// }
    /// world.record(2);
    /// world.run_until(Instant::from_secs(10));
    ///
    /// // By itself, without the others, it comes to know them again.
    /// let replayed = replay(world.recording(2).expect("it is recorded"))?;
    /// assert_eq!(replayed.node.live_nodes().len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recording(&mut self, index: usize) -> Option<&[u8]> {
        let host = self.hosts.get_mut(index)?;
        let news = host.node_mut()?.take().bytes;
        let recording = host.recording.as_mut()?;
        recording.extend(news);
        Some(recording)
    }
}
