//! Results on their way back to an event loop.
//!
//! Each event loop has an inbox. A worker leaves a result in its queue and, if
//! the queue was empty, writes a byte that wakes the loop; the loop then takes
//! all results at once. So workers never wait for the interpreter, never hold
//! one of its objects, and a burst of results costs one wake-up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chat_server::ServiceError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::error::to_exception;

/// Turns a result into a Python object or exception; called on the loop's thread.
type Conversion = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

thread_local! {
    /// The loop that ran last on this thread, and its inbox.
    static INBOX: RefCell<Option<(Py<PyAny>, Py<Inbox>)>> = const { RefCell::new(None) };
}

/// What workers and the loop share.
struct Queue {
    done: Mutex<Vec<(u64, Conversion)>>,
    wake_up: UnixStream,
}

/// The loop's end: the futures that wait, touched on its thread only.
#[pyclass(frozen, module = "chat_app._native")]
struct Inbox {
    queue: Arc<Queue>,
    wake_ups: UnixStream,
    waiting: Mutex<HashMap<u64, Py<PyAny>>>,
    next: AtomicU64,
}

/// The duty to deliver one result. Dropped without one, as after a panic, it
/// delivers an internal error, so that nobody waits for ever.
pub(crate) struct Completion {
    queue: Arc<Queue>,
    id: u64,
    delivered: bool,
}

/// A new future of the running event loop, and the duty to complete it.
pub(crate) fn expect(py: Python<'_>) -> PyResult<(Bound<'_, PyAny>, Completion)> {
    let event_loop = running_loop(py)?;
    let inbox = inbox_of(&event_loop)?;
    let future = event_loop.call_method0("create_future")?;
    let inbox = inbox.get();
    let id = inbox.next.fetch_add(1, Ordering::Relaxed);
    inbox
        .waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id, future.clone().unbind());
    Ok((
        future,
        Completion {
            queue: Arc::clone(&inbox.queue),
            id,
            delivered: false,
        },
    ))
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static GET_RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    GET_RUNNING_LOOP
        .get_or_try_init(py, || {
            Ok::<_, PyErr>(py.import("asyncio")?.getattr("get_running_loop")?.unbind())
        })?
        .bind(py)
        .call0()
}

fn inbox_of<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Inbox>> {
    let py = event_loop.py();
    let known = INBOX.with_borrow(|known| {
        let (known_loop, inbox) = known.as_ref()?;
        known_loop.is(event_loop).then(|| inbox.clone_ref(py))
    });
    if let Some(inbox) = known {
        return Ok(inbox.into_bound(py));
    }
    let (wake_up, wake_ups) = UnixStream::pair()?;
    wake_up.set_nonblocking(true)?;
    wake_ups.set_nonblocking(true)?;
    let descriptor = wake_ups.as_raw_fd();
    let inbox = Inbox {
        queue: Arc::new(Queue {
            done: Mutex::default(),
            wake_up,
        }),
        wake_ups,
        waiting: Mutex::default(),
        next: AtomicU64::new(0),
    };
    let inbox = Bound::new(py, inbox)?;
    event_loop.call_method1("add_reader", (descriptor, inbox.getattr("take")?))?;
    let entry = Some((event_loop.clone().unbind(), inbox.clone().unbind()));
    // Dropped outside of the cell: dropping a loop may run Python code.
    drop(INBOX.replace(entry));
    Ok(inbox)
}

#[pymethods]
impl Inbox {
    /// Completes the futures whose results are in.
    fn take(&self, py: Python<'_>) -> PyResult<()> {
        // Emptied before the queue is taken: what comes later writes again.
        while matches!((&self.wake_ups).read(&mut [0; 64]), Ok(64)) {}
        let done = std::mem::take(
            &mut *self
                .queue
                .done
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for (id, convert) in done {
            let future = self
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id);
            let Some(future) = future.map(|future| future.into_bound(py)) else {
                continue;
            };
            if future.call_method0("done")?.is_truthy()? {
                // Cancelled: whoever waited has gone.
                continue;
            }
            match convert(py) {
                Ok(value) => future.call_method1("set_result", (value,))?,
                Err(error) => future.call_method1("set_exception", (error.into_value(py),))?,
            };
        }
        Ok(())
    }
}

impl Completion {
    pub(crate) fn deliver(
        mut self,
        convert: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static,
    ) {
        self.delivered = true;
        self.push(Box::new(convert));
    }

    fn push(&self, convert: Conversion) {
        let mut done = self
            .queue
            .done
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let was_empty = done.is_empty();
        done.push((self.id, convert));
        drop(done);
        if was_empty {
            // A full pipe has woken the loop already; a closed one has no loop.
            let _ = (&self.queue.wake_up).write(&[1]);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if !self.delivered {
            let error = ServiceError::Internal("a task ended without a result".to_owned());
            self.push(Box::new(move |py| Err(to_exception(py, &error))));
        }
    }
}
