//! What the tests of receivers share.

use serde_json::{Value, json};

use super::{Ending, News, NotifierKind};
use crate::context::Context;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) fn news(ending: Ending) -> News {
    News {
        run: "kt-1".to_owned(),
        ending,
        items: vec!["DB_PASSWORD".to_owned()],
        summary: "a probe failed <b>".to_owned(),
        next: Some("look at the API".to_owned()),
    }
}

/// A value in a file, as a table names it.
pub(super) fn given(folder: &tempfile::TempDir, name: &str, text: &str) -> Value {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    json!({ "file": path })
}

pub(super) async fn tell(kind: &NotifierKind, table: Value, news: &News) -> Result<(), Failure> {
    let notifier = (kind.open)(&Settings(table.as_object().unwrap().clone())).unwrap();
    notifier.tell(&Context::new("kt-1"), news).await
}
