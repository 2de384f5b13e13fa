//! A scan may be killed at any moment: before a write, after it, and so before and after every act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::{Gap, GapReason, Location, Time};

use super::{Filing, Found, LEASE, Step, plan};
use crate::config::{IncidentConfig, StateConfig};
use crate::incidents::testing::{incident, now};
use crate::incidents::{Again, Failure, Filed, Incident, Setting, Sighted, Sink};
use crate::state::{IncidentRow, IncidentStatus, Ledger, Mode, State, StateError};

const NO_FUSE: i64 = i64::MAX;

/// What outlives a scan: the rows, the receiver, the clock; and a fuse that ends the scan at some moment.
struct World {
    again: Again,
    rows: Mutex<BTreeMap<String, IncidentRow>>,
    /// Of each incident, whether it is open, and how often it was created.
    receiver: Mutex<BTreeMap<String, (bool, usize)>>,
    file_calls: AtomicUsize,
    resolve_calls: AtomicUsize,
    /// What every request ends with, if not with success.
    answer: Mutex<Option<Failure>>,
    seconds: Arc<AtomicI64>,
    fuse: AtomicI64,
}

impl World {
    fn new(again: Again) -> Self {
        Self {
            again,
            rows: Mutex::default(),
            receiver: Mutex::default(),
            file_calls: AtomicUsize::new(0),
            resolve_calls: AtomicUsize::new(0),
            answer: Mutex::default(),
            seconds: Arc::default(),
            fuse: AtomicI64::new(NO_FUSE),
        }
    }

    /// Whether the scan was killed by now.
    fn is_dead(&self) -> bool {
        self.fuse.fetch_sub(1, Ordering::SeqCst) <= 0
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, IncidentRow>) -> T) -> Result<T, StateError> {
        let killed = || StateError::Full("killed".into());
        if self.is_dead() {
            return Err(killed());
        }
        let done = change(&mut self.rows.lock().expect("rows"));
        if self.is_dead() { Err(killed()) } else { Ok(done) }
    }

    fn act<T>(&self, act: impl FnOnce(&mut BTreeMap<String, (bool, usize)>) -> T) -> Result<T, Failure> {
        let killed = || Failure::new(GapReason::Unreachable, "killed").uncertain();
        if self.is_dead() {
            return Err(killed());
        }
        let answer = self.answer.lock().expect("an answer").clone();
        if let Some(failure) = answer.filter(|failure| failure.certain) {
            return Err(failure);
        }
        let done = act(&mut self.receiver.lock().expect("receiver"));
        if self.is_dead() {
            return Err(killed());
        }
        self.answer.lock().expect("an answer").clone().map_or(Ok(done), Err)
    }

    fn steps(&self, findings: &[&str]) -> Vec<Step> {
        let wanted: Vec<Incident> = findings.iter().map(|subject| incident(subject)).collect();
        let fingerprints: Vec<String> = wanted.iter().map(|incident| incident.fingerprint.clone()).collect();
        let present: BTreeSet<&str> = fingerprints.iter().map(String::as_str).collect();
        let rows = self.rows.lock().expect("rows").values().cloned().collect();
        plan(Found { wanted, present, is_gone: &|_| true }, rows)
    }

    async fn perform(&self, steps: Vec<Step>) -> Vec<Gap> {
        let seconds = self.seconds.clone();
        let setting = Setting {
            env: Arc::new(|_| None),
            now: Arc::new(move || now() + TimeDelta::seconds(seconds.load(Ordering::SeqCst))),
            wait: Arc::new(|_| async {}.boxed()),
        };
        let config = IncidentConfig::new("test", "webhook", Location::of_file("keytrail.toml"), ".".as_ref());
        let filing = Filing {
            config: &config,
            again: self.again,
            pause: Duration::from_secs(1),
            sink: self,
            ledger: self,
            setting: &setting,
            say: &|_| {},
        };
        filing.run(steps).await
    }

    /// A scan that finds these, and is killed at a moment. Gives whether it was.
    async fn scan(&self, findings: &[&str], moment: i64) -> (Vec<Gap>, bool) {
        self.fuse.store(moment, Ordering::SeqCst);
        let gaps = self.perform(self.steps(findings)).await;
        let was_killed = self.fuse.load(Ordering::SeqCst) < 0;
        self.fuse.store(NO_FUSE, Ordering::SeqCst);
        (gaps, was_killed)
    }

    fn let_leases_run_out(&self) {
        self.seconds.fetch_add(LEASE.num_seconds() + 1, Ordering::SeqCst);
    }

    /// Open incidents, and how often any was created at most.
    fn open(&self) -> (usize, usize) {
        let receiver = self.receiver.lock().expect("receiver");
        let open = receiver.values().filter(|(is_open, _)| *is_open).count();
        (open, receiver.values().map(|(_, count)| *count).max().unwrap_or(0))
    }

    fn statuses(&self) -> Vec<IncidentStatus> {
        self.rows.lock().expect("rows").values().map(|row| row.status).collect()
    }
}

impl Ledger for World {
    fn incidents<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Vec<IncidentRow>, StateError>> {
        async { self.change(|rows| rows.values().cloned().collect()) }.boxed()
    }

    fn add<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>> {
        async { self.change(|rows| rows.try_add(row)) }.boxed()
    }

    fn replace<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>> {
        let next = IncidentRow { revision: row.revision + 1, ..row.clone() };
        async move {
            self.change(|rows| {
                let known = rows.get_mut(&next.fingerprint).filter(|known| known.revision + 1 == next.revision);
                known.map(|known| *known = next).is_some()
            })
        }
        .boxed()
    }

    fn remove<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>> {
        async { self.change(|rows| rows.remove(&row.fingerprint).is_some()) }.boxed()
    }
}

trait TryAdd {
    fn try_add(&mut self, row: &IncidentRow) -> bool;
}

impl TryAdd for BTreeMap<String, IncidentRow> {
    fn try_add(&mut self, row: &IncidentRow) -> bool {
        let is_new = !self.contains_key(&row.fingerprint);
        if is_new {
            self.insert(row.fingerprint.clone(), row.clone());
        }
        is_new
    }
}

impl Sink for World {
    fn find<'a>(&'a self, key: &'a str, _: Option<Time>) -> BoxFuture<'a, Result<Option<Sighted>, Failure>> {
        assert_eq!(self.again, Again::Look, "only these can be asked");
        let sighted = |(is_open, _): &(bool, usize)| Sighted { reference: key.to_owned(), is_resolved: !is_open };
        async move { self.act(|receiver| receiver.get(key).map(sighted)) }.boxed()
    }

    fn file<'a>(&'a self, incident: &'a Incident, before: Option<&'a str>) -> BoxFuture<'a, Result<String, Failure>> {
        async move {
            self.act(|receiver| {
                self.file_calls.fetch_add(1, Ordering::SeqCst);
                let (is_open, created) = receiver.entry(incident.key.clone()).or_insert((false, 0));
                let is_same = match self.again {
                    Again::Look => before.is_some(),
                    Again::Repeat => *is_open,
                    Again::Nothing => false,
                };
                *created += usize::from(!is_same);
                *is_open = true;
                incident.key.clone()
            })
        }
        .boxed()
    }

    fn resolve<'a>(&'a self, filed: &'a Filed) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            self.act(|receiver| {
                self.resolve_calls.fetch_add(1, Ordering::SeqCst);
                if let Some((is_open, _)) = receiver.get_mut(&filed.key) {
                    *is_open = false;
                }
            })
        }
        .boxed()
    }
}

/// Kills a scan of the second findings after one of the first, at every moment; then scans again until all is done.
/// Gives the worlds as they are then, with the number of scans in which something was not known.
async fn killed(again: Again, before: &[&[&str]], after: &[&str]) -> Vec<(World, usize)> {
    let mut worlds = Vec::new();
    for moment in 0.. {
        let world = World::new(again);
        for findings in before {
            let (gaps, _) = world.scan(findings, NO_FUSE).await;
            assert!(gaps.is_empty(), "{gaps:?}");
        }
        let (_, was_killed) = world.scan(after, moment).await;
        let early = world.scan(after, NO_FUSE).await.0;
        let mut unknown = early.iter().filter(|gap| gap.message.starts_with("it is not known")).count();
        world.let_leases_run_out();
        for _ in 0..2 {
            let gaps = world.scan(after, NO_FUSE).await.0;
            assert!(gaps.iter().all(|gap| gap.message.starts_with("it is not known")), "{gaps:?}");
            unknown += gaps.len();
        }
        assert!(world.scan(after, NO_FUSE).await.0.is_empty(), "then all is quiet");
        worlds.push((world, unknown));
        if !was_killed {
            return worlds;
        }
    }
    unreachable!("a scan ends");
}

#[tokio::test]
async fn a_scan_killed_at_any_moment_files_once() {
    for (again, moments) in [(Again::Look, 8), (Again::Repeat, 6), (Again::Nothing, 6)] {
        let worlds = killed(again, &[], &["A"]).await;
        assert_eq!(worlds.len(), moments + 1, "{again:?}: before and after each write and act");
        for (moment, (world, unknown)) in worlds.iter().enumerate() {
            let (open, created) = world.open();
            if again == Again::Nothing && open == 0 {
                // Killed after the intent and before the act, which cannot be told from after it.
                assert_eq!((created, *unknown), (0, 1), "{moment}");
            } else {
                assert_eq!((open, created), (1, 1), "{again:?} {moment}");
            }
            assert_eq!(world.statuses(), [IncidentStatus::Filed], "{again:?} {moment}");
            assert!(again != Again::Nothing || world.file_calls.load(Ordering::SeqCst) <= 1);
        }
    }
}

#[tokio::test]
async fn a_scan_killed_at_any_moment_resolves() {
    for again in [Again::Look, Again::Repeat, Again::Nothing] {
        let worlds = killed(again, &[&["A", "B"]], &["B"]).await;
        assert!(worlds.len() > 6, "{}", worlds.len());
        for (moment, (world, unknown)) in worlds.iter().enumerate() {
            let (open, created) = world.open();
            assert_eq!(created, 1);
            let calls = world.resolve_calls.load(Ordering::SeqCst);
            if again == Again::Nothing {
                assert!(calls == 1 || (calls == 0 && *unknown == 1), "{moment}: {calls} {unknown}");
            } else {
                assert_eq!(open, 1, "{again:?} {moment}");
            }
        }
    }
}

#[tokio::test]
async fn an_incident_whose_finding_goes_before_it_is_known_to_be_filed_does_not_stay_open() {
    for again in [Again::Look, Again::Repeat, Again::Nothing] {
        for moment in 0..9 {
            let world = World::new(again);
            world.scan(&["A"], moment).await;
            world.let_leases_run_out();
            let gaps = world.scan(&[], NO_FUSE).await.0;
            let (open, created) = world.open();
            assert!(created <= 1);
            if again == Again::Nothing && !gaps.is_empty() {
                assert!(gaps[0].message.starts_with("it is not known whether"), "{gaps:?}");
            } else {
                assert_eq!(open, 0, "{again:?} {moment}");
            }
            assert!(world.scan(&[], NO_FUSE).await.0.is_empty());
        }
    }
}

#[tokio::test]
async fn a_refusal_does_not_make_forget_what_may_have_been_filed() {
    for again in [Again::Look, Again::Repeat] {
        for moment in 0..9 {
            let world = World::new(again);
            world.scan(&["A"], moment).await;
            world.let_leases_run_out();
            *world.answer.lock().expect("an answer") = Some(Failure::new(GapReason::Unauthenticated, "refused"));
            world.scan(&["A"], NO_FUSE).await;
            *world.answer.lock().expect("an answer") = None;
            assert!(world.scan(&[], NO_FUSE).await.0.is_empty());
            assert_eq!(world.open().0, 0, "{again:?} {moment}");
        }
    }
}

#[tokio::test]
async fn a_finding_that_comes_back_is_filed_again_once() {
    for again in [Again::Look, Again::Repeat, Again::Nothing] {
        for (moment, (world, unknown)) in killed(again, &[&["A"], &[]], &["A"]).await.iter().enumerate() {
            let (open, created) = world.open();
            match again {
                Again::Look => assert_eq!((open, created), (1, 1), "{moment}: it is opened again"),
                Again::Repeat => assert_eq!((open, created), (1, 2), "{moment}"),
                Again::Nothing => assert!((open, created) == (1, 2) || *unknown == 1, "{moment}"),
            }
            let rows = world.rows.lock().expect("rows");
            assert_eq!(rows.values().map(|row| row.occurrence).collect::<Vec<_>>(), [2]);
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_filed_later() {
    for again in [Again::Look, Again::Repeat, Again::Nothing] {
        let world = World::new(again);
        let refuse = |failure| *world.answer.lock().expect("an answer") = failure;
        refuse(Some(Failure::new(GapReason::Unauthenticated, "refused")));
        let (gaps, _) = world.scan(&["A", "B"], NO_FUSE).await;
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].message, "2 incidents were neither filed nor resolved: refused");
        assert!(world.statuses().is_empty(), "no row is left");
        refuse(Some(Failure::new(GapReason::Unsupported, "refused").of_one()));
        let (gaps, _) = world.scan(&["A", "B"], NO_FUSE).await;
        assert_eq!(gaps.len(), 2, "each was tried");
        refuse(None);
        assert!(world.scan(&["A", "B"], NO_FUSE).await.0.is_empty());
        assert_eq!(world.open(), (2, 1));

        refuse(Some(Failure::new(GapReason::Unauthenticated, "refused")));
        assert_eq!(world.scan(&["B"], NO_FUSE).await.0.len(), 1);
        refuse(None);
        assert!(world.scan(&["B"], NO_FUSE).await.0.is_empty());
        assert_eq!(world.open(), (1, 1));
    }
}

#[tokio::test]
async fn what_may_have_been_filed_is_not_filed_twice() {
    for again in [Again::Look, Again::Repeat, Again::Nothing] {
        let world = World::new(again);
        *world.answer.lock().expect("an answer") = Some(Failure::new(GapReason::TimedOut, "no answer").uncertain());
        // A receiver that can be asked is asked before, which fails as well.
        let (gaps, _) = world.scan(&["A"], NO_FUSE).await;
        assert_eq!(gaps.len(), 1);
        *world.answer.lock().expect("an answer") = None;
        assert!(world.scan(&["A"], NO_FUSE).await.0.is_empty());
        assert_eq!(world.open(), (1, 1), "{again:?}");
    }
}

#[tokio::test]
async fn of_two_scans_at_once_one_files() {
    let world = World::new(Again::Nothing);
    let (one, other) = (world.steps(&["A"]), world.steps(&["A"]));
    assert!(world.perform(one).await.is_empty());
    let gaps = world.perform(other).await;
    assert!(gaps[0].message.contains("another scan has it"), "{gaps:?}");
    assert_eq!(world.open(), (1, 1));

    let (one, other) = (world.steps(&[]), world.steps(&[]));
    assert!(world.perform(one).await.is_empty());
    assert_eq!(world.perform(other).await.len(), 1);
    assert_eq!(world.resolve_calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_another_scan_has_is_left_to_it_for_as_long_as_it_may_take() {
    for again in [Again::Look, Again::Repeat, Again::Nothing] {
        let world = World::new(again);
        // The intent is written, and nothing is done yet: as a scan leaves it that still runs.
        world.scan(&["A"], 2).await;
        let (mine, theirs) = (world.rows.lock().expect("rows").clone(), IncidentStatus::Intent);
        for findings in [&["A"][..], &[]] {
            let gaps = world.scan(findings, NO_FUSE).await.0;
            assert!(gaps.len() == 1 && gaps[0].message.contains("another scan has it"), "{gaps:?}");
            assert_eq!((world.open(), world.statuses()), ((0, 0), vec![theirs]));
            assert_eq!(*world.rows.lock().expect("rows"), mine);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_scans_with_one_database_one_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = StateConfig::default();
    let world = World::new(Again::Nothing);
    let setting = Setting { wait: Arc::new(|_| async {}.boxed()), ..Setting::of_process() };
    let mine = IncidentConfig::new("test", "webhook", Location::of_file("keytrail.toml"), ".".as_ref());
    let scan = async || {
        let state = State::open(&config, folder.path(), Mode::ReadWrite).await.expect("a state").expect("one");
        let filing = Filing {
            config: &mine,
            again: Again::Nothing,
            pause: Duration::ZERO,
            sink: &world,
            ledger: &state,
            setting: &setting,
            say: &|_| {},
        };
        filing.run(world.steps(&["A", "B", "C"])).await
    };
    futures::join!(scan(), scan(), scan(), scan());
    assert_eq!(world.file_calls.load(Ordering::SeqCst), 3);
    assert_eq!(world.open(), (3, 1));
}
