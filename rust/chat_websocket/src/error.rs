//! Why a client's bytes cannot be decoded any further.

/// The connection must end. Each variant has a close code of its own (RFC 6455,
/// section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// 1002.
    #[error("the client broke the protocol: {0}")]
    Protocol(#[from] Violation),
    /// 1007.
    #[error("a text is not UTF-8")]
    InvalidUtf8,
    /// 1009.
    #[error("a message is longer than allowed")]
    MessageTooBig,
}

/// Which rule of the protocol was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    #[error("a frame is not masked")]
    NotMasked,
    #[error("a reserved bit is set")]
    ReservedBit,
    #[error("an opcode is reserved")]
    ReservedOpcode,
    #[error("a length has its highest bit set")]
    InvalidLength,
    #[error("a control frame is fragmented")]
    FragmentedControl,
    #[error("a control frame is longer than 125 bytes")]
    LongControl,
    #[error("nothing is there to continue")]
    NothingToContinue,
    #[error("a message begins inside another")]
    UnfinishedMessage,
    #[error("a compressed message cannot be inflated")]
    InvalidCompression,
    #[error("a close frame has half a code")]
    HalfCloseCode,
    #[error("a close code may not be sent")]
    InvalidCloseCode,
}
