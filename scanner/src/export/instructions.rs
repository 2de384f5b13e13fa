//! `VERIFY.md`: how to verify an export with programs that everybody has.

use super::manifest::Manifest;
use super::{ALLOWED_SIGNERS, ENVELOPE, KEY, SSH_SIGNATURE, SUMS, TIMESTAMP};
use crate::signing::{NAMESPACE, PRINCIPAL};

/// The text of the file. Its first two blocks of commands are run as they stand by the tests.
pub(super) fn text(manifest: &Manifest) -> String {
    let timestamp = match &manifest.timestamp {
        None => String::new(),
        Some(_) => format!(
            "\n## When it was signed\n\n`tsa-ca.pem` is the certificate of the timestamp authority, which you trust:\n\n```sh\n\
             openssl ts -verify -in {TIMESTAMP} -data {ENVELOPE} -CAfile tsa-ca.pem\n```\n"
        ),
    };
    format!(
        "# How to verify this export\n\n\
         Signed with the Ed25519 key `{fingerprint}`. A copy of its public half is in `keys/`, but whoever could change this\n\
         folder could change that too: take the key that the signer gave you by another way, and set `KEY` and `SIGNERS` to it.\n\
         Run the commands in this folder.\n\n\
         ## With openssl, jq and sha256sum\n\n```sh\n\
         KEY=${{KEY:-{KEY}}}\n\
         tmp=$(mktemp -d)\n\
         jq -r .payload {ENVELOPE} | base64 -d > \"$tmp/payload\"\n\
         type=$(jq -r .payloadType {ENVELOPE})\n\
         {{ printf 'DSSEv1 %d %s %d ' ${{#type}} \"$type\" $(wc -c < \"$tmp/payload\"); cat \"$tmp/payload\"; }} > \"$tmp/pae\"\n\
         jq -r '.signatures[0].sig' {ENVELOPE} | base64 -d > \"$tmp/sig\"\n\
         openssl pkeyutl -verify -pubin -inkey \"$KEY\" -rawin -in \"$tmp/pae\" -sigfile \"$tmp/sig\"\n\
         jq -r '.subject[] | \"\\(.digest.sha256)  \\(.name)\"' \"$tmp/payload\" > \"$tmp/sums\"\n\
         sha256sum --strict --quiet -c \"$tmp/sums\"\n```\n\n\
         ## With ssh-keygen and sha256sum\n\n```sh\n\
         SIGNERS=${{SIGNERS:-{ALLOWED_SIGNERS}}}\n\
         ssh-keygen -Y verify -f \"$SIGNERS\" -I {PRINCIPAL} -n {NAMESPACE} -s {SSH_SIGNATURE} < {SUMS}\n\
         sha256sum --strict --quiet -c {SUMS}\n```\n\n\
         A key that was rotated since has an end in the signer's list: add `-Overify-time=YYYYMMDD` with a day on which it was\n\
         used.\n{timestamp}\n\
         ## What these do not see\n\n\
         They do not notice files that were added: `keytrail verify . --key KEY` does, and checks as well that every raw record\n\
         has the hash that the report gives, that the rows of the ledger are part of its tree, and that the tree begins with that\n\
         of the export before (`--previous FOLDER`).\n\n\
         ## What is in it\n\n\
         | file | what |\n|---|---|\n\
         | `manifest.json` | population of each store against the report, query, first and last event and gaps of each trail, clocks, exceptions; also the predicate of the signed statement |\n\
         | `reports/` | the report in every format |\n\
         | `raw/` | the records of the trails, byte for byte, and `index.jsonl`, which says where each lay; records that hold a value are withheld and listed with their hash |\n\
         | `ledger/` | rows of the ledger in canonical JSON, a C2SP checkpoint, a proof for each row, and for the export before |\n\
         | `policy/` | the rules and the digest of the config, which itself is not shown |\n\
         | `keys/` | the public key as PEM, for ssh-keygen, and as C2SP verifier keys, with those of the ledger |\n\n\
         A ledger that is only kept here can be written anew by whoever holds all keys. That it was not, checkpoints show that\n\
         were published where he cannot change them: a protected branch, a bucket with object lock, a timestamp authority, you.\n",
        fingerprint = manifest.key.fingerprint,
    )
}
