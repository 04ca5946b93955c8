//! Masking (RFC 6455, section 5.3). The same operation masks and unmasks.

/// The key of one frame, turned so that its first byte belongs to the next byte of the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask([u8; 4]);

impl Mask {
    pub(crate) fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// Unmasks the next bytes of the payload where they are.
    pub(crate) fn apply(&mut self, payload: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = payload.as_chunks_mut::<8>();
        for bytes in words {
            *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip([a, b, c, d].iter().cycle()) {
            *byte ^= key;
        }
        self.0.rotate_left(rest.len() % 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_unmasked_like_the_whole() {
        let key = [1, 20, 255, 7];
        let payload: Vec<u8> = (0..100).collect();
        let expected: Vec<u8> = payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect();
        for piece_bytes in 1..40 {
            let mut pieces = payload.clone();
            let mut mask = Mask::new(key);
            for piece in pieces.chunks_mut(piece_bytes) {
                mask.apply(piece);
            }
            assert_eq!(pieces, expected, "{piece_bytes}");
        }
    }
}
