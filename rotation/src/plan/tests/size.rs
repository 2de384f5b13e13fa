//! A plan grows with the report, and no faster: by what it says, whatever the secrets are made from.

use keytrail_rules::model::CopyKind;
use keytrail_rules::report::ItemReport;
use keytrail_rules::value::Shape;

use super::{Build, fresh, overdue, report};
use crate::plan::Plan;

const CONSUMERS: [&str; 2] = ["kubernetes:shop/deployment/api", "kubernetes:shop/deployment/worker"];

fn name(at: usize) -> String {
    format!("S{at:05}")
}

/// As many items as asked for, each made from the sources that `sources` gives for its number.
fn items(count: usize, sources: impl Fn(usize) -> Vec<usize>) -> Vec<ItemReport> {
    let item = |at: usize| {
        let sources: Vec<String> = sources(at).into_iter().map(name).collect();
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let item = if at == 0 || sources.is_empty() { overdue(&name(at)) } else { fresh(&name(at)) };
        item.made_from(&sources).consumers(&CONSUMERS).copy("vault:secret/shop#key", CopyKind::VaultKv2, Shape::Unread)
    };
    (0..count).map(item).collect()
}

#[test]
fn a_plan_is_no_larger_than_its_report_asks_for() {
    type Sources = fn(usize, usize) -> Vec<usize>;
    let shapes: [(&str, Sources); 5] = [
        ("each alone", |_, _| Vec::new()),
        ("all from one", |at, _| if at == 0 { vec![] } else { vec![0] }),
        ("one from all", |at, count| if at + 1 == count { (0..at).collect() } else { vec![] }),
        ("each from the one before", |at, _| if at == 0 { vec![] } else { vec![at - 1] }),
        ("a ring", |at, count| vec![(at + count - 1) % count]),
    ];
    for (shape, sources) in shapes {
        let [small, large] = [1_000, 10_000].map(|count| {
            let plan = Plan::new(&report(items(count, |at| sources(at, count))));
            assert_eq!(plan.groups.iter().map(|group| group.items.len()).sum::<usize>(), count, "{shape}");
            let steps: usize = plan.groups.iter().map(|group| group.steps.len()).sum();
            (steps, plan.render().len())
        });
        assert!(large.0 <= 10 * small.0, "{shape}: {} steps become {}", small.0, large.0);
        // Numbers get a digit longer.
        assert!(large.1 <= 11 * small.1, "{shape}: {} bytes become {}", small.1, large.1);
    }
}
