use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Row;
use super::tree::{Hash, leaf_hash};

/// A row in its place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its number; the first is 0.
    pub seq: u64,
    /// The hash of the entry before; that of the first is [`Hash::ZERO`].
    pub prev: Hash,
    /// What it says.
    #[serde(flatten)]
    pub row: Row,
}

impl Entry {
    /// Its text: canonical JSON, as RFC 8785 has it.
    pub fn text(&self) -> String {
        // A row has neither maps with other keys than texts nor numbers that are no integers, so that this cannot fail.
        serde_json::to_value(self).map(|value| canonical(&value)).unwrap_or_default()
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Why it is none, without anything of it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let entry: Self = serde_json::from_str(text).map_err(|_| "it is no row of a ledger")?;
        if entry.text() == text { Ok(entry) } else { Err("it is not written as a ledger writes it") }
    }

    /// The hash of its text as a leaf of the tree.
    pub fn hash(&self) -> Hash {
        leaf_hash(self.text().as_bytes())
    }
}

/// JSON with the keys of objects in the order of their UTF-16 code units, and without white space.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<Vec<u16>, (&String, &Value)> =
                object.iter().map(|(key, value)| (key.encode_utf16().collect(), (key, value))).collect();
            let members = sorted.into_values();
            let members = members.map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(array) => format!("[{}]", array.iter().map(canonical).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
pub(in crate::ledger) mod tests {
    use super::*;
    use crate::ledger::Status;

    pub(crate) fn row(run: &str, status: Status) -> Row {
        Row {
            run: run.to_owned(),
            at: chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
            status,
            items: vec!["DB_PASSWORD".into()],
            by: "ada".into(),
            approver: None,
            reason: "overdue by 3 days".into(),
            details: BTreeMap::new(),
        }
    }

    #[test]
    fn the_text_is_canonical() {
        let mut row = row("kt-1", Status::Requested);
        row.reason = "a \"b\"\n\u{1}é".into();
        // U+FB33 comes before U+1F600 as code points, and after it as UTF-16.
        row.details = [("\u{fb33}".into(), "1".into()), ("\u{1f600}".into(), "2".into())].into();
        let entry = Entry { seq: 0, prev: Hash::ZERO, row };
        let zeros = "0".repeat(64);
        let expected = format!(
            "{{\"approver\":null,\"at\":\"2026-09-21T14:13:20Z\",\"by\":\"ada\",\"details\":{{\"\u{1f600}\":\"2\",\
             \"\u{fb33}\":\"1\"}},\"items\":[\"DB_PASSWORD\"],\"prev\":\"{zeros}\",\"reason\":\"a \\\"b\\\"\\n\\u0001é\",\
             \"run\":\"kt-1\",\"seq\":0,\"status\":\"requested\"}}"
        );
        assert_eq!(entry.text(), expected);
        assert_eq!(Entry::parse(&expected), Ok(entry));
        for other in [expected.replace(",\"by\"", ", \"by\""), expected.replace("\"seq\":0", "\"more\":1,\"seq\":0")] {
            assert_eq!(Entry::parse(&other), Err("it is not written as a ledger writes it"));
        }
        assert_eq!(Entry::parse("{}"), Err("it is no row of a ledger"));
    }
}
