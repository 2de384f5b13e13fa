use proptest::prelude::*;

use super::*;

const LABEL: Label<'static> = Label { run: "kt-1", item: "DB_PASSWORD", which: Which::New };

fn key(byte: u8) -> SealKey {
    SealKey::new(&[byte; 32]).unwrap()
}

fn parts(credential: &Credential) -> Vec<(String, String)> {
    credential.parts().map(|(name, value)| (name.to_owned(), value.expose().to_owned())).collect()
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(parts_in in proptest::collection::btree_map(".{0,20}", ".{0,300}", 0..5)) {
        let mut credential = Credential::default();
        parts_in.iter().for_each(|(name, value)| credential.set(name, Secret::from(value.as_str())));
        let sealed = key(1).seal(LABEL, &credential).unwrap();
        prop_assert_ne!(&sealed, &key(1).seal(LABEL, &credential).unwrap(), "each nonce is another one");
        prop_assert_eq!(parts(&key(1).open(LABEL, &sealed).unwrap()), parts(&credential));
    }

    #[test]
    fn a_changed_bit_is_refused(at in 0_usize..284, bit in 0_u32..8) {
        let sealed = key(1).seal(LABEL, &Credential::of_value(Secret::from("planted"))).unwrap();
        let mut bytes = BASE64_STANDARD.decode(sealed).unwrap();
        prop_assert_eq!(bytes.len(), 284, "nonce, 256 bytes, tag");
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(key(1).open(LABEL, &BASE64_STANDARD.encode(bytes)).is_err());
    }
}

#[test]
fn it_opens_nowhere_else() {
    let sealed = key(1).seal(LABEL, &Credential::of_value(Secret::from("planted"))).unwrap();
    let others = [
        Label { run: "kt-2", ..LABEL },
        Label { item: "OTHER", ..LABEL },
        Label { which: Which::Old, ..LABEL },
        Label { run: "kt-1DB", item: "_PASSWORD", ..LABEL },
    ];
    for other in others {
        let refused = key(1).open(other, &sealed).unwrap_err();
        assert!(refused.what.contains("is broken") && !format!("{refused:?}").contains("planted"), "{refused}");
    }
    assert!(key(2).open(LABEL, &sealed).is_err());
    for garbage in ["", "AAAA", "not base64!", &sealed[..40]] {
        assert!(key(1).open(LABEL, garbage).is_err());
    }
}

#[test]
fn lengths_tell_little() {
    let length = |value: usize| {
        let credential = Credential::of_value(Secret::from("x".repeat(value)));
        BASE64_STANDARD.decode(key(1).seal(LABEL, &credential).unwrap()).unwrap().len() - 28
    };
    assert_eq!([0, 1, 64, 239].map(length), [256; 4]);
    assert_eq!([240, 495].map(length), [512; 2]);
    assert_eq!(length(5_000), 8_192);
    let huge = Credential::of_value(Secret::from("x".repeat(LARGEST)));
    assert!(key(1).seal(LABEL, &huge).is_err());
}

#[test]
fn keys_are_read_in_both_spellings() {
    let id = key(0xab).id().to_owned();
    let base64 = BASE64_STANDARD.encode([0xab; 32]);
    for text in ["ab".repeat(32), format!(" {}\n", "AB".repeat(32)), base64] {
        assert_eq!(SealKey::parse(text.as_bytes()).unwrap().id(), id);
    }
    for bad in ["", "planted", &"0".repeat(63), &"g".repeat(64), &BASE64_STANDARD.encode([0; 31])] {
        assert!(SealKey::parse(bad.as_bytes()).is_none());
    }
    assert_ne!(SealKey::random().unwrap().id(), SealKey::random().unwrap().id());
    assert_eq!(format!("{:?}", key(0xab)), format!("SealKey({id})"));
}

#[test]
fn fingerprints_hang_on_the_key_the_item_and_the_value() {
    let of = |byte, item, value: &str| key(byte).fingerprint(item, &Secret::from(value));
    assert_eq!(of(1, "A", "v"), of(1, "A", "v"));
    for other in [of(2, "A", "v"), of(1, "B", "v"), of(1, "A", "w"), of(1, "Av", "")] {
        assert_ne!(of(1, "A", "v"), other);
    }
}
