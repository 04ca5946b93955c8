//! Images of messages (contract section 4): a form brings one, and whoever knows its
//! address may read it. What they are is told by their content alone.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use multer::Multipart;
use serde_json::json;

use super::WsHub;
use super::error::RestError;
use crate::shared::{
    Body, ImageOutcome, ImageRefusal, Primary, Request, Response, format_http_date,
};

/// The path of images below the mount, which is no part of an address.
const FOLDER: &str = "/uploads/";
const FIELD: &str = "image";
const MAX_IMAGE_BYTES: usize = 5 * 1024 * 1024;
/// The largest form: an image, and what a form needs besides.
pub(super) const MAX_FORM_BYTES: usize = MAX_IMAGE_BYTES + 64 * 1024;
/// Nothing is ever stored under the same name again.
const CACHE: &str = "public, max-age=31536000, immutable";

impl WsHub {
    pub(super) async fn upload_image(&self, request: &Request) -> Result<Response, RestError> {
        let too_large = || RestError::refused(413, "File too large");
        let body = request.body().ok_or_else(too_large)?.clone();
        let content_type = request.head().content_type.as_deref();
        let image = find_image(content_type, body)
            .await
            .map_err(|_| RestError::refused(400, "Invalid form data"))?
            .ok_or(RestError::refused(400, "No file uploaded"))?;
        if image.len() > MAX_IMAGE_BYTES {
            return Err(too_large());
        }
        match self.primary.store_image(image).await? {
            Ok(name) => {
                let answer = json!({"imageUrl": format!("{FOLDER}{name}")});
                Ok(Response::json(200, &answer))
            }
            Err(ImageRefusal::NoImage) => Err(RestError::refused(
                400,
                "Only image files (JPEG, PNG, GIF, WebP) are allowed",
            )),
            Err(ImageRefusal::TooLarge) => Err(too_large()),
        }
    }

    pub(super) async fn get_image(
        &self,
        request: &Request,
        name: &str,
    ) -> Result<Response, RestError> {
        let conditions = request.head().conditions.clone();
        let image = self
            .primary
            .open_image(name, conditions)
            .await?
            .ok_or(RestError::refused(404, "Not found"))?;
        let (status, has_content) = match image.outcome {
            ImageOutcome::Whole => (200, true),
            ImageOutcome::Part => (206, true),
            ImageOutcome::NotModified => (304, false),
            ImageOutcome::Unsatisfiable => (416, false),
        };
        let mut answer = Response::empty(status)
            .with_header("etag", image.etag)
            .with_header("last-modified", format_http_date(image.modified))
            .with_header("accept-ranges", "bytes")
            .with_header("cache-control", CACHE)
            .with_header("x-content-type-options", "nosniff");
        if let Some(content_range) = image.content_range {
            answer = answer.with_header("content-range", content_range);
        }
        if has_content {
            answer = answer.with_header("content-type", image.content_type);
            answer.body = Body::Content(image.content);
        }
        Ok(answer)
    }
}

/// Whether a message may show this as an image of ours.
pub(super) fn is_address(primary: &dyn Primary, url: &str) -> bool {
    url.strip_prefix(FOLDER)
        .is_some_and(|name| primary.is_image_name(name))
}

/// The file in the field for it, of several the first one; none if there is none, or
/// the body is no form at all.
///
/// # Errors
/// If the form is damaged.
async fn find_image(
    content_type: Option<&str>,
    body: Bytes,
) -> Result<Option<Bytes>, multer::Error> {
    let boundary = content_type.and_then(|declared| multer::parse_boundary(declared).ok());
    let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
        return Ok(None);
    };
    let body = stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = Multipart::new(body, boundary);
    let mut image = None;
    while let Some(field) = form.next_field().await? {
        // Some clients write names beyond ASCII in a form that the parser does not read.
        let is_file = field.file_name().is_some() || field.content_type().is_some();
        if is_file && field.name() == Some(FIELD) && image.is_none() {
            image = Some(field.bytes().await?);
        }
    }
    Ok(image)
}
