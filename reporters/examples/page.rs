//! Writes a report of the samples in a format: `cargo run -p keytrail-reporters --example page -- html everything >x.html`.
//! With a number for the sample it is one on so many secrets; tests/bench/html.sh measures such pages.

#![allow(clippy::expect_used, clippy::panic)]

use std::io::Write as _;

use keytrail_reporters::{Format, Options, Repository, Signed};

#[path = "../src/samples.rs"]
mod samples;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let format = arguments.next().and_then(|name| Format::find(&name)).expect("usage: page FORMAT SAMPLE");
    let report = match arguments.next().expect("usage: page FORMAT SAMPLE").as_str() {
        "empty" => samples::empty(),
        "company" => samples::company(),
        "everything" => samples::everything(),
        "gaps" => samples::gaps_only(),
        "hostile" => samples::full_of(&samples::hostile_strings()),
        number => samples::large::large(number.parse().expect("a sample, or a number of secrets")),
    };
    let mut repository = Repository::from_remote("https://github.com/example/shop.git").expect("a remote");
    repository.revision = Some("388cfb4342cd51c0602d4c6faf677ec901aedd1b".to_owned());
    repository.branch = Some("main".to_owned());
    let signed = Signed {
        key: "SHA256:0vYpU7jZlC7rj7v5n3dJxFqQfWm2c1cYx1bq9YkQ1aE".to_owned(),
        checkpoint: Some("412 rows, root 3q2+7wABCDEF".to_owned()),
        verify: "keytrail verify evidence/".to_owned(),
    };
    let options = Options { repository: Some(repository), signed: Some(signed), ..Options::default() };
    let bytes = (format.render)(&report, &options).expect("renders");
    std::io::stdout().write_all(&bytes).expect("written");
}
