//! Taking structure out of bytes.

/// The first byte, zero if there is none, and the rest.
pub fn split_first(data: &[u8]) -> (u8, &[u8]) {
    data.split_first()
        .map_or((0, data), |(first, rest)| (*first, rest))
}
