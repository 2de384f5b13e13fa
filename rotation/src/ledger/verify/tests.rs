use super::*;
use crate::ledger::Row;
use crate::ledger::entry::tests::row;
use crate::ledger::note::Signer;

/// A ledger of so many runs, each with two rows and a checkpoint after it.
fn ledger(runs: u64, signer: &Signer) -> Ledger {
    let (mut audit, mut ledger) = (Audit::default(), Ledger::default());
    for run in 0..runs {
        for status in [Status::Requested, Status::Succeeded] {
            let text = entry(&audit, row(&format!("kt-{run}"), status));
            audit.row(&text, None).unwrap();
            ledger.rows.push((text, Some(audit.last())));
        }
        ledger.checkpoints.insert(audit.size(), signer.checkpoint(audit.size(), audit.root()));
    }
    ledger.counted = audit.size();
    ledger
}

fn entry(audit: &Audit, row: Row) -> String {
    Entry { seq: audit.size(), prev: audit.last(), row }.text()
}

type Rows = Vec<(String, Option<Hash>)>;

fn changed(text: &str) -> (String, Option<Hash>) {
    let text = text.replace("ada", "eve");
    let hash = leaf_hash(text.as_bytes());
    (text, Some(hash))
}

#[test]
fn the_first_wrong_row_is_named() {
    let signer = Signer::generate().unwrap();
    let whole = ledger(4, &signer);
    let judge = |ledger: &Ledger| verify(ledger, &[signer.verifier()]);
    assert_eq!(judge(&whole).map(|(entries, signed)| (entries.len(), signed)), Ok((8, 8)));

    let edit = |edit: &dyn Fn(&mut Rows)| {
        let mut ledger = whole.clone();
        edit(&mut ledger.rows);
        judge(&ledger).unwrap_err()
    };
    let cases: [(LedgerError, u64); 7] = [
        (edit(&|rows| rows[2].0 = rows[2].0.replace("ada", "eve")), 2),
        (edit(&|rows| rows[2] = changed(&rows[2].0)), 2),
        (edit(&|rows| rows[3] = changed(&rows[3].0)), 2),
        (edit(&|rows| drop(rows.remove(5))), 5),
        (edit(&|rows| rows.swap(5, 6)), 5),
        (edit(&|rows| rows.truncate(6)), 6),
        (edit(&|rows| rows[4].0.push(' ')), 4),
    ];
    for (error, row) in cases {
        assert_eq!(error.row(), row, "{error}");
    }
    let error = edit(&|rows| rows[3] = changed(&rows[3].0));
    let expected = "the first 4 rows of the ledger are not those that were signed: one of rows 2 to 3 was changed";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn who_writes_the_whole_ledger_anew_lacks_the_key() {
    let (signer, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let verifiers = [signer.verifier()];
    assert_eq!(verify(&ledger(2, &other), &verifiers).unwrap().1, 0, "nothing is proven by a key that nobody knows");
    assert_eq!(verify(&ledger(2, &other), &[signer.verifier(), other.verifier()]).unwrap().1, 4);
    let mut moved = ledger(2, &signer);
    let note = moved.checkpoints.remove(&2).unwrap();
    moved.checkpoints.insert(4, note);
    assert_eq!(verify(&moved, &verifiers), Err(LedgerError::Unsigned { size: 2, from: 0 }));
    let mut forged = ledger(2, &signer);
    forged.checkpoints.get_mut(&2).unwrap().replace_range(..0, "x");
    assert_eq!(verify(&forged, &verifiers), Err(LedgerError::Checkpoint { size: 2, error: NoteError::Forged }));
    let mut short = ledger(2, &signer);
    (short.rows, short.checkpoints) = (short.rows[..2].to_vec(), BTreeMap::new());
    assert_eq!(verify(&short, &verifiers), Err(LedgerError::Truncated { rows: 2, written: 4 }));
}

#[test]
fn a_run_has_one_first_and_one_last_row() {
    let orders: [(&[Status], &str); 4] = [
        (&[Status::Requested, Status::Requested], "was requested before"),
        (&[Status::Succeeded], "was never requested"),
        (&[Status::Requested, Status::RolledBack, Status::Succeeded], "has ended before"),
        (&[Status::Requested, Status::Succeeded, Status::Requested], "was requested before"),
    ];
    for (order, expected) in orders {
        let mut audit = Audit::default();
        let mut result = Ok(());
        for status in order {
            assert_eq!(result, Ok(()));
            result = audit.row(&entry(&audit, row("kt-1", *status)), None).map(drop);
        }
        match result {
            Err(LedgerError::OutOfTurn { seq, why, .. }) => assert_eq!((seq, why), (order.len() as u64 - 1, expected)),
            other => panic!("{other:?}"),
        }
    }
}
