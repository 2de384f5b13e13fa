use std::sync::Mutex;

use futures::FutureExt;

use super::*;
use crate::journal::sql::tests::{Fresh, rotate};

/// Takes so many rows, and then none.
struct Tired {
    taken: Mutex<Vec<u64>>,
    strength: usize,
}

impl Sink for Tired {
    fn take<'a>(&'a self, _context: &'a Context, entry: &'a Entry) -> Act<'a, ()> {
        async move {
            let mut taken = self.taken.lock().unwrap();
            if taken.len() == self.strength {
                return Err(Failure::unknown("no reply"));
            }
            taken.push(entry.seq);
            Ok(())
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_delivery_goes_on_where_it_was_interrupted() {
    for fresh in Fresh::both().await {
        let journal = fresh.journal().await;
        for run in 0..3 {
            rotate(&journal, &format!("kt-{run}"), "DB").await;
        }
        let context = Context::new("kt-0");
        let tired = |strength| Tired { taken: Mutex::default(), strength };
        let (first, second, other) = (tired(2), tired(100), tired(100));
        assert_eq!(deliver(&journal, &context, "one", &first).await.unwrap_err().what, "no reply");
        assert_eq!(deliver(&journal, &context, "one", &second).await, Ok(4));
        assert_eq!(deliver(&journal, &context, "one", &second).await, Ok(0));
        assert_eq!(deliver(&journal, &context, "other", &other).await, Ok(6));
        assert_eq!(
            (first.taken.into_inner().unwrap(), second.taken.into_inner().unwrap()),
            (vec![0, 1], vec![2, 3, 4, 5])
        );
        journal.set_sent("one", 1).await.unwrap();
        assert_eq!(journal.sent("one").await, Ok(6), "never back");
    }
}

#[test]
fn kinds_are_found_by_their_names() {
    for kind in KINDS {
        assert_eq!(SinkKind::find(kind.name).map(|found| found.name), Some(kind.name));
    }
    assert!(SinkKind::find("planted").is_none());
}
