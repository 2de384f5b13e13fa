//! What keeps a file from being replaced.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::{getegid, geteuid, getgroups};

/// What keeps a regular file from being replaced, in words. Changes nothing.
pub(super) fn of(target: &Path) -> io::Result<Vec<String>> {
    let metadata = target.metadata()?;
    let mut found = Vec::new();
    let mut note = |is_so: bool, what: String| {
        if is_so {
            found.push(what);
        }
    };
    let links = metadata.nlink();
    note(links > 1, format!("the file has {links} names (hard links), and only one of them would get the new value"));
    note(metadata.mode() & 0o200 == 0, "the file is read-only for its owner".into());
    note(!is_ours(&metadata), format!("the file belongs to another user (uid {})", metadata.uid()));
    let group = metadata.gid();
    note(
        is_ours(&metadata) && !is_of_our_group(group)?,
        format!("the file belongs to a group (gid {group}) without you"),
    );
    note(is_immutable(target), "the file is immutable (chattr +i or +a)".into());
    let folder = target.parent().unwrap_or(Path::new("/"));
    if let Err(error) = access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        note(true, format!("its folder takes no new file: {}", io::Error::from(error)));
    }
    note(is_immutable(folder), "its folder is immutable (chattr +i or +a)".into());
    Ok(found)
}

fn is_ours(metadata: &Metadata) -> bool {
    geteuid().is_root() || metadata.uid() == geteuid().as_raw()
}

fn is_of_our_group(group: u32) -> io::Result<bool> {
    let is_member = || Ok::<_, io::Error>(getgroups()?.iter().any(|ours| ours.as_raw() == group));
    Ok(geteuid().is_root() || getegid().as_raw() == group || is_member()?)
}

#[cfg(target_os = "linux")]
fn is_immutable(path: &Path) -> bool {
    use rustix::fs::{IFlags, ioctl_getflags};
    // Many file systems have no such flags.
    let flags = std::fs::File::open(path).ok().and_then(|file| ioctl_getflags(file).ok());
    flags.is_some_and(|flags| flags.intersects(IFlags::IMMUTABLE | IFlags::APPEND))
}

#[cfg(not(target_os = "linux"))]
fn is_immutable(_: &Path) -> bool {
    false
}
