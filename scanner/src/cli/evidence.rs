//! The options of `export`, `verify` and `keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use keytrail_rules::model::Time;

use super::{ListFormat, parse_time};

/// Options of `export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub struct ExportArgs {
    /// The folder to scan.
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,
    /// The config; by default keytrail.toml of the folder, if there is one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Show the records and the rows of the ledger from this time on; by default all that there are.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<Time>,
    /// Judge ages as of this time, and show nothing that is later; by default now.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<Time>,
    /// The folder to write, which must not be there yet.
    #[arg(long, short, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Who signs.
    #[command(flatten)]
    pub key: KeyArgs,
    /// Have this timestamp authority (RFC 3161) say when it was signed.
    #[arg(long, value_name = "URL")]
    pub timestamp: Option<String>,
    /// The export before this one, or its ledger/checkpoint; by default the last one of the folder that ends earlier.
    #[arg(long, value_name = "FOLDER|CHECKPOINT", value_hint = ValueHint::AnyPath)]
    pub previous: Option<PathBuf>,
    /// Leave out who made it, when, on which machine and with which arguments.
    #[arg(long)]
    pub no_identity: bool,
}

const EXPORT_HELP: &str = "\
Examples:
  keytrail keys new           make the key that signs, once
  keytrail export --since 2026-07-01 --until 2026-10-01 --out ../evidence-q3
  keytrail verify ../evidence-q3 --key auditor/keytrail.pem

VERIFY.md in the folder says how to verify it with openssl, sha256sum and
ssh-keygen.

Exit status: 0 written, with whatever the report says; 3 written, but some
evidence could not be read; 2 nothing was written.";

/// Which key signs.
#[derive(Clone, Debug, Args)]
pub struct KeyArgs {
    /// PKCS#8 file of an Ed25519 key, mode 0600; by default .keytrail/export.key of the folder.
    #[arg(long = "key", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
    /// A key of a transit engine of Vault or OpenBao, as transit/keytrail; STORE is a `[[store]]` of the config.
    #[arg(long, value_name = "[STORE:]MOUNT/KEY", conflicts_with = "key")]
    pub transit: Option<String>,
}

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub struct VerifyArgs {
    /// The folder of an export, or a DSSE envelope alone.
    #[arg(value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// The keys that you trust: a PEM file, a file of allowed signers, or C2SP verifier keys.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
    /// The export before it: that this one names it, and that its ledger begins with that one's.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub previous: Option<PathBuf>,
}

const VERIFY_HELP: &str = "\
Without --key an export is only checked against the key in it, which whoever
changed it could have changed as well: get the key from the signer by another
way (`keytrail keys publish`).

Exit status: 0 all of it is as it was signed; 1 something is not, and is named;
2 it cannot be read.";

/// What `keys` does.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the first key.
    New(KeyFolderArgs),
    /// List every key with the time that it is used in.
    List {
        /// Whose.
        #[command(flatten)]
        folder: KeyFolderArgs,
        /// Output format.
        #[arg(long, short, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Make the next key; what the one before signed stays valid.
    Rotate(KeyFolderArgs),
    /// Print the public keys, for whoever verifies.
    Publish {
        /// Whose.
        #[command(flatten)]
        folder: KeyFolderArgs,
        /// In which form.
        #[arg(long, short, value_enum, default_value_t = KeyFormat::Pem)]
        format: KeyFormat,
    },
}

/// Where keys are.
#[derive(Clone, Debug, Args)]
pub struct KeyFolderArgs {
    /// The scanned folder.
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,
    /// The config; by default keytrail.toml of the folder, if there is one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Which key.
    #[command(flatten)]
    pub key: KeyArgs,
}

/// How public keys are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum KeyFormat {
    /// The key that signs now, for openssl.
    Pem,
    /// All of them with their times, for `ssh-keygen -Y verify`.
    AllowedSigners,
    /// All of them and that of the ledger, as C2SP verifier keys, for checkpoints.
    Verifier,
    /// All of them with their times, for programs.
    Json,
}
