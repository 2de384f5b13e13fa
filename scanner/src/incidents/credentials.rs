//! Tokens and keys, from where the config says that they are.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use keytrail_rules::model::{GapReason, Secret};
use reqwest::Url;
use zeroize::Zeroizing;

use super::{Failure, Setting};
use crate::config::is_protected;
use crate::source::open_regular;

/// Tokens are kilobytes.
const MAX_BYTES: u64 = 64 << 10;

/// The value of an environment variable.
pub(super) fn from_env(name: &str, setting: &Setting) -> Result<Secret, Failure> {
    let value = (setting.env)(name).map(Zeroizing::new);
    let value = value.as_deref().map(|value| value.trim()).filter(|value| !value.is_empty());
    value.map(Secret::from).ok_or_else(|| {
        Failure::new(GapReason::Unauthenticated, format!("the environment variable {name} is not set"))
            .hint("set it, or name another in the [[incident]]")
    })
}

/// The content of a file, without the white space around it.
pub(super) fn from_file(path: &Path) -> Result<Secret, Failure> {
    let unusable = |why: String| {
        Failure::new(GapReason::Unauthenticated, format!("the file {} cannot be used: {why}", path.display()))
            .hint("check token_file of the [[incident]]")
    };
    let read = |file: File| {
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = match open_regular(path) {
        Ok(Some((file, _))) => read(file).map_err(|error| unusable(error.to_string()))?,
        Ok(None) => return Err(unusable("it is not a regular file".into())),
        Err(error) => return Err(unusable(error.to_string())),
    };
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => Err(unusable("it is empty".into())),
        Ok(text) => Ok(Secret::from(text)),
        Err(_) => Err(unusable("it is not UTF-8".into())),
    }
}

/// An address that is a URL, and that nobody else sees the requests of. `name` is where it stands.
pub(super) fn address(text: &str, name: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).ok().filter(is_protected);
    url.ok_or_else(|| {
        Failure::new(GapReason::Unsupported, format!("the address in {name} is no URL that starts with https://"))
            .hint("plain http:// is for this machine only: others would read the request on its way")
    })
}
