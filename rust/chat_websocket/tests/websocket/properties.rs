//! What must hold for any stream of frames, and for bytes that are none.

use chat_websocket::{DecodeError, Decoder, DecoderConfig, EncodedFrame, Event};
use proptest::prelude::*;

use crate::client::{self, Said, encode};

const LIMIT: usize = 1 << 20;

/// Feeds a stream in pieces that end at the given places, one by one at the end.
fn decode(stream: &[u8], cuts: &[usize]) -> (Vec<Event>, Option<DecodeError>) {
    let mut decoder = Decoder::new(DecoderConfig {
        max_message_bytes: LIMIT,
        deflate: true,
    });
    let mut events = Vec::new();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    for piece in cuts.windows(2) {
        let mut piece = stream[piece[0]..piece[1]].to_vec();
        if let Err(error) = decoder.decode(&mut piece, &mut events) {
            return (events, Some(error));
        }
    }
    (events, None)
}

proptest! {
    #[test]
    fn a_stream_decodes_to_what_was_said_wherever_it_is_cut(
        said in prop::collection::vec(Said::any(), 1..8),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let stream: Vec<u8> = said.iter().flat_map(encode).collect();
        let mut expected: Vec<Event> = said.iter().flat_map(Said::events).collect();
        if let Some(close) = expected.iter().position(|event| matches!(event, Event::Close(_))) {
            expected.truncate(close + 1);
        }
        prop_assert_eq!(decode(&stream, &cuts), (expected, None));
    }

    #[test]
    fn a_damaged_stream_fails_alike_wherever_it_is_cut(
        said in prop::collection::vec(Said::any(), 1..5),
        (place, byte) in (any::<prop::sample::Index>(), any::<u8>()),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let mut stream: Vec<u8> = said.iter().flat_map(encode).collect();
        let place = place.index(stream.len());
        stream[place] ^= byte;
        prop_assert_eq!(decode(&stream, &cuts), decode(&stream, &[]));
    }

    #[test]
    fn any_bytes_are_survived(
        stream in prop::collection::vec(any::<u8>(), 0..400),
        cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        prop_assert_eq!(decode(&stream, &cuts), decode(&stream, &[]));
    }

    #[test]
    fn server_frames_are_read_by_another_implementation(payload in "\\PC{0,300}", times in 1usize..400) {
        let payload = payload.repeat(times);
        let frame = EncodedFrame::text(|buffer| buffer.extend_from_slice(payload.as_bytes()));
        prop_assert_eq!(frame.text_payload(), &payload);
        prop_assert_eq!(client::read_text(frame.wire_bytes()), payload);
    }

    #[test]
    fn what_is_compressed_inflates_to_the_same(words in prop::collection::vec("\\PC{1,9}", 1..60), times in 1usize..30) {
        let payload = words.concat().repeat(times);
        let frame = EncodedFrame::text(|buffer| buffer.extend_from_slice(payload.as_bytes()));
        let compressed = frame.deflated_wire_bytes();
        prop_assert!(compressed.len() <= frame.wire_bytes().len());
        let stream = client::encode_again(compressed);
        prop_assert_eq!(decode(&stream, &[]), (vec![Event::Text(payload)], None));
    }
}
