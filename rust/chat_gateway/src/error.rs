//! The texts of `error` frames: the one place where errors become frames
//! (contract section 6.4). Close codes are in `chat_hub::DisconnectReason`.

use std::borrow::Cow;

use chat_protocol::ids::Seq;
use chat_protocol::{ClientId, EncodedFrame, FrameError, MAX_CONTENT_CHARACTERS, ServerFrame};

use crate::backend::Refusal;

const UNAVAILABLE: &str = "Servicio no disponible temporalmente";
const INTERNAL: &str = "Error interno del servidor";

/// Why a message was not stored, or not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    #[error("the file does not exist")]
    FileNotFound,
    #[error("the file is not visible to the sender")]
    FileAccessDenied,
    #[error("the room does not exist any more")]
    RoomNotFound,
    #[error("there is no such message, or it was deleted")]
    MessageNotFound,
    #[error("the message is somebody else's")]
    NotMessageSender,
    #[error("the message would have neither text nor file")]
    EmptyMessage,
    #[error("the database cannot keep changes")]
    ChangesUnavailable,
    #[error("the database cannot be reached")]
    Unavailable,
    #[error("the message could not be stored")]
    Internal,
}

/// Why a marker of what was read did not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    #[error("the last place of the room is {last}")]
    BeyondRoom { last: Seq },
    #[error("this database does not know what was read")]
    NotKnown,
    #[error("the database cannot be reached")]
    Unavailable,
    #[error("the marker could not be stored")]
    Internal,
}

impl ReadError {
    /// The `error` frame about it.
    pub fn frame(self) -> EncodedFrame {
        let text: Cow<'_, str> = match self {
            Self::BeyondRoom { last } => {
                format!("Lugar inexistente. Último de la sala: {last}").into()
            }
            Self::NotKnown => "El estado de lectura no está disponible".into(),
            Self::Unavailable => UNAVAILABLE.into(),
            Self::Internal => INTERNAL.into(),
        };
        error_frame(&text, None)
    }
}

pub(crate) fn frame_error(error: &FrameError) -> EncodedFrame {
    let text: Cow<'_, str> = match error {
        FrameError::Malformed => "Formato de mensaje inválido".into(),
        FrameError::EmptyMessage => "Mensaje vacío".into(),
        FrameError::MessageTooLong => format!(
            "Mensaje demasiado largo. Máximo permitido: {MAX_CONTENT_CHARACTERS} caracteres"
        )
        .into(),
        FrameError::UnknownEvent(kind) => format!("Tipo de evento desconocido: {kind}").into(),
        FrameError::UnknownType(kind) => format!("Tipo de mensaje desconocido: {kind}").into(),
    };
    error_frame(&text, None)
}

/// For a message that may have had a `client_id`.
pub(crate) fn post_error(error: PostError, client_id: Option<&ClientId>) -> EncodedFrame {
    let message = match error {
        PostError::FileNotFound => "Archivo no encontrado",
        PostError::FileAccessDenied => "No tienes acceso a este archivo",
        PostError::RoomNotFound => "Sala no encontrada",
        PostError::MessageNotFound => "Mensaje no encontrado",
        PostError::NotMessageSender => "No tienes permisos para modificar este mensaje",
        PostError::EmptyMessage => "Mensaje vacío",
        PostError::ChangesUnavailable => {
            "Los mensajes de esta base de datos no se pueden modificar"
        }
        PostError::Unavailable => UNAVAILABLE,
        PostError::Internal => INTERNAL,
    };
    error_frame(message, client_id)
}

/// For a token that was shown on an open connection.
pub(crate) fn refusal_error(refusal: Refusal) -> EncodedFrame {
    let message = match refusal {
        Refusal::Denied => "Token inválido",
        Refusal::Unavailable => UNAVAILABLE,
    };
    error_frame(message, None)
}

fn error_frame(message: &str, client_id: Option<&ClientId>) -> EncodedFrame {
    let client_id = client_id.map(ClientId::as_str);
    ServerFrame::Error { message, client_id }.encode()
}
