//! Python values that become arguments of use cases.

use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use chat_server::{Heartbeat, HistoryPart, Page, RoomUpdate, UserUpdate};
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A number that names a row. Beyond 64 bits it is saturated: no row has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowNumber(pub(crate) i64);

impl<'py> FromPyObject<'_, 'py> for RowNumber {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<i64>() {
            Ok(number) => Ok(Self(number)),
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
                Ok(Self(if object.lt(0)? { i64::MIN } else { i64::MAX }))
            }
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn page(skip: RowNumber, limit: RowNumber) -> Page {
    Page {
        skip: skip.0,
        limit: limit.0,
    }
}

/// With a place the part beside it, else a page.
pub(crate) fn history_part(
    skip: RowNumber,
    limit: RowNumber,
    before_seq: Option<i64>,
    after_seq: Option<i64>,
) -> HistoryPart {
    let page = page(skip, limit);
    let limit = page.limit;
    match (after_seq, before_seq) {
        (Some(seq), before) => HistoryPart::After { seq, before, limit },
        (None, Some(seq)) => HistoryPart::Before { seq, limit },
        (None, None) => HistoryPart::Page(page),
    }
}

/// `username`, `email` str; `full_name` str or None; `is_active` bool; all optional.
pub(crate) fn user_update(changes: &Bound<'_, PyDict>) -> PyResult<UserUpdate> {
    let mut update = UserUpdate::default();
    for (key, value) in changes {
        match key.extract::<String>()?.as_str() {
            "username" => update.username = Some(value.extract()?),
            "email" => update.email = Some(value.extract()?),
            "full_name" => update.full_name = Some(value.extract()?),
            "is_active" => update.is_active = Some(value.extract()?),
            other => return Err(unknown_key(other)),
        }
    }
    Ok(update)
}

/// `name` str; `description` str or None; `is_private` bool; all optional.
pub(crate) fn room_update(changes: &Bound<'_, PyDict>) -> PyResult<RoomUpdate> {
    let mut update = RoomUpdate::default();
    for (key, value) in changes {
        match key.extract::<String>()?.as_str() {
            "name" => update.name = Some(value.extract()?),
            "description" => update.description = Some(value.extract()?),
            "is_private" => update.is_private = Some(value.extract()?),
            other => return Err(unknown_key(other)),
        }
    }
    Ok(update)
}

/// Seconds as uvicorn's options give them; without an interval there are no pings,
/// without a timeout a missing pong is never noticed.
pub(crate) fn heartbeat(
    interval: Option<f64>,
    timeout: Option<f64>,
) -> PyResult<Option<Heartbeat>> {
    let seconds = |value: f64| {
        Duration::try_from_secs_f64(value)
            .map_err(|_| PyValueError::new_err(format!("{value} is no duration")))
    };
    let Some(interval) = interval.filter(|interval| *interval > 0.0) else {
        return Ok(None);
    };
    // A day is for ever here: TCP notices a dead peer long before.
    let timeout = timeout.map_or(Ok(Duration::from_secs(86_400)), seconds)?;
    Ok(Some(Heartbeat {
        interval: seconds(interval)?,
        timeout,
    }))
}

/// Takes over a descriptor that Python has duplicated for us.
///
/// # Errors
/// `RuntimeError` if it is none.
pub(crate) fn take_descriptor(number: RawFd) -> PyResult<OwnedFd> {
    if number < 0 {
        return Err(PyRuntimeError::new_err("the file descriptor is closed"));
    }
    #[expect(
        unsafe_code,
        reason = "the one way to take over a descriptor that Python owned"
    )]
    // SAFETY: the caller duplicated the descriptor for us and does not use it again.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn unknown_key(key: &str) -> PyErr {
    PyValueError::new_err(format!("{key} is not a field that can be changed"))
}
