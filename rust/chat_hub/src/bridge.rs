//! The outgoing half of a connection whose frames travel through another server
//! (ASGI messages) instead of a socket of ours.
//!
//! The shard pushes, the other side takes all at once. A lock held for a push or
//! a take is enough; the wake-up is called once each time the output goes from
//! empty to non-empty.

use std::collections::VecDeque;
use std::fmt;
use std::sync::PoisonError;

use chat_protocol::EncodedFrame;

use crate::sync::{Mutex, MutexGuard};

type WakeUp = Box<dyn Fn() + Send + Sync>;

/// Frames that wait to be taken, bounded in bytes like an outbox.
pub struct BridgeOutput {
    pending: Mutex<Pending>,
    wake_up: WakeUp,
}

#[derive(Debug, Default)]
struct Pending {
    frames: VecDeque<EncodedFrame>,
    bytes: usize,
    close: Option<(u16, &'static str)>,
    ended: bool,
}

/// What the other side must send now.
#[derive(Debug)]
pub struct OutputBatch {
    /// Text frames in order.
    pub frames: VecDeque<EncodedFrame>,
    /// Close code and reason once the session has ended, after the frames.
    pub close: Option<(u16, &'static str)>,
}

impl BridgeOutput {
    /// `wake_up` is called from a shard's thread and must not block.
    pub fn new(wake_up: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            pending: Mutex::default(),
            wake_up: Box::new(wake_up),
        }
    }

    /// Everything that has gathered since the last call.
    pub fn take(&self) -> OutputBatch {
        let mut pending = self.lock();
        pending.bytes = 0;
        OutputBatch {
            frames: std::mem::take(&mut pending.frames),
            close: pending.close.take(),
        }
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Queues a frame; false, and nothing queued, if the bound would be passed.
    pub fn push(&self, frame: &EncodedFrame, max_bytes: usize) -> bool {
        let mut pending = self.lock();
        if pending.ended {
            return true;
        }
        let frame_bytes = frame.wire_bytes().len();
        let was_empty = pending.frames.is_empty();
        if !was_empty && pending.bytes + frame_bytes > max_bytes {
            return false;
        }
        pending.bytes += frame_bytes;
        pending.frames.push_back(frame.clone());
        drop(pending);
        if was_empty {
            (self.wake_up)();
        }
        true
    }

    /// Ends the output; `discard` drops what has not been taken yet.
    pub fn close(&self, code: u16, reason: &'static str, discard: bool) {
        let mut pending = self.lock();
        if pending.ended {
            return;
        }
        pending.ended = true;
        pending.close = Some((code, reason));
        if discard {
            pending.frames.clear();
            pending.bytes = 0;
        }
        drop(pending);
        (self.wake_up)();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // No code that can panic runs under the lock.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for BridgeOutput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BridgeOutput")
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}
