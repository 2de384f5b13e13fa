use super::*;

/// The tokens of the writes that were found.
fn tokens(given: &Given) -> Vec<&str> {
    given.events.iter().filter_map(|event| event.version.as_deref()).collect()
}

#[track_caller]
fn assert_located(given: &Given, message: &str, line: u32) {
    let [gap] = &given.gaps[..] else { panic!("{:?}", given.gaps) };
    assert!(gap.message.contains(message), "{}", gap.message);
    assert_eq!(gap.location.as_ref().unwrap().line, line);
    assert_eq!(given.holes.len(), 1);
}

#[test]
fn broken_json_in_the_middle() {
    for wrong in [
        &br#"{"eventVersion":"1","eventSource":"secretsmanager.amazonaws.com","x":"never ends}"#[..],
        br#"{"eventVersion":"1","eventSource":"secretsmanager.amazonaws.com","x":}"#,
        b"{{{",
        b"\"",
        b"]}",
        b"\0\0\0",
        b"garbage",
        b"{\"eventSource\":\"secretsmanager.amazonaws.com\",\"eventName\":\"x\",\"eventName\":\"x\"}",
    ] {
        let (one, two) = (super::text(&put(1)), super::text(&put(2)));
        let bytes = [br#"{"Records":["#, one.as_bytes(), b",\n", wrong, b",", two.as_bytes(), b"]}"].concat();
        // Cut off by `]}`, what follows stands alone.
        let given = read_bytes(&bytes);
        let name = String::from_utf8_lossy(wrong);
        assert_eq!(tokens(&given), ["token-1", "token-2"], "{name}");
        if wrong != b"]}" {
            assert_located(&given, "piece", 2);
        }
        let lines = [one.as_bytes(), b"\n", wrong, b"\n", two.as_bytes(), b"\n"].concat();
        let given = read_bytes(&lines);
        assert_eq!(tokens(&given), ["token-1", "token-2"], "{name} in lines");
        assert_located(&given, "piece", 2);
    }
}

#[test]
fn a_truncated_gzip_file_is_read_up_to_there() {
    let records: Vec<Value> = (0..500).map(put).collect();
    let whole = gzip(&file(&records));
    let given = read_bytes(&whole[..whole.len() * 3 / 4]);
    assert!(given.events.len() > 100 && given.events.len() < 500, "{}", given.events.len());
    let [gap] = &given.gaps[..] else { panic!("{:?}", given.gaps) };
    assert!(gap.message.contains("cannot be read to its end"), "{}", gap.message);
    let last = given.events.last().unwrap().time;
    assert!(given.holes[0].to >= Some(last) && given.holes[0].from <= Some(given.events[0].time));
    assert!(!given.holes[0].tampered);
}

#[test]
fn compressed_in_any_way() {
    let (one, two) = (file(&[put(1)]), file(&[put(2)]));
    let members = [gzip(&one), gzip(&two)].concat();
    assert_eq!(tokens(&read_bytes(&members)), ["token-1", "token-2"]);
    assert_eq!(tokens(&read_bytes(&zstd::encode_all(&one[..], 1).unwrap())), ["token-1"]);
    assert_eq!(tokens(&read_bytes(&[b"\xef\xbb\xbf", &one[..]].concat())), ["token-1"]);
    let garbage = [gzip(&one), b"more".to_vec()].concat();
    let given = read_bytes(&garbage);
    assert_eq!((tokens(&given), given.holes.len()), (vec!["token-1"], 1));
    for empty in [&b""[..], b"{\"Records\":[]}", b"{\"Records\":null}", b"\n\n"] {
        assert!(read_bytes(empty).gaps.len() <= 1);
        assert!(read_bytes(empty).events.is_empty());
    }
}

#[test]
fn a_file_that_is_not_there_is_a_hole() {
    let folder = tempfile::tempdir().unwrap();
    let name = "1_CloudTrail_eu-west-1_20260201T0015Z_x.json.gz";
    let given = read_trail(&config(folder.path()), &[name]);
    assert_eq!(given.gaps[0].reason, GapReason::Unreachable);
    let stamp = at("2026-02-01T00:15:00Z");
    assert_eq!((given.holes[0].from, given.holes[0].to), (Some(stamp - DELAY * 2), Some(stamp)));
}

#[test]
fn records_that_imitate_others_are_no_records() {
    let forged = put(9);
    let text = forged.to_string();
    let request = json!({"list": [{"eventVersion": "1"}, forged, {"eventVersion": "1"}], "text": format!("}},{text}")});
    let given = read_bytes(&file(&[record(1, "sts", "AssumeRole", request, Value::Null), put(2)]));
    assert_eq!((tokens(&given), given.records), (vec!["token-2"], 2));
}

#[test]
fn a_record_longer_than_any_is_passed() {
    let mut long = put(1);
    long["requestParameters"]["padding"] = "x".repeat(split::MAX_RECORD).into();
    let given = read_bytes(&file(&[put(0), long, put(2)]));
    assert_eq!(tokens(&given), ["token-0", "token-2"]);
    assert_located(&given, "16 MiB", 1);
    // One line of nothing but letters.
    let given = read_bytes(&[b"x".repeat(40 << 20), b"\n".to_vec(), put(3).to_string().into_bytes()].concat());
    assert_eq!(tokens(&given), ["token-3"], "{:?} {}", given.holes, given.records);
}

#[test]
fn a_file_in_the_folder_of_another_account() {
    let folder = tempfile::tempdir().unwrap();
    let path = "AWSLogs/999988887777/CloudTrail/eu-west-1/2026/02/01";
    fs::create_dir_all(folder.path().join(path)).unwrap();
    let name = format!("{path}/999988887777_CloudTrail_eu-west-1_20260201T0015Z_x.json.gz");
    fs::write(folder.path().join(&name), gzip(&file(&[put(1), put(2)]))).unwrap();
    let given = read_trail(&config(folder.path()), &[&name]);
    assert_eq!(given.events.len(), 2);
    let expected = "2 records are of the account 111122223333 and lie in the folder of 999988887777";
    assert_eq!(given.gaps[0].message, expected);
}

#[test]
fn files_are_read_in_the_order_of_their_times_and_sorted_within() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, numbers: &[u32]| {
        let records: Vec<Value> = numbers.iter().map(|number| put(*number)).collect();
        fs::write(folder.path().join(name), gzip(&file(&records))).unwrap();
    };
    write("b_CloudTrail_eu-west-1_20260201T0005Z_x.json.gz", &[9, 3, 7]);
    write("a_CloudTrail_us-east-1_20260201T0010Z_x.json.gz", &[300, 301]);
    write("c_CloudTrail_eu-west-1_20260205T0010Z_y_backfill.json.gz", &[100]);
    write("export.json.gz", &[200]);
    fs::create_dir_all(folder.path().join("AWSLogs/1/Config")).unwrap();
    fs::write(folder.path().join("AWSLogs/1/Config/x.json"), "{\"not\": \"CloudTrail\"}").unwrap();
    let files = [
        "AWSLogs/1/Config/x.json",
        "a_CloudTrail_us-east-1_20260201T0010Z_x.json.gz",
        "b_CloudTrail_eu-west-1_20260201T0005Z_x.json.gz",
        "c_CloudTrail_eu-west-1_20260205T0010Z_y_backfill.json.gz",
        "export.json.gz",
    ];
    let given = read_trail(&config(folder.path()), &files);
    let numbers = ["token-100", "token-200", "token-3", "token-7", "token-9", "token-300", "token-301"];
    assert_eq!(tokens(&given), numbers);
    assert!(given.gaps.is_empty(), "{:?}", given.gaps);
}

#[test]
fn answers_of_lookup_events_are_read_from_files_too() {
    let event = put(5).to_string();
    let text = json!({"Events": [{"EventId": "x", "EventName": "y", "CloudTrailEvent": event}], "NextToken": "z"});
    let given = read_bytes(text.to_string().as_bytes());
    assert_eq!(tokens(&given), ["token-5"]);
    assert!(given.gaps.is_empty(), "{:?}", given.gaps);
}

#[test]
fn time_grows_with_the_input_and_no_faster() {
    // Each of these records never ends; what begins within it is looked at once.
    let broken = r#"{"eventVersion":"1","eventSource":"secretsmanager.amazonaws.com","x":"y,"#;
    let given = read_bytes(format!("{{\"Records\":[{}", broken.repeat(200_000)).as_bytes());
    assert_eq!(given.holes.len(), 1);
    let open = read_bytes("[{".repeat(1 << 20).as_bytes());
    assert!(open.events.is_empty() && open.holes.len() == 1);
}
