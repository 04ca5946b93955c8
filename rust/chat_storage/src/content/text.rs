//! Whether a stream is text: UTF-8 without NUL.

/// Checks text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct TextCheck {
    /// The beginning of a character whose rest has not come yet.
    pending: [u8; 4],
    pending_length: usize,
    is_broken: bool,
}

impl TextCheck {
    /// Looks at the next bytes; false as soon as it cannot be text any more.
    pub(super) fn feed(&mut self, mut chunk: &[u8]) -> bool {
        if chunk.contains(&0) {
            self.is_broken = true;
        }
        while self.pending_length > 0 && !self.is_broken {
            let Some((&byte, rest)) = chunk.split_first() else {
                return true;
            };
            chunk = rest;
            self.pending[self.pending_length] = byte;
            self.pending_length += 1;
            match std::str::from_utf8(&self.pending[..self.pending_length]) {
                Ok(_) => self.pending_length = 0,
                Err(error) if error.error_len().is_some() => self.is_broken = true,
                Err(_) => {}
            }
        }
        if !self.is_broken
            && let Err(error) = std::str::from_utf8(chunk)
        {
            let rest = &chunk[error.valid_up_to()..];
            if error.error_len().is_some() {
                self.is_broken = true;
            } else {
                self.pending[..rest.len()].copy_from_slice(rest);
                self.pending_length = rest.len();
            }
        }
        !self.is_broken
    }

    /// Whether what has come so far ends with a whole character.
    pub(super) fn is_complete(&self) -> bool {
        !self.is_broken && self.pending_length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_text(bytes: &[u8], cut: usize) -> bool {
        let mut check = TextCheck::default();
        let mut fits = true;
        for piece in bytes.chunks(cut) {
            fits = check.feed(piece);
        }
        fits && check.is_complete()
    }

    proptest! {
        #[test]
        fn the_cuts_do_not_matter(
            bytes in prop_oneof![any::<String>().prop_map(String::into_bytes), any::<Vec<u8>>()],
            cut in 1..7_usize,
        ) {
            let expected = std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\0'));
            prop_assert_eq!(is_text(&bytes, cut), expected);
        }
    }

    #[test]
    fn half_a_character_is_no_text() {
        assert!(is_text("añ🎉".as_bytes(), 1));
        assert!(!is_text(&"🎉".as_bytes()[..3], 1));
        assert!(!is_text(b"a\0b", 2));
        assert!(is_text(b"", 1));
    }
}
