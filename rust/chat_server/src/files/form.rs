//! The form of an upload as it streams in: multipart/form-data (RFC 7578).
//!
//! Holds a bounded part of the body, whatever is in it: parts that are no files
//! are skipped, the heads of parts and their number are limited.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, stream};
use multer::{Constraints, Field, Multipart, SizeLimit};
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc;

use super::socket_body::{READ_BYTES, SocketBody, UnreadBody};
use crate::error::ServiceError;

/// The largest piece of a body that is passed on at once.
pub(super) const MAX_PIECE_BYTES: usize = 64 * 1024;
/// The pieces that may wait for the store.
pub(super) const MAX_WAITING_PIECES: usize = 8;
/// The most that is read without completing a head or giving content: more is a
/// head that never ends.
const MAX_STALLED_BYTES: usize = 4 * READ_BYTES;
/// Parts of any kind, as many as the original's parser takes of files.
const MAX_PARTS: usize = 1000;
/// What a form may hold besides its files, heads included.
const MAX_OTHER_BYTES: u64 = 8 * 1024 * 1024;

/// Which of the two forms an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadForm {
    /// One file in the field `file`; of several the last one counts.
    Single,
    /// Up to ten in the field `files`.
    Multiple,
}

impl UploadForm {
    fn field(self) -> &'static str {
        match self {
            Self::Single => "file",
            Self::Multiple => "files",
        }
    }

    pub(super) fn max_files(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Multiple => 10,
        }
    }
}

/// What goes from the request to the parser. A channel that closes without `End`
/// means that the client has gone.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    /// What is left comes from here.
    Rest(UnreadBody),
    End,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the client is gone")]
    Aborted,
    #[error("the client has stopped sending")]
    Idle,
    #[error("the head of a part does not end")]
    Stalled,
}

/// How the parser gets on.
#[derive(Debug, Default)]
struct Progress {
    /// Bytes that it took since it last gave something.
    stalled_bytes: AtomicUsize,
    /// Whether the body has more, but stopped for the parser to look at what it has.
    is_paused: AtomicBool,
}

impl Progress {
    /// Waits for something of the parser, which goes on at once where the body only paused.
    async fn follow<T>(&self, step: impl Future<Output = T>) -> T {
        let mut step = pin!(step);
        let result = poll_fn(|context| {
            loop {
                let polled = step.as_mut().poll(context);
                if polled.is_ready() || !self.is_paused.swap(false, Ordering::Relaxed) {
                    return polled;
                }
            }
        });
        let result = result.await;
        self.stalled_bytes.store(0, Ordering::Relaxed);
        result
    }
}

/// A form that is being read.
#[derive(Debug)]
pub(super) struct FormReader {
    form: UploadForm,
    multipart: Multipart<'static>,
    progress: Arc<Progress>,
    parts: usize,
}

/// A file of the form; its content comes before the next one can be asked for.
#[derive(Debug)]
pub(super) struct FilePart {
    field: Field<'static>,
    progress: Arc<Progress>,
    /// As it was sent.
    pub(super) name: String,
    /// The type the part declares, as it was sent.
    pub(super) declared_type: Option<String>,
}

impl FormReader {
    /// # Errors
    /// `FileMissing` if the body is no such form at all, `MultipartBoundaryMissing`.
    pub(super) fn new(
        form: UploadForm,
        content_type: Option<&str>,
        body: mpsc::Receiver<Piece>,
        max_file_bytes: u64,
    ) -> Result<Self, ServiceError> {
        let boundary = boundary_of(content_type)?;
        let max_body = max_file_bytes
            .saturating_mul(form.max_files() as u64)
            .saturating_add(MAX_OTHER_BYTES);
        let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(max_body));
        let progress = Arc::new(Progress::default());
        let body = bounded(body, Arc::clone(&progress));
        Ok(Self {
            form,
            multipart: Multipart::with_constraints(body, boundary, limits),
            progress,
            parts: 0,
        })
    }

    /// The next file; none at the end of the form.
    ///
    /// # Errors
    /// `MultipartInvalid`, `FormTooLarge`, `UploadAborted`, `UploadStalled`.
    pub(super) async fn next_file(&mut self) -> Result<Option<FilePart>, ServiceError> {
        loop {
            let next = self.progress.follow(self.multipart.next_field()).await;
            let Some(mut field) = next.map_err(refusal)? else {
                return Ok(None);
            };
            self.parts += 1;
            if self.parts > MAX_PARTS {
                return Err(ServiceError::MultipartInvalid);
            }
            if field.name() == Some(self.form.field())
                && let Some(name) = file_name(&field)
            {
                return Ok(Some(FilePart {
                    declared_type: header(&field, "content-type"),
                    name,
                    field,
                    progress: Arc::clone(&self.progress),
                }));
            }
            let mut skip = async || self.progress.follow(field.chunk()).await.map_err(refusal);
            while skip().await?.is_some() {}
        }
    }
}

impl FilePart {
    /// The next bytes of the content; none at its end.
    ///
    /// # Errors
    /// As [`FormReader::next_file`].
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, ServiceError> {
        let chunk = self.progress.follow(self.field.chunk()).await;
        chunk.map_err(refusal)
    }
}

fn boundary_of(content_type: Option<&str>) -> Result<String, ServiceError> {
    match content_type.map(multer::parse_boundary) {
        Some(Ok(boundary)) if !boundary.is_empty() => Ok(boundary),
        Some(Ok(_) | Err(multer::Error::NoBoundary)) => Err(ServiceError::MultipartBoundaryMissing),
        _ => Err(ServiceError::FileMissing),
    }
}

/// The body as a stream that fails when too much of it leads nowhere.
///
/// The parser takes all that the stream has before it looks at any of it. So the
/// stream stops for a moment after each piece's worth, or a fast client would fill
/// the memory.
fn bounded(
    mut body: mpsc::Receiver<Piece>,
    progress: Arc<Progress>,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    let mut next_stop = MAX_PIECE_BYTES;
    let mut rest: Option<SocketBody> = None;
    stream::poll_fn(move |context| {
        let stalled = progress.stalled_bytes.load(Ordering::Relaxed);
        if stalled == 0 {
            next_stop = MAX_PIECE_BYTES;
        } else if stalled >= MAX_STALLED_BYTES {
            return Poll::Ready(Some(Err(BodyError::Stalled)));
        } else if stalled >= next_stop {
            next_stop = stalled + MAX_PIECE_BYTES;
            progress.is_paused.store(true, Ordering::Relaxed);
            return Poll::Pending;
        }
        if rest.is_none() {
            match ready!(body.poll_recv(context)) {
                Some(Piece::Data(bytes)) => {
                    progress
                        .stalled_bytes
                        .fetch_add(bytes.len(), Ordering::Relaxed);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(Piece::Rest(unread)) => rest = unread.register(),
                Some(Piece::End) => return Poll::Ready(None),
                None => {}
            }
        }
        let next = match &mut rest {
            Some(socket) => ready!(socket.poll_next(context)),
            None => Some(Err(BodyError::Aborted)),
        };
        if let Some(Ok(bytes)) = &next {
            progress
                .stalled_bytes
                .fetch_add(bytes.len(), Ordering::Relaxed);
        }
        Poll::Ready(next)
    })
}

fn refusal(error: multer::Error) -> ServiceError {
    match error {
        multer::Error::StreamSizeExceeded { .. } => ServiceError::FormTooLarge,
        multer::Error::StreamReadFailed(source) => match source.downcast_ref() {
            Some(BodyError::Aborted) => ServiceError::UploadAborted,
            Some(BodyError::Idle) => ServiceError::UploadStalled,
            _ => ServiceError::MultipartInvalid,
        },
        _ => ServiceError::MultipartInvalid,
    }
}

/// The name of a part that is a file. Some clients send names beyond ASCII in the
/// extended form (RFC 5987) and in no other.
fn file_name(field: &Field<'_>) -> Option<String> {
    if let Some(name) = field.file_name() {
        return Some(name.to_owned());
    }
    let disposition = header(field, "content-disposition")?;
    let extended = disposition.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("filename*")
            .then_some(value.trim())
    })?;
    let mut parts = extended.splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let decoded = percent_decode_str(encoded);
    let name = if charset.eq_ignore_ascii_case("utf-8") {
        decoded.decode_utf8_lossy().into_owned()
    } else {
        // The other character set of RFC 5987: every byte is a character.
        decoded.map(char::from).collect()
    };
    Some(name)
}

fn header(field: &Field<'_>, name: &str) -> Option<String> {
    let value = field.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTENT_TYPE: &str = "multipart/form-data; boundary=XX";

    /// What is found in a body that comes in pieces of this size: name, type, content.
    async fn read(
        body: &[u8],
        piece: usize,
    ) -> Result<Vec<(String, Option<String>, Vec<u8>)>, ServiceError> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING_PIECES);
        let pieces: Vec<Bytes> = body
            .chunks(piece.max(1))
            .map(Bytes::copy_from_slice)
            .collect();
        let feeder = tokio::spawn(async move {
            for piece in pieces {
                if sender.send(Piece::Data(piece)).await.is_err() {
                    return;
                }
            }
            let _ = sender.send(Piece::End).await;
        });
        let mut reader = FormReader::new(
            UploadForm::Multiple,
            Some(CONTENT_TYPE),
            receiver,
            1024 * 1024,
        )?;
        let mut files = Vec::new();
        while let Some(mut part) = reader.next_file().await? {
            let mut content = Vec::new();
            while let Some(chunk) = part.chunk().await? {
                content.extend_from_slice(&chunk);
            }
            files.push((part.name.clone(), part.declared_type.clone(), content));
        }
        drop(reader);
        feeder.await.expect("no panic");
        Ok(files)
    }

    fn part(disposition: &str, content: &str) -> String {
        format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
    }

    #[tokio::test]
    async fn files_are_found_among_other_parts() {
        let body = [
            part("name=\"description\"", "no file"),
            part("name=\"files\"", "no file either"),
            part("name=\"other\"; filename=\"a.txt\"", "of another field"),
            part("name=\"files\"; filename=\"b.txt\"", "content"),
            part("name=\"files\"; filename*=UTF-8''a%C3%B1o.txt", ""),
            "--XX--\r\n".to_owned(),
        ]
        .concat();
        for piece in [1, 7, 100_000] {
            let files = read(body.as_bytes(), piece).await.expect("a form");
            let names: Vec<_> = files.iter().map(|(name, _, _)| name.as_str()).collect();
            assert_eq!(names, ["b.txt", "año.txt"], "in pieces of {piece}");
            assert_eq!(files[0].2, b"content");
        }
    }

    #[tokio::test]
    async fn what_never_ends_or_begins_is_refused() {
        let endless_head = format!("--XX\r\nContent-Disposition: {}", "x".repeat(3_000_000));
        let many = part("name=\"a\"", "").repeat(MAX_PARTS + 1);
        let no_boundary = "x".repeat(3_000_000);
        for body in [
            "",
            "--XX",
            "--XX\r\n",
            "--YY--\r\n",
            "--XX\r\n\r\ncontent",
            &part("name=\"files\"; filename=\"b.txt\"", "cut off"),
            &endless_head,
            &no_boundary,
            &many,
        ] {
            let result = read(body.as_bytes(), MAX_PIECE_BYTES).await;
            assert_eq!(result.expect_err("no form").code(), "multipart_invalid");
        }
    }

    #[tokio::test]
    async fn other_bodies_have_no_file() {
        for (content_type, code) in [
            (None, "file_missing"),
            (Some("application/json"), "file_missing"),
            (Some("multipart/form-data"), "multipart_boundary_missing"),
            (
                Some("multipart/form-data; boundary="),
                "multipart_boundary_missing",
            ),
        ] {
            let (_, receiver) = mpsc::channel(1);
            let reader = FormReader::new(UploadForm::Single, content_type, receiver, 1);
            assert_eq!(
                reader.expect_err("no form").code(),
                code,
                "{content_type:?}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_body_is_answered(
            body in prop::collection::vec(
                prop_oneof![
                    Just(b"--XX".to_vec()), Just(b"\r\n".to_vec()), Just(b"--".to_vec()),
                    Just(b"Content-Disposition: form-data; name=\"files\"; filename=\"a\"".to_vec()),
                    Just(b"filename*=UTF-8''%ff%zz".to_vec()),
                    prop::collection::vec(any::<u8>(), 0..40),
                ],
                0..40,
            ),
            piece in 1..200_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let _ = runtime.block_on(read(&body.concat(), piece));
        }

        #[test]
        fn content_arrives_as_it_was_sent(
            content in prop::collection::vec(any::<u8>(), 0..4000),
            piece in 1..500_usize,
        ) {
            prop_assume!(!content.windows(6).any(|window| window == b"\r\n--XX"));
            let mut body = part("name=\"files\"; filename=\"a\"", "").into_bytes();
            body.truncate(body.len() - 2);
            body.extend_from_slice(&content);
            body.extend_from_slice(b"\r\n--XX--\r\n");
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let files = runtime.block_on(read(&body, piece)).expect("a form");
            prop_assert_eq!(&files[0].2, &content);
        }
    }
}
