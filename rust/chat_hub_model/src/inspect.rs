//! What the tests may see of the hub's insides.

use crate::connection::{Connection, LocalLink};
use crate::hub::Hub;

impl Hub {
    /// KiB that messages may still take on their way.
    pub fn free_kibibytes(&self) -> usize {
        self.state.in_flight.available_permits()
    }
}

impl Connection {
    /// Bytes in the outbox: as counted, and as they are.
    pub fn outbox_bytes(&self) -> (usize, usize) {
        let LocalLink::Socket { outbox, .. } = self.link() else {
            return (0, 0);
        };
        let outbox = outbox.borrow();
        let slices = outbox.slices();
        (
            outbox.len_bytes(),
            slices.iter().map(|slice| slice.len()).sum(),
        )
    }
}
