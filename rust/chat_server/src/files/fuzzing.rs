//! What the targets of `rust/fuzz` need of the insides.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::form::{FormReader, MAX_PIECE_BYTES, MAX_WAITING_PIECES, Piece, UploadForm};

/// Name, type and content of a file, or the code of the error that ended the form.
type Found = (Vec<(String, Option<String>, Vec<u8>)>, Option<&'static str>);

/// A form; its first line is the `Content-Type`. The files are the same in whatever
/// pieces it comes, and no longer than it.
///
/// # Panics
/// If that does not hold.
pub fn form(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let content_type = parts
        .next()
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let body = parts.next().unwrap_or_default();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        panic!("a runtime");
    };
    let read = |piece| runtime.block_on(read(&content_type, body, piece));
    let whole = read(MAX_PIECE_BYTES);
    let length: usize = whole.0.iter().map(|(_, _, content)| content.len()).sum();
    assert!(length <= body.len());
    assert!(whole.0.len() <= UploadForm::Multiple.max_files().max(body.len()));
    for piece in [1, 7] {
        assert_eq!(whole, read(piece), "in pieces of {piece}");
    }
}

async fn read(content_type: &str, body: &[u8], piece: usize) -> Found {
    let (sender, receiver) = mpsc::channel(MAX_WAITING_PIECES);
    let mut files = Vec::new();
    let reader = FormReader::new(UploadForm::Multiple, Some(content_type), receiver, 1 << 20);
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return (files, Some(error.code())),
    };
    let feed = async move {
        for piece in body.chunks(piece) {
            let piece = Piece::Data(Bytes::copy_from_slice(piece));
            if sender.send(piece).await.is_err() {
                return;
            }
        }
        // An error means that the form has ended already.
        let _ = sender.send(Piece::End).await;
    };
    let take = async {
        let ended = async {
            while let Some(mut part) = reader.next_file().await? {
                let mut content = Vec::new();
                while let Some(chunk) = part.chunk().await? {
                    content.extend_from_slice(&chunk);
                }
                files.push((part.name.clone(), part.declared_type.clone(), content));
            }
            Ok::<(), crate::error::ServiceError>(())
        };
        let ended = ended.await;
        drop(reader);
        ended
    };
    let (ended, ()) = tokio::join!(take, feed);
    (files, ended.err().map(|error| error.code()))
}
