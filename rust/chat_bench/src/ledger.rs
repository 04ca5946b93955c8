//! What every socket has received, checked while it arrives.
//!
//! Within a phase the first socket of a room that gets its k-th message decides
//! what the k-th message of the room is; the k-th of every other socket there
//! must be the same. A message is taken up only as the next one of its sender,
//! and only in its sender's room. So once all counts are equal to what was sent,
//! each socket got each message of its room exactly once and all in one order.

use crate::marker::Marker;

/// One sender of a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) socket: usize,
    pub(crate) room: usize,
    /// The number of its next message.
    pub(crate) next: u32,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    phase: u32,
    pub(crate) senders: Vec<Sender>,
    /// Per sender, what its next message to be taken up must be.
    expected: Vec<u32>,
    rooms: Vec<Room>,
    sockets: Vec<Reader>,
    pub(crate) deliveries: u64,
    awaited: u64,
}

#[derive(Debug, Default)]
struct Room {
    readers: u64,
    /// Sender and sequence in the order of the server.
    order: Vec<(u32, u32)>,
}

#[derive(Debug)]
struct Reader {
    room: usize,
    received: usize,
}

impl Ledger {
    /// A ledger for sockets whose rooms are given.
    pub(crate) fn new(rooms_of_sockets: &[usize]) -> Self {
        let rooms = rooms_of_sockets.iter().max().map_or(0, |last| last + 1);
        let mut ledger = Self {
            phase: 0,
            senders: Vec::new(),
            expected: Vec::new(),
            rooms: Vec::new(),
            sockets: Vec::with_capacity(rooms_of_sockets.len()),
            deliveries: 0,
            awaited: 0,
        };
        ledger.rooms.resize_with(rooms, Room::default);
        for &room in rooms_of_sockets {
            ledger.rooms[room].readers += 1;
            ledger.sockets.push(Reader { room, received: 0 });
        }
        ledger
    }

    /// Starts a phase, whose marks would otherwise be those of an earlier one.
    pub(crate) fn begin(&mut self, senders: Vec<Sender>) {
        self.phase += 1;
        self.expected = vec![0; senders.len()];
        self.senders = senders;
        self.deliveries = 0;
        self.awaited = 0;
        for room in &mut self.rooms {
            room.order.clear();
        }
        for socket in &mut self.sockets {
            socket.received = 0;
        }
    }

    /// The mark of a sender's next message, which is expected from now on.
    pub(crate) fn mark(&mut self, sender: usize, sent_micros: u64) -> Marker {
        let state = &mut self.senders[sender];
        let sequence = state.next;
        state.next += 1;
        self.awaited += self.rooms[state.room].readers;
        Marker {
            phase: self.phase,
            sender: sender as u32,
            sequence,
            sent_micros,
        }
    }

    /// Takes note of a delivery.
    ///
    /// # Errors
    ///
    /// A text about what is wrong with it.
    pub(crate) fn take(&mut self, socket: usize, marker: Marker) -> Result<(), &'static str> {
        if marker.phase != self.phase {
            return Err("a message of another phase");
        }
        let reader = &mut self.sockets[socket];
        let room = &mut self.rooms[reader.room];
        let identity = (marker.sender, marker.sequence);
        match room.order.get(reader.received) {
            Some(expected) if *expected == identity => {}
            Some(_) => return Err("another message than the other sockets got at this place"),
            None => {
                let index = marker.sender as usize;
                let sender = self.senders.get(index).ok_or("an unknown sender")?;
                if sender.room != reader.room {
                    return Err("a message of another room");
                }
                let next = &mut self.expected[index];
                if *next != marker.sequence {
                    return Err("not the next message of its sender");
                }
                *next += 1;
                room.order.push(identity);
            }
        }
        reader.received += 1;
        self.deliveries += 1;
        Ok(())
    }

    /// How many deliveries belong to what was sent.
    pub(crate) fn awaited(&self) -> u64 {
        self.awaited
    }

    /// Whether everything sent has arrived everywhere.
    pub(crate) fn is_complete(&self) -> bool {
        self.deliveries == self.awaited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rooms with two sockets and one sender each.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(&[0, 1, 0, 1]);
        let senders = [(0, 0), (1, 1), (2, 0)];
        ledger.begin(Vec::from(senders.map(|(socket, room)| Sender {
            socket,
            room,
            next: 0,
        })));
        ledger
    }

    fn marker(sender: u32, sequence: u32) -> Marker {
        Marker {
            phase: 1,
            sender,
            sequence,
            sent_micros: 5,
        }
    }

    #[test]
    fn equal_order_on_all_sockets_of_a_room_is_complete() {
        let mut ledger = ledger();
        let first = ledger.mark(0, 5);
        let other_room = ledger.mark(1, 5);
        let second = ledger.mark(2, 5);
        assert_eq!(first, marker(0, 0));
        assert_eq!(ledger.awaited(), 6);
        for (socket, marker) in [
            (0, second),
            (1, other_room),
            (0, first),
            (2, second),
            (2, first),
        ] {
            ledger.take(socket, marker).expect("in order");
            assert!(!ledger.is_complete());
        }
        ledger.take(3, other_room).expect("in order");
        assert!(ledger.is_complete());
    }

    #[test]
    fn every_kind_of_fault_is_found() {
        let swapped = [(0, marker(0, 0)), (0, marker(2, 0)), (2, marker(2, 0))];
        let doubled = [(0, marker(0, 0)), (2, marker(0, 0)), (0, marker(0, 0))];
        let skipped = [(1, marker(1, 0)), (3, marker(1, 0)), (1, marker(1, 2))];
        let elsewhere = [(0, marker(0, 0)), (2, marker(0, 0)), (1, marker(0, 1))];
        let unknown = [(0, marker(0, 0)), (2, marker(0, 0)), (1, marker(9, 0))];
        let mut stale = [(0, marker(0, 0)), (2, marker(0, 0)), (1, marker(1, 0))];
        stale[2].1.phase = 0;
        for deliveries in [swapped, doubled, skipped, elsewhere, unknown, stale] {
            let mut ledger = ledger();
            let [first, second, fault] = deliveries;
            ledger.take(first.0, first.1).expect("in order");
            assert_eq!(
                [second, fault]
                    .map(|(socket, marker)| ledger.take(socket, marker).is_err())
                    .iter()
                    .filter(|wrong| **wrong)
                    .count(),
                1,
                "{deliveries:?}"
            );
        }
    }

    #[test]
    fn a_new_phase_starts_from_nothing() {
        let mut ledger = ledger();
        let old = ledger.mark(1, 5);
        let senders = ledger.senders.clone();
        ledger.begin(senders);
        assert!(ledger.is_complete());
        assert!(ledger.take(1, old).is_err());
    }
}
