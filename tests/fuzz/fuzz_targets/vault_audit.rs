#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keytrail_fuzz::vault_audit(data));
