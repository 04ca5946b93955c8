//! Latencies in logarithmic buckets: within 2 % of the true value, from one
//! microsecond to an hour, in a fixed 8 kB, however many are recorded.

use std::time::Duration;

/// Buckets per doubling; one of them is 1/32 wide, its middle off by 1/64.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
const BUCKETS: usize = (32 * STEPS) as usize;

#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket_of(micros)] += 1;
        self.total += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The latency in milliseconds that `share` of all (0 to 1) did not exceed.
    pub(crate) fn percentile_ms(&self, share: f64) -> f64 {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return middle_of(bucket) / 1000.0;
            }
        }
        0.0
    }
}

fn bucket_of(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let doubling = micros.ilog2() - STEP_BITS;
    let step = (micros >> doubling) - STEPS;
    ((u64::from(doubling + 1) * STEPS + step) as usize).min(BUCKETS - 1)
}

fn middle_of(bucket: usize) -> f64 {
    let (doubling, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    if doubling == 0 {
        return step as f64;
    }
    let width = (1_u64 << (doubling - 1)) as f64;
    (STEPS + step) as f64 * width + (width - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_again_within_two_percent() {
        for micros in (0..5_000).chain((5_000..3_600_000_000).step_by(7_777_777)) {
            let found = middle_of(bucket_of(micros));
            let error = (found - micros as f64).abs();
            assert!(error <= micros as f64 * 0.02, "{micros} became {found}");
        }
    }

    #[test]
    fn percentiles_count_from_the_smallest() {
        let mut histogram = Histogram::default();
        for millis in 1..=100 {
            histogram.record(Duration::from_millis(millis));
        }
        assert!((histogram.percentile_ms(0.5) - 50.0).abs() < 1.0);
        assert!((histogram.percentile_ms(0.99) - 99.0).abs() < 2.0);
        assert!((histogram.percentile_ms(0.0) - 1.0).abs() < 0.1);
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert!(Histogram::default().percentile_ms(0.99).abs() < f64::EPSILON);
    }
}
