//! Runs the target that `FUZZ_TARGET` names under libFuzzer; see `make fuzz`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod fuzzed {
    use std::sync::LazyLock;

    static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET");
        fuzz::target(&name).expect("a target of that name")
    });

    libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
}

/// Without the engine it only lists the targets.
#[cfg(not(fuzzing))]
#[expect(clippy::print_stdout, reason = "for a person at a terminal")]
fn main() {
    for (name, _) in fuzz::TARGETS {
        println!("{name}");
    }
}
