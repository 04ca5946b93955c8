//! Whether the content of a file is what it is declared to be.
//!
//! Looks at the content as it streams by: the first bytes, the whole of text,
//! and of pictures the size in their header, before anything decodes them. What
//! cannot be told apart is let through. No content is kept but the head, at
//! most [`MAX_HEAD_BYTES`] of it.

mod dimensions;
mod jpeg;
mod magic;
mod office;
mod svg;
mod text;

pub use self::dimensions::Dimensions;
pub(crate) use self::dimensions::MAX_SIDE;
use self::jpeg::JpegHeader;
use self::text::TextCheck;
use crate::media_type::MediaType;

/// The largest head that any type needs.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Files that are shorter than every signature could be anything, and do no harm
/// as anything: they pass, as empty ones do.
const SHORTEST_SIGNATURE: usize = 4;

/// Why a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    #[error("the content is not {}", declared.as_str())]
    Mismatch { declared: MediaType },
    #[error("the picture has {} × {} pixels", dimensions.width, dimensions.height)]
    ImageTooLarge { dimensions: Dimensions },
}

impl ContentError {
    /// Every code that [`code`](Self::code) can return.
    pub const CODES: [&'static str; 2] = ["content_mismatch", "image_too_large"];

    /// The stable name of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mismatch { .. } => "content_mismatch",
            Self::ImageTooLarge { .. } => "image_too_large",
        }
    }
}

/// What the head of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fits,
    Differs,
    /// Ask again with more; at the end of the head or the file this is a yes.
    Undecided,
}

/// The type of picture that content is by its first bytes, whatever anybody says.
pub fn picture_type(content: &[u8]) -> Option<MediaType> {
    let head = content.get(..magic::LEAST_BYTES).unwrap_or(content);
    let mut types = MediaType::PICTURES.into_iter();
    types.find(|media_type| magic::judge(*media_type, head, true) == Verdict::Fits)
}

/// Checks one file while it streams.
#[derive(Debug)]
pub struct ContentCheck {
    declared: MediaType,
    head: Vec<u8>,
    /// The length of the head at which it is worth another look. Doubles, so
    /// that a client that sends single bytes costs no more than others.
    next_look: usize,
    verdict: Verdict,
    text: Option<TextCheck>,
    jpeg: Option<JpegHeader>,
    dimensions: Option<Dimensions>,
}

impl ContentCheck {
    /// A check of a file of which nothing has been seen yet.
    pub fn new(declared: MediaType) -> Self {
        let is_text = matches!(
            declared,
            MediaType::PlainText | MediaType::Csv | MediaType::Svg
        );
        Self {
            declared,
            head: Vec::new(),
            next_look: magic::LEAST_BYTES,
            verdict: Verdict::Undecided,
            text: is_text.then(TextCheck::default),
            jpeg: (declared == MediaType::Jpeg).then(JpegHeader::default),
            dimensions: None,
        }
    }

    /// Looks at the next bytes, however they are cut.
    ///
    /// # Errors
    /// As soon as it is clear that the file is refused; it stays refused.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), ContentError> {
        let mismatch = ContentError::Mismatch {
            declared: self.declared,
        };
        if let Some(text) = &mut self.text
            && !text.feed(chunk)
        {
            self.verdict = Verdict::Differs;
        }
        if self.verdict == Verdict::Undecided && !chunk.is_empty() {
            let space = magic::head_bytes(self.declared).saturating_sub(self.head.len());
            self.head
                .extend_from_slice(&chunk[..space.min(chunk.len())]);
            if chunk.len() >= space {
                self.judge(true);
            } else if self.head.len() >= self.next_look {
                self.judge(false);
                self.next_look = self.head.len() * 2;
            }
        }
        if self.verdict == Verdict::Differs {
            return Err(mismatch);
        }
        if let Some(jpeg) = &mut self.jpeg {
            self.dimensions = self.dimensions.or_else(|| jpeg.feed(chunk));
        }
        self.bound_dimensions()
    }

    /// Ends the check. Gives the size of a picture in pixels, if its header
    /// says it. Empty files pass, as they do in the original.
    ///
    /// # Errors
    /// If the file is refused.
    pub fn finish(mut self) -> Result<Option<Dimensions>, ContentError> {
        if self.text.as_ref().is_some_and(|text| !text.is_complete()) {
            self.verdict = Verdict::Differs;
        }
        if self.verdict == Verdict::Undecided && self.head.len() >= SHORTEST_SIGNATURE {
            self.judge(true);
        }
        if self.verdict == Verdict::Differs {
            return Err(ContentError::Mismatch {
                declared: self.declared,
            });
        }
        self.bound_dimensions()?;
        Ok(self.dimensions)
    }

    fn judge(&mut self, is_complete: bool) {
        self.verdict = magic::judge(self.declared, &self.head, is_complete);
        if is_complete && self.verdict == Verdict::Undecided {
            self.verdict = Verdict::Fits;
        }
        if self.verdict == Verdict::Fits {
            let in_head = dimensions::in_head(self.declared, &self.head);
            self.dimensions = self.dimensions.or(in_head);
            self.head = Vec::new();
        }
    }

    fn bound_dimensions(&self) -> Result<(), ContentError> {
        match self.dimensions {
            Some(dimensions) if !dimensions.are_bounded() => {
                Err(ContentError::ImageTooLarge { dimensions })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
