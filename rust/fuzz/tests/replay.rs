//! Every target takes its corpus, and its inputs cut at some places.

use std::path::Path;

#[test]
fn the_corpus_of_every_target_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, check) in fuzz::TARGETS {
        let inputs = std::fs::read_dir(corpus.join(name)).expect("a corpus");
        let mut count = 0;
        for input in inputs {
            let data = std::fs::read(input.expect("an entry").path()).expect("a file");
            for length in [
                0,
                data.len() / 3,
                data.len() / 2,
                data.len().saturating_sub(1),
            ] {
                check(&data[..length]);
            }
            check(&data);
            count += 1;
        }
        assert!(count > 0, "{name} has no corpus");
    }
}
