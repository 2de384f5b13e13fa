//! A file with a row a line, as the ledger has them: `keytrail-ledger` reads it as a trail.
//!
//! # Guarantees
//! A row is in the file once, whole and synced, when it is taken: what an interrupted write left of a line is removed, and
//! a row that is the last one already is not written again.
//!
//! # Assumptions
//! Nobody else writes to the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use futures::FutureExt;
use serde::Deserialize;

use super::{Sink, SinkKind};
use crate::context::{Act, Context};
use crate::failure::{Failure, Opened};
use crate::ledger::Entry;
use crate::settings::Settings;

/// Files.
pub(super) static KIND: SinkKind = SinkKind { name: "jsonl", about: "a file with a row a line", open };

/// The end of a file in which its last line is looked for.
const MAX_LINE: u64 = 1 << 20;

/// The table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jsonl {
    path: PathBuf,
}

fn open(settings: &Settings) -> Opened<dyn Sink> {
    Ok(Box::new(settings.read::<Jsonl>()?))
}

impl Sink for Jsonl {
    fn take<'a>(&'a self, context: &'a Context, entry: &'a Entry) -> Act<'a, ()> {
        let (path, text) = (context.folder.join(&self.path), entry.text());
        async move {
            let appended = tokio::task::spawn_blocking(move || append(&path, &text).map_err(|error| (path, error)));
            match appended.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err((path, error))) => {
                    Err(Failure::not_done(format!("{} cannot be written: {error}", path.display()))
                        .hint("check the file and its folder; the row is written with the next rotation"))
                }
                Err(_) => Err(Failure::unknown("the row was not written to its end")),
            }
        }
        .boxed()
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let (end, last) = last_line(&mut file)?;
    if last == text.as_bytes() {
        return Ok(());
    }
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(format!("{text}\n").as_bytes())?;
    file.sync_all()
}

/// Where the last whole line ends, and that line.
fn last_line(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(MAX_LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(MAX_LINE).read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
        return if from == 0 { Ok((0, Vec::new())) } else { Err(io::Error::other("it is no ledger")) };
    };
    let begin = tail[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    Ok((from + end as u64 + 1, tail[begin..end].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Status;
    use crate::ledger::entry::tests::row;
    use crate::ledger::verify::Audit;

    #[tokio::test]
    async fn each_row_is_a_line_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let settings = serde_json::from_value(serde_json::json!({ "path": path })).unwrap();
        let sink = (KIND.open)(&settings).unwrap();
        let mut audit = Audit::default();
        let mut whole = String::new();
        for (run, torn) in [("kt-1", ""), ("kt-2", "{\"half"), ("kt-3", "")] {
            let entry = Entry { seq: audit.size(), prev: audit.last(), row: row(run, Status::Requested) };
            audit.row(&entry.text(), None).unwrap();
            whole.push_str(&format!("{}\n", entry.text()));
            let before = std::fs::read_to_string(&path).unwrap_or_default();
            std::fs::write(&path, before + torn).unwrap();
            for _ in 0..2 {
                sink.take(&Context::new(run), &entry).await.unwrap();
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        }
        std::fs::write(&path, "x".repeat(2 << 20)).unwrap();
        let entry = Entry::parse(whole.lines().next().unwrap()).unwrap();
        let refused = sink.take(&Context::new("kt-1"), &entry).await.unwrap_err();
        assert!(refused.what.ends_with("it is no ledger"), "{refused}");
    }
}
