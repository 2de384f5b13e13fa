use super::Context;
use crate::model::{Finding, Location};

rule! {
    /// A file of key material may be read by others than its owner.
    ///
    /// Private keys, unseal keys and tokens belong to one user: mode 0600 or 0400. Git keeps no such modes, so a key in
    /// a fresh clone is as open as the umask leaves it: keep keys out of repositories.
    ///
    /// # How to fix
    /// `chmod 600` the file, and replace the key if others could read it.
    "weak-key-file-mode", "KT1014", Inventory, High
}

/// Permission bits of group and others.
const NOT_OWNER: u32 = 0o077;

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let weak = cx.snapshot.facts.key_files.iter().filter(|file| file.mode & NOT_OWNER != 0);
    weak.map(|file| {
        let who = if file.mode & 0o007 == 0 { "its group" } else { "everyone" };
        Finding::new(
            &RULE,
            &file.file,
            format!("{} ({}) has mode {:04o}: {who} may use it.", file.file, file.holds, file.mode & 0o7777),
        )
        .at(Some(Location::of_file(&file.file)))
        .next(format!("move {} out of the repository, or chmod 600 it where it is used", file.file))
    })
    .collect()
}
