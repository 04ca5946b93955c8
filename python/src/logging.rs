//! Records of the core in Python's `logging`, as `izpochat.<crate>`.
//!
//! A thread of its own calls Python: what logs must never wait for the
//! interpreter. When more is logged than Python takes, records are dropped and
//! the next one says how many.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::interpreter::with_interpreter;

/// Records that may wait for Python.
const QUEUE: usize = 1024;

struct Record {
    logger: String,
    level: u8,
    text: String,
}

struct PythonLayer {
    records: SyncSender<Record>,
    dropped: AtomicUsize,
}

impl<S: Subscriber> Layer<S> for PythonLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = RecordText::default();
        event.record(&mut text);
        let mut text = text.message + &text.fields;
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let _ = write!(text, " ({dropped} records before this one were dropped)");
        }
        let component = event
            .metadata()
            .target()
            .split("::")
            .next()
            .unwrap_or_default();
        let record = Record {
            logger: format!("izpochat.{component}"),
            level: python_level(*event.metadata().level()),
            text,
        };
        if let Err(TrySendError::Full(_)) = self.records.try_send(record) {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct RecordText {
    message: String,
    fields: String,
}

impl Visit for RecordText {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing into a string cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}

fn python_level(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        _ => 10,
    }
}

#[pyfunction]
pub(crate) fn init_tracing(level: &str) -> PyResult<()> {
    let filter: LevelFilter = level.parse().map_err(|_| {
        PyValueError::new_err(format!(
            "{level} is not one of error, warn, info, debug, trace"
        ))
    })?;
    let (records, queue) = mpsc::sync_channel(QUEUE);
    let layer = PythonLayer {
        records,
        dropped: AtomicUsize::new(0),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        // A second start in the same process keeps the first one's way.
        return Ok(());
    }
    std::thread::Builder::new()
        .name("chat-log".into())
        .spawn(move || forward(&queue))?;
    Ok(())
}

fn forward(queue: &mpsc::Receiver<Record>) {
    while let Ok(record) = queue.recv() {
        let attached = with_interpreter(|py| -> PyResult<()> {
            let logging = py.import("logging")?;
            for record in std::iter::once(record).chain(queue.try_iter()) {
                let logger = logging.call_method1("getLogger", (&record.logger,))?;
                // "%s" because the text may hold per cent signs.
                logger.call_method1("log", (record.level, "%s", &record.text))?;
            }
            Ok(())
        });
        if attached.is_none() {
            // The interpreter is going away.
            return;
        }
    }
}
