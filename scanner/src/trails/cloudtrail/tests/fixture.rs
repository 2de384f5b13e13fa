//! What every record of a small tree gives.

use super::*;

const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/trails/cloudtrail");
const EXPECTED: &str = include_str!("../../../../../fixtures/trails/cloudtrail/events");

/// Time, kind, target, version, outcome, who, and the details of where and by which way.
fn line(event: &Event) -> String {
    let actor = event.actor.as_deref().and_then(|actor| actor.rsplit('/').next()).unwrap_or("-");
    let run = event.run.as_deref().map(|run| format!(" run {run}")).unwrap_or_default();
    let details = event.details.iter().filter(|(key, _)| !["account", "address"].contains(key));
    let details: String = details.map(|(key, value)| format!(" {key}={value}")).collect();
    format!("{} {} by {actor}{run}{details}\n", event.time.format("%T"), told(event))
}

#[test]
fn every_record_of_the_fixture() {
    let region = |region: &str, name: &str| {
        let folder = format!("AWSLogs/111122223333/CloudTrail/{region}/2026/02/01");
        format!("{folder}/111122223333_CloudTrail_{region}_20260201T{name}c3D4e5F6g7H8.json")
    };
    let files =
        [region("eu-west-1", "0915Z_a1B2"), region("us-east-1", "0915Z_c1B2"), region("eu-west-1", "0930Z_b1B2")];
    let given = read_trail(&config(Path::new(TREE)), &files.each_ref().map(String::as_str));
    assert!(given.holes.is_empty(), "{:?}", given.holes);
    let shown: String = given.events.iter().map(line).collect();
    let same: String = given.same.iter().map(|(one, other)| format!("{one} is {other}\n")).collect();
    assert_eq!(format!("{shown}\n{same}"), EXPECTED);
    // A call without parameters that was turned away names no credential.
    let gaps: Vec<_> = given.gaps.iter().map(|gap| gap.message.as_str()).collect();
    assert!(matches!(gaps[..], [gap] if gap.starts_with("1 calls were turned away")), "{gaps:?}");
    assert_eq!(given.records, 36);
    for event in &given.events {
        let text = fs::read(Path::new(TREE).join(&*event.raw.source)).unwrap();
        let start = usize::try_from(event.raw.offset).unwrap();
        let record = &text[start..start + usize::try_from(event.raw.length).unwrap()];
        let record: Value = serde_json::from_slice(record).unwrap();
        assert_eq!(record["eventID"], *event.id);
    }
}
