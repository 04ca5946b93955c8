use proptest::prelude::*;
use serde_json::json;
use socketioxide_core::parser::{Parse as _, ParseConfig, ParseError, ParserState};
use socketioxide_parser_common::CommonParser;

use super::*;

/// What a client would say so: the messages of one packet.
fn decode(messages: &[Message]) -> Result<(String, ClientPacket), Undecodable> {
    let (config, state) = (ParseConfig::default(), ParserState::default());
    for message in messages {
        let decoded = match message.clone() {
            Message::Text(text) => CommonParser.decode_str(&config, &state, text.into()),
            Message::Binary(payload) => CommonParser.decode_bin(&config, &state, payload.into()),
        };
        match decoded {
            Ok(packet) => return ClientPacket::check(packet),
            Err(ParseError::NeedsMoreBinaryData) => {}
            Err(_) => return Err(Undecodable),
        }
    }
    Err(Undecodable)
}

#[derive(Clone, Debug)]
enum Message {
    Text(String),
    Binary(Vec<u8>),
}

/// The messages of frames, without the type that the engine puts before a text.
fn messages(frames: &Frames) -> Vec<Message> {
    let frames = frames.iter();
    frames
        .map(|frame| {
            if frame.is_binary() {
                Message::Binary(frame.payload().to_vec())
            } else {
                Message::Text(frame.text_payload()[1..].to_owned())
            }
        })
        .collect()
}

fn text(packet: &str) -> Result<(String, ClientPacket), Undecodable> {
    decode(&[Message::Text(packet.to_owned())])
}

#[test]
fn packets_are_written_as_in_the_protocol() {
    let payload = Payload::from(vec![json!(1), json!({"a": null})]);
    let wire = |frames: Frames| -> Vec<String> {
        let frames = frames.iter();
        frames
            .map(|frame| frame.text_payload().to_owned())
            .collect()
    };
    assert_eq!(
        wire(event("/", None, "x", &payload)),
        [r#"42["x",1,{"a":null}]"#]
    );
    assert_eq!(
        wire(event("/a/", Some(7), "x", &payload)),
        [r#"42/a/,7["x",1,{"a":null}]"#]
    );
    assert_eq!(wire(ack("/a", 0, &payload)), [r#"43/a,0[1,{"a":null}]"#]);
    assert_eq!(connected("/a", "id").text_payload(), r#"40/a,{"sid":"id"}"#);
    assert_eq!(disconnected("/").text_payload(), "41");
    let reason = json!({"message": "no"});
    assert_eq!(
        connect_error("/a", &reason).text_payload(),
        r#"44/a,{"message":"no"}"#
    );
}

#[test]
fn attachments_follow_their_packet() {
    let payload = Payload {
        args: vec![json!({"_placeholder": true, "num": 0})],
        attachments: vec![Bytes::from_static(b"abc")],
    };
    let written = messages(&event("/a", None, "x", &payload));
    assert!(
        matches!(&written[0], Message::Text(text) if text == r#"51-/a,["x",{"_placeholder":true,"num":0}]"#)
    );
    assert!(matches!(&written[1], Message::Binary(content) if content == b"abc"));
}

#[test]
fn what_the_reference_does_not_understand_is_refused() {
    for packet in [
        "",
        "9",
        "2",
        "2{}",
        "2[]",
        "2[null]",
        r#"2["connect"]"#,
        r#"2["x""#,
        "0[]",
        "0{",
        "0\"x\"",
        "3[]",
        "30{}",
        "4",
        "4{}",
        "5[]",
        "5-[]",
        "6[]",
        "2abc[\"x\"]",
        r#"2["x"]]"#,
    ] {
        assert_eq!(text(packet), Err(Undecodable), "{packet}");
    }
    let dangling = r#"51-["x",[{"a":{"_placeholder":true,"num":1}}]]"#;
    let messages = [Message::Text(dangling.into()), Message::Binary(vec![1])];
    assert_eq!(decode(&messages), Err(Undecodable));
}

#[test]
fn what_clients_say_is_understood() {
    let auth = json!({"token": "1"});
    let Value::Object(auth) = auth else {
        panic!("an object");
    };
    for (packet, namespace, expected) in [
        ("0", "/", ClientPacket::Connect { auth: Map::new() }),
        (r#"0/a,{"token":"1"}"#, "/a", ClientPacket::Connect { auth }),
        ("1/a", "/a", ClientPacket::Disconnect),
        (
            "31[2]",
            "/",
            ClientPacket::Ack {
                id: 1,
                payload: json!(2).into(),
            },
        ),
    ] {
        assert_eq!(text(packet), Ok((namespace.into(), expected)), "{packet}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|object| Value::Object(object.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_decoded_or_refused(packet in "[0-9]{0,4}-?(/[a-zé]{0,3},?)?[0-9]{0,25}\\PC{0,30}") {
        let _ = text(&packet);
    }

    #[test]
    fn any_messages_are_decoded_or_refused(head in "[56][0-9]{0,3}-\\PC{0,30}", attachments: Vec<Vec<u8>>) {
        let mut messages = vec![Message::Text(head)];
        messages.extend(attachments.into_iter().map(Message::Binary));
        let _ = decode(&messages);
    }

    #[test]
    fn what_is_written_is_read(
        namespace in "/|/[a-z/]{1,8}",
        name in "[a-z-]{1,8}",
        args in prop::collection::vec(value(), 0..4),
        attachments in prop::collection::vec(any::<Vec<u8>>(), 0..3),
        id in prop::option::of(0..i64::MAX),
    ) {
        prop_assume!(!RESERVED_EVENTS.contains(&&*name));
        let payload = Payload {
            args,
            attachments: attachments.into_iter().map(Bytes::from).collect(),
        };
        let read = decode(&messages(&event(&namespace, id, &name, &payload)));
        let expected = ClientPacket::Event { name, payload: payload.clone(), ack: id };
        prop_assert_eq!(read, Ok((namespace.clone(), expected)));
        if let Some(id) = id {
            let read = decode(&messages(&ack(&namespace, id, &payload)));
            prop_assert_eq!(read, Ok((namespace, ClientPacket::Ack { id, payload })));
        }
    }
}

proptest! {
    /// Clients in JavaScript send the shortest text of a number; it must stay that number.
    #[test]
    fn numbers_are_passed_on_as_they_came(number in prop::num::f64::NORMAL) {
        let packet = text(&format!("2[\"x\",{number:e}]"));
        let Ok((_, ClientPacket::Event { payload, .. })) = packet else {
            return Err(TestCaseError::fail("an event"));
        };
        prop_assert_eq!(payload.args[0].as_f64(), Some(number));
    }
}
