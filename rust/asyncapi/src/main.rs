//! Writes the document to where it is kept; see `make asyncapi`.

fn main() -> std::io::Result<()> {
    let mut text = serde_json::to_string_pretty(&asyncapi::document())?;
    text.push('\n');
    std::fs::write(asyncapi::PLACE, text)
}
