//! The document in the repository is the one that the types give.

use std::path::Path;

use serde_json::Value;

#[test]
fn the_committed_document_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let committed = std::fs::read_to_string(root.join(asyncapi::PLACE)).expect("a document");
    let committed: Value = serde_json::from_str(&committed).expect("JSON");
    assert!(
        committed == asyncapi::document(),
        "{} is not what the types give: run `make asyncapi`",
        asyncapi::PLACE
    );
}
