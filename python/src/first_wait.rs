//! Work that begins on one thread and, if it has to wait, goes on as a task.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use tokio::runtime::Handle;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs `work` here until it first waits, and the rest as a task of the runtime once
/// that wait is over. Not before: a task that only begins to wait wakes a thread for
/// nothing.
pub(crate) fn run_until_first_wait(
    runtime: &Handle,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let first_wait = Arc::new(FirstWait {
        runtime: runtime.clone(),
        state: Mutex::default(),
    });
    let waker = Waker::from(Arc::clone(&first_wait));
    let mut work: Work = Box::pin(work);
    if work
        .as_mut()
        .poll(&mut Context::from_waker(&waker))
        .is_pending()
    {
        first_wait.put_down(work);
    }
}

struct FirstWait {
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Running,
    Waiting(Work),
    /// What it waits for is there.
    Over,
}

impl FirstWait {
    fn put_down(&self, work: Work) {
        let ready = match &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Over => work,
            state => {
                *state = State::Waiting(work);
                return;
            }
        };
        self.runtime.spawn(ready);
    }
}

impl Wake for FirstWait {
    fn wake(self: Arc<Self>) {
        let state = mem::replace(
            &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner),
            State::Over,
        );
        // Polled again as a task, it waits with the waker of that.
        if let State::Waiting(work) = state {
            self.runtime.spawn(work);
        }
    }
}
