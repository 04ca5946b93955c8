//! One upload under way: pieces of the body go in, the stored files come out.
//!
//! The work is a task of its own. It takes pieces through a bounded channel, so a
//! slow store slows the client down; if the other end is dropped before the end
//! of the body, the client has gone and nothing stays.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chat_hub::StreamSource;
use chat_storage::display_name;
use tokio::sync::{mpsc, oneshot};

use super::FileLibrary;
use super::form::{FormReader, MAX_PIECE_BYTES, MAX_WAITING_PIECES, Piece, UploadForm};
use super::intake::{Intake, is_refusal};
use super::socket_body::UnreadBody;
use crate::accounts::Identity;
use crate::answers::{FileAnswer, to_json};
use crate::chat::Chat;
use crate::error::ServiceError;

/// An upload that waits for the pieces of its body.
#[derive(Debug)]
pub struct Upload {
    pieces: Mutex<Option<mpsc::Sender<Piece>>>,
    outcome: Mutex<Option<oneshot::Receiver<Result<UploadReport, ServiceError>>>>,
}

/// What became of a form.
#[derive(Debug)]
pub struct UploadReport {
    /// FileUpload of each stored file, in the order of the form.
    pub files: Vec<Vec<u8>>,
    /// The names of the others, as far as a name is shown, and why not.
    pub refused: Vec<(String, ServiceError)>,
}

/// What became of a piece.
#[derive(Debug)]
pub enum Feed {
    /// It was taken; more may follow.
    Taken,
    /// The rest has to wait: give it to [`Upload::feed`].
    Full(Bytes),
    /// Nothing more is needed: ask for the outcome.
    Decided,
}

impl Chat {
    /// Starts an upload for the caller; waits while too many of the caller's are under way.
    ///
    /// `base_url` is where clients reach this service, without a slash at the end.
    ///
    /// # Errors
    /// `FileMissing`, `MultipartBoundaryMissing`.
    pub async fn begin_upload(
        &self,
        identity: Identity,
        form: UploadForm,
        content_type: Option<&str>,
        base_url: String,
    ) -> Result<Upload, ServiceError> {
        let library = Arc::clone(&self.files);
        let (pieces, body) = mpsc::channel(MAX_WAITING_PIECES);
        let reader = FormReader::new(form, content_type, body, library.max_file_bytes)?;
        let permit = library.allowance.acquire(identity.user_id()).await;
        let (done, outcome) = oneshot::channel();
        self.uploads.spawn(async move {
            let received = receive(library, identity, form, reader, base_url);
            let result = Box::pin(received).await;
            drop(permit);
            // Nobody waits any more if the client is gone.
            let _ = done.send(result);
        });
        Ok(Upload {
            pieces: Mutex::new(Some(pieces)),
            outcome: Mutex::new(Some(outcome)),
        })
    }
}

impl Upload {
    /// Passes on a piece of the body without waiting.
    pub fn try_feed(&self, mut bytes: Bytes) -> Feed {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = pieces.as_ref() else {
            return Feed::Decided;
        };
        while !bytes.is_empty() {
            match sender.try_reserve() {
                Ok(place) => place.send(Piece::Data(split(&mut bytes))),
                Err(mpsc::error::TrySendError::Full(())) => return Feed::Full(bytes),
                Err(mpsc::error::TrySendError::Closed(())) => return Feed::Decided,
            }
        }
        Feed::Taken
    }

    /// Passes on a piece as soon as there is room; false if nothing more is needed.
    pub async fn feed(&self, mut bytes: Bytes) -> bool {
        let Some(sender) = self.sender() else {
            return false;
        };
        while !bytes.is_empty() {
            if sender.send(Piece::Data(split(&mut bytes))).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Ends the body and waits for what became of it.
    ///
    /// # Errors
    /// Why nothing was stored.
    pub async fn finish(&self) -> Result<UploadReport, ServiceError> {
        self.finish_with(Piece::End).await
    }

    /// Reads the rest of the body, `length` bytes, from its connection and waits for
    /// what became of it. Nobody else may read from it meanwhile.
    ///
    /// # Errors
    /// Why nothing was stored.
    pub async fn finish_from_socket(
        &self,
        source: StreamSource,
        length: u64,
    ) -> Result<UploadReport, ServiceError> {
        self.finish_with(Piece::Rest(UnreadBody::new(source, length)))
            .await
    }

    async fn finish_with(&self, last: Piece) -> Result<UploadReport, ServiceError> {
        if let Some(sender) = self.sender() {
            // A parser that has decided listens no more.
            let _ = sender.send(last).await;
        }
        self.abort();
        let outcome = self
            .outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match outcome {
            Some(outcome) => outcome.await.unwrap_or(Err(ServiceError::NotRunning)),
            None => Err(ServiceError::UploadAborted),
        }
    }

    /// Gives the upload up, unless its body has come to its end.
    pub fn abort(&self) {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        drop(pieces.take());
    }

    fn sender(&self) -> Option<mpsc::Sender<Piece>> {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.clone()
    }
}

fn split(bytes: &mut Bytes) -> Bytes {
    bytes.split_to(bytes.len().min(MAX_PIECE_BYTES))
}

async fn receive(
    library: Arc<FileLibrary>,
    identity: Identity,
    form: UploadForm,
    reader: FormReader,
    base_url: String,
) -> Result<UploadReport, ServiceError> {
    let uploader = Arc::new(identity.user);
    let mut intake = Intake::new(Arc::clone(&library), uploader, base_url);
    let reading = async move {
        let result = read(form, reader, &mut intake).await;
        (result, intake)
    };
    let (result, intake) = library.receiving.run(reading).await?;
    let refused = match result {
        Ok(refused) => refused,
        Err(error) => {
            intake.discard().await;
            return Err(error);
        }
    };
    let details = intake.commit().await?;
    let links = library.links_of(details.iter()).await;
    Ok(UploadReport {
        files: details
            .iter()
            .zip(&links)
            .map(|(details, links)| to_json(&FileAnswer::new(details, links)))
            .collect(),
        refused,
    })
}

/// Reads the form to its end; gives the files that were refused.
async fn read(
    form: UploadForm,
    mut reader: FormReader,
    intake: &mut Intake,
) -> Result<Vec<(String, ServiceError)>, ServiceError> {
    let mut refused = Vec::new();
    let mut count = 0;
    loop {
        let mut part = match reader.next_file().await {
            Ok(Some(part)) => part,
            Ok(None) => break,
            // So much can only be a file that is too large.
            Err(ServiceError::FormTooLarge) => return Err(intake.too_large()),
            Err(error) => return Err(error),
        };
        count += 1;
        if count > form.max_files() {
            match form {
                UploadForm::Multiple => return Err(ServiceError::TooManyFiles),
                UploadForm::Single => {
                    intake.drop_last().await;
                    refused.clear();
                }
            }
        }
        match intake.take(&mut part).await {
            Ok(()) => {}
            Err(
                error @ (ServiceError::FileTooLarge { .. } | ServiceError::UploadFailed { .. }),
            ) if form == UploadForm::Single => {
                return Err(error);
            }
            Err(error) if is_refusal(&error) => {
                refused.push((display_name(&part.name), error));
            }
            Err(ServiceError::FormTooLarge) => return Err(intake.too_large()),
            Err(error) => return Err(error),
        }
    }
    match (form, refused.len()) {
        _ if count == 0 => Err(ServiceError::FileMissing),
        (UploadForm::Single, 1) => Err(refused.remove(0).1),
        _ => Ok(refused),
    }
}
