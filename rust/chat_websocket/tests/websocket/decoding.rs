//! Rule by rule (RFC 6455).

use chat_websocket::{
    CloseFrame, DecodeError, Decoder, DecoderConfig, EncodedFrame, Event, Violation,
};

use crate::client::frame;

const LIMIT: usize = 1000;

fn decoder(deflate: bool) -> Decoder {
    Decoder::new(DecoderConfig {
        max_message_bytes: LIMIT,
        deflate,
    })
}

fn decode(frames: &[Vec<u8>]) -> (Vec<Event>, Result<usize, DecodeError>) {
    let mut events = Vec::new();
    let begun = decoder(false).decode(&mut frames.concat(), &mut events);
    (events, begun)
}

fn refused(frames: &[Vec<u8>]) -> DecodeError {
    decode(frames).1.expect_err("an error")
}

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

#[test]
fn the_examples_of_the_rfc_are_decoded() {
    // Section 5.7: a masked "Hello", and a masked pong with the same body.
    let hello = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let pong = [
        0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let (events, begun) = decode(&[hello.to_vec(), pong.to_vec()]);
    assert_eq!(events, [text("Hello"), Event::Pong(b"Hello".to_vec())]);
    assert_eq!(begun, Ok(2));
}

#[test]
fn control_frames_come_between_fragments() {
    let (events, begun) = decode(&[
        frame(0x01, "añ".as_bytes().split_at(2).0),
        frame(0x89, b"1"),
        frame(0x00, b""),
        frame(0x8a, b"2"),
        frame(0x80, "añ".as_bytes().split_at(2).1),
        frame(0x02, b"\xff"),
        frame(0x80, b""),
    ]);
    assert_eq!(
        events,
        [
            Event::Ping(b"1".to_vec()),
            Event::Pong(b"2".to_vec()),
            text("añ"),
            Event::Binary(b"\xff".to_vec()),
        ]
    );
    assert_eq!(begun, Ok(7));
}

#[test]
fn every_length_form_is_decoded() {
    for length in [0, 125, 126, 999, 1000] {
        let payload = "x".repeat(length);
        let (events, _) = decode(&[frame(0x81, payload.as_bytes())]);
        assert_eq!(events, [text(&payload)]);
    }
    // Longer than necessary, which a client may send (nothing depends on it).
    let mut long = vec![0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 1];
    long.extend([0, 0, 0, 0, b'x']);
    assert_eq!(decode(&[long]).0, [text("x")]);
}

#[test]
fn violations_are_found_with_the_first_two_bytes() {
    for (bytes, violation) in [
        ([0x81, 0x01], Violation::NotMasked),
        ([0xc1, 0x80], Violation::ReservedBit),
        ([0xa1, 0x80], Violation::ReservedBit),
        ([0x91, 0x80], Violation::ReservedBit),
        ([0x83, 0x80], Violation::ReservedOpcode),
        ([0x8b, 0x80], Violation::ReservedOpcode),
        ([0x09, 0x80], Violation::FragmentedControl),
        ([0x89, 0xfe], Violation::LongControl),
        ([0x80, 0x80], Violation::NothingToContinue),
    ] {
        assert_eq!(refused(&[bytes.to_vec()]), violation.into(), "{bytes:x?}");
    }
    for second in [0x81, 0x82] {
        let frames = [frame(0x01, b""), vec![second, 0x80]];
        assert_eq!(refused(&frames), Violation::UnfinishedMessage.into());
    }
    let top_bit = [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        refused(&[top_bit.to_vec()]),
        Violation::InvalidLength.into()
    );
}

#[test]
fn the_limit_holds_from_the_header_on() {
    let announced = [0x81, 0x80 | 126, 0x03, 0xe9];
    assert_eq!(refused(&[announced.to_vec()]), DecodeError::MessageTooBig);
    let frames = [
        frame(0x01, &[b'x'; 600]),
        vec![0x80, 0x80 | 126, 0x01, 0x91],
    ];
    assert_eq!(refused(&frames), DecodeError::MessageTooBig);
    let fits = [frame(0x01, &[b'x'; 600]), frame(0x80, &[b'x'; 400])];
    assert_eq!(decode(&fits).0.len(), 1);
}

#[test]
fn bad_text_is_refused_inside_a_frame() {
    let mut frames = frame(0x81, b"caf\xe9 and more that never comes");
    frames.truncate(6 + 5);
    assert_eq!(refused(&[frames]), DecodeError::InvalidUtf8);
    assert_eq!(
        refused(&[frame(0x81, b"\xe2\x98")]),
        DecodeError::InvalidUtf8
    );
    let cut = [frame(0x01, b"\xe2\x98"), frame(0x80, b"")];
    assert_eq!(refused(&cut), DecodeError::InvalidUtf8);
}

#[test]
fn close_frames_are_judged_and_end_everything() {
    let close = |code: u16, reason: &[u8]| frame(0x88, &[&code.to_be_bytes(), reason].concat());
    for code in [1000, 1003, 1007, 1011, 1014, 3000, 4999] {
        let (events, _) = decode(&[close(code, "adiós".as_bytes()), frame(0x83, b"")]);
        let frame = CloseFrame {
            code,
            reason: "adiós".into(),
        };
        assert_eq!(events, [Event::Close(Some(frame))]);
    }
    assert_eq!(decode(&[frame(0x88, b"")]).0, [Event::Close(None)]);
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let error = refused(&[close(code, b"")]);
        assert_eq!(error, Violation::InvalidCloseCode.into(), "{code}");
    }
    assert_eq!(
        refused(&[frame(0x88, b"\x03")]),
        Violation::HalfCloseCode.into()
    );
    assert_eq!(refused(&[close(1000, b"\xff")]), DecodeError::InvalidUtf8);
}

#[test]
fn what_was_complete_before_an_error_is_given() {
    let mut decoder = decoder(false);
    let mut events = Vec::new();
    let mut input = [frame(0x81, b"x"), vec![0x83, 0x80], frame(0x81, b"y")].concat();
    assert!(decoder.decode(&mut input, &mut events).is_err());
    assert_eq!(decoder.decode(&mut frame(0x81, b"z"), &mut events), Ok(0));
    assert_eq!(events, [text("x")]);
}

/// "Hello", compressed (RFC 7692, section 7.2.3.1).
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn decode_deflate(frames: &[Vec<u8>]) -> (Vec<Event>, Result<usize, DecodeError>) {
    let mut events = Vec::new();
    let begun = decoder(true).decode(&mut frames.concat(), &mut events);
    (events, begun)
}

#[test]
fn compressed_and_plain_messages_follow_each_other() {
    let (start, end) = HELLO.split_at(3);
    let (events, begun) = decode_deflate(&[
        frame(0xc1, &HELLO),
        frame(0x81, b"plain"),
        frame(0x42, start),
        frame(0x89, b""),
        frame(0x80, end),
        frame(0xc1, b"\0"),
    ]);
    assert_eq!(
        events,
        [
            text("Hello"),
            text("plain"),
            Event::Ping(vec![]),
            Event::Binary(b"Hello".to_vec()),
            text(""),
        ]
    );
    assert_eq!(begun, Ok(6));
}

#[test]
fn the_bit_of_compression_belongs_to_the_first_frame_of_a_message() {
    for frames in [
        vec![frame(0x01, b"a"), frame(0xc0, b"b")],
        vec![frame(0xc9, b"")],
        vec![frame(0xc8, b"")],
        vec![frame(0xa1, b"")],
    ] {
        let error = decode_deflate(&frames).1.expect_err("an error");
        assert_eq!(error, Violation::ReservedBit.into());
    }
}

#[test]
fn compressed_messages_are_judged_like_others() {
    // Stored blocks, so that the test sees what is in them.
    let stored = |payload: &[u8]| {
        let length = payload.len() as u16;
        let mut block = vec![0];
        block.extend(length.to_le_bytes());
        block.extend((!length).to_le_bytes());
        block.extend(payload);
        block
    };
    let bomb = EncodedFrame::text(|payload| payload.extend([b'x'; LIMIT + 1]));
    let two_blocks = [stored(&[b'x'; 10]), stored(&[b'x'; 970]), vec![0]].concat();
    for (compressed, expected) in [
        (two_blocks, Ok(1)),
        (
            bomb.deflated_wire_bytes()[2..].to_vec(),
            Err(DecodeError::MessageTooBig),
        ),
        (
            [stored(b"caf\xe9"), vec![0]].concat(),
            Err(DecodeError::InvalidUtf8),
        ),
        (vec![0xff], Err(Violation::InvalidCompression.into())),
    ] {
        assert_eq!(decode_deflate(&[frame(0xc1, &compressed)]).1, expected);
    }
}

#[test]
fn inflated_bytes_count_like_frames() {
    let bomb = EncodedFrame::text(|payload| payload.extend([b'x'; 40_960]));
    let compressed = bomb.deflated_wire_bytes();
    // Two bytes of header: the payload is below 126 bytes.
    let mut input = frame(0xc1, &compressed[2..]);
    let mut events = Vec::new();
    let mut decoder = Decoder::new(DecoderConfig {
        max_message_bytes: 50_000,
        deflate: true,
    });
    assert_eq!(decoder.decode(&mut input, &mut events), Ok(1 + 10));
    assert_eq!(events.len(), 1);
}
