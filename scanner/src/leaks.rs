//! The sources that are searched for leaked secrets.

pub mod git;
