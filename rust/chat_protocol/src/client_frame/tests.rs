use proptest::prelude::*;

use super::*;

fn message(content: &str, file_id: Option<i64>) -> Result<ClientFrame, FrameError> {
    Ok(ClientFrame::Message(MessageDraft {
        content: content.to_owned(),
        file_id,
        client_id: None,
    }))
}

#[test]
fn messages_are_trimmed_and_need_no_type() {
    assert_eq!(
        ClientFrame::parse(r#"{"content":"  hola\n"}"#),
        message("hola", None)
    );
    assert_eq!(
        ClientFrame::parse(r#"{"type":"message","content":"\u001c a \u001f","x":[1]}"#),
        message("a", None)
    );
    assert_eq!(
        ClientFrame::parse(r#"{"content":"a","content":"b"}"#),
        message("b", None)
    );
}

#[test]
fn a_file_replaces_the_text() {
    for frame in [
        r#"{"file_id":7}"#,
        r#"{"file_id":"7","content":null}"#,
        r#"{"file_id":7.0,"content":" "}"#,
    ] {
        assert_eq!(ClientFrame::parse(frame), message("", Some(7)), "{frame}");
    }
    assert_eq!(
        ClientFrame::parse(r#"{"content":"a","file_id":null}"#),
        message("a", None)
    );
    assert_eq!(
        ClientFrame::parse(r#"{"content":"a","file_id":1e300}"#),
        message("a", Some(i64::MAX))
    );
}

#[test]
fn errors_follow_the_contract() {
    for frame in [
        "",
        "{",
        "[]",
        "5",
        "null",
        "{} x",
        r#"{"content":5}"#,
        r#"{"content":["a"]}"#,
        r#"{"content":true}"#,
    ] {
        assert_eq!(
            ClientFrame::parse(frame),
            Err(FrameError::Malformed),
            "{frame}"
        );
    }
    for frame in [
        r#"{"content":"a\u0000"}"#,
        r#"{"content":"\ud800"}"#,
        r#"{"content":"a","file_id":"x"}"#,
        r#"{"content":"a","file_id":1.5}"#,
    ] {
        assert_eq!(
            ClientFrame::parse(frame),
            Err(FrameError::Malformed),
            "{frame}"
        );
    }
    for frame in [
        "{}",
        r#"{"content":""}"#,
        r#"{"content":" \t"}"#,
        r#"{"content":null}"#,
    ] {
        assert_eq!(
            ClientFrame::parse(frame),
            Err(FrameError::EmptyMessage),
            "{frame}"
        );
    }
    for (frame, kind) in [
        (r#"{"type":"baile"}"#, "baile"),
        (r#"{"type":""}"#, ""),
        (r#"{"type":5}"#, "5"),
        (r#"{"type":null}"#, "null"),
    ] {
        assert_eq!(
            ClientFrame::parse(frame),
            Err(FrameError::UnknownType(kind.to_owned())),
            "{frame}"
        );
    }
}

#[test]
fn the_length_limit_counts_characters() {
    let longest = "ñ".repeat(MAX_CONTENT_CHARACTERS);
    assert_eq!(
        ClientFrame::parse(&format!(r#"{{"content":"{longest}"}}"#)),
        message(&longest, None)
    );
    assert_eq!(
        ClientFrame::parse(&format!(r#"{{"content":"{longest}ñ"}}"#)),
        Err(FrameError::MessageTooLong)
    );
}

#[test]
fn typing_takes_the_truth_value() {
    for (frame, truth) in [
        (r#"{"type":"typing"}"#, false),
        (r#"{"type":"typing","typing":true}"#, true),
        (r#"{"type":"typing","typing":"no"}"#, true),
        (r#"{"type":"typing","typing":0}"#, false),
        (r#"{"type":"typing","typing":[]}"#, false),
        (r#"{"type":"typing","typing":null}"#, false),
    ] {
        assert_eq!(
            ClientFrame::parse(frame),
            Ok(ClientFrame::Typing(truth)),
            "{frame}"
        );
    }
}

#[test]
fn a_message_may_have_a_name() {
    let named = |frame: &str| match ClientFrame::parse(frame) {
        Ok(ClientFrame::Message(draft)) => Ok(draft.client_id.map(String::from)),
        Ok(_) => panic!("not a message"),
        Err(error) => Err(error),
    };
    let longest = "ñ".repeat(MAX_CLIENT_ID_CHARACTERS);
    for (client_id, expected) in [
        ("null".to_owned(), Ok(None)),
        (r#""ñ-1""#.to_owned(), Ok(Some("ñ-1".to_owned()))),
        (format!("\"{longest}\""), Ok(Some(longest.clone()))),
        (format!("\"{longest}x\""), Err(FrameError::Malformed)),
        (r#""""#.to_owned(), Err(FrameError::Malformed)),
        (r#""a\nb""#.to_owned(), Err(FrameError::Malformed)),
        ("7".to_owned(), Err(FrameError::Malformed)),
    ] {
        let frame = format!(r#"{{"content":"a","client_id":{client_id}}}"#);
        assert_eq!(named(&frame), expected, "{frame}");
    }
}

#[test]
fn resuming_needs_a_place() {
    let position = |seq, change: Option<i64>| {
        Ok(ClientFrame::Resume(Position {
            seq: Seq(seq),
            change: change.map(Change),
        }))
    };
    for (frame, expected) in [
        (r#"{"type":"resume","since_seq":0}"#, position(0, None)),
        (r#"{"type":"resume","since_seq":"17"}"#, position(17, None)),
        (
            r#"{"type":"resume","since_seq":3,"since_change":0}"#,
            position(3, Some(0)),
        ),
        (
            r#"{"type":"resume","since_seq":3,"since_change":-1}"#,
            Err(FrameError::Malformed),
        ),
        (
            r#"{"type":"resume","since_change":3}"#,
            Err(FrameError::Malformed),
        ),
        (r#"{"type":"resume"}"#, Err(FrameError::Malformed)),
        (
            r#"{"type":"resume","since_seq":-1}"#,
            Err(FrameError::Malformed),
        ),
        (
            r#"{"type":"resume","since_seq":1.5}"#,
            Err(FrameError::Malformed),
        ),
        (
            r#"{"type":"resume","since_seq":null}"#,
            Err(FrameError::Malformed),
        ),
    ] {
        assert_eq!(ClientFrame::parse(frame), expected, "{frame}");
    }
}

#[test]
fn events_are_asked_for_by_name() {
    let kinds = |list| Ok(ClientFrame::Subscribe(EventKinds::from_list(list)));
    let unknown = |name: &str| Err(FrameError::UnknownEvent(name.to_owned()));
    for (events, expected) in [
        (r#"["changes","typing","changes"]"#, kinds("changes,typing")),
        ("[]", kinds("")),
        (r#"["changes","baile"]"#, unknown("baile")),
        (r#"[""]"#, unknown("")),
        (r#"["changes",5]"#, Err(FrameError::Malformed)),
        (r#""changes""#, Err(FrameError::Malformed)),
        ("null", Err(FrameError::Malformed)),
    ] {
        let frame = format!(r#"{{"type":"subscribe","events":{events}}}"#);
        assert_eq!(ClientFrame::parse(&frame), expected, "{frame}");
    }
}

#[test]
fn changes_name_a_message() {
    let change = |id, content: Option<&str>, client_id: Option<&str>| {
        Ok(ClientFrame::Change(ChangeDraft {
            id,
            content: content.map(str::to_owned),
            client_id: client_id.and_then(|id| ClientId::new(id.to_owned())),
        }))
    };
    for (frame, expected) in [
        (
            r#"{"type":"edit","id":7,"content":" a ","client_id":"c"}"#,
            change(7, Some("a"), Some("c")),
        ),
        (
            r#"{"type":"edit","id":"7","content":" "}"#,
            change(7, Some(""), None),
        ),
        (
            r#"{"type":"delete","id":7,"content":5}"#,
            change(7, None, None),
        ),
        (r#"{"type":"edit","id":7}"#, Err(FrameError::Malformed)),
        (
            r#"{"type":"edit","id":7,"content":null}"#,
            Err(FrameError::Malformed),
        ),
        (
            r#"{"type":"edit","id":7,"content":"\u0000"}"#,
            Err(FrameError::Malformed),
        ),
        (
            r#"{"type":"edit","content":"a"}"#,
            Err(FrameError::Malformed),
        ),
        (r#"{"type":"delete"}"#, Err(FrameError::Malformed)),
        (r#"{"type":"delete","id":1.5}"#, Err(FrameError::Malformed)),
        (
            r#"{"type":"delete","id":1,"client_id":""}"#,
            Err(FrameError::Malformed),
        ),
    ] {
        assert_eq!(ClientFrame::parse(frame), expected, "{frame}");
    }
    let long = "ñ".repeat(MAX_CONTENT_CHARACTERS + 1);
    assert_eq!(
        ClientFrame::parse(&format!(r#"{{"type":"edit","id":7,"content":"{long}"}}"#)),
        Err(FrameError::MessageTooLong)
    );
}

#[test]
fn deep_nesting_is_malformed_or_ignored() {
    let deep = "[".repeat(200_000);
    assert_eq!(
        ClientFrame::parse(&format!(r#"{{"content":{deep}"#)),
        Err(FrameError::Malformed)
    );
    let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        ClientFrame::parse(&format!(r#"{{"type":"ping","x":{closed}}}"#)),
        Ok(ClientFrame::Ping)
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = ClientFrame::parse(&text);
    }

    #[test]
    fn any_content_without_nul_round_trips(content in "[^\0]{1,200}") {
        let frame = serde_json::json!({"type": "message", "content": content}).to_string();
        let trimmed = content.trim_matches(is_blank);
        let expected = if trimmed.is_empty() { Err(FrameError::EmptyMessage) } else { message(trimmed, None) };
        prop_assert_eq!(ClientFrame::parse(&frame), expected);
    }
}

#[test]
fn reading_needs_a_place() {
    let read = |seq| Ok(ClientFrame::Read(Seq(seq)));
    for (frame, expected) in [
        (r#"{"type":"read","seq":0}"#, read(0)),
        (r#"{"type":"read","seq":"17","since_seq":3}"#, read(17)),
        (
            r#"{"type":"read","since_seq":3}"#,
            Err(FrameError::Malformed),
        ),
        (r#"{"type":"read","seq":-1}"#, Err(FrameError::Malformed)),
        (r#"{"type":"read","seq":[]}"#, Err(FrameError::Malformed)),
    ] {
        assert_eq!(ClientFrame::parse(frame), expected, "{frame}");
    }
}
