use super::*;

#[test]
fn entropy_is_in_bits_a_byte() {
    assert_eq!(entropy(b"aaaa"), 0.0);
    assert_eq!(entropy(b"abab"), 1.0);
    assert!((entropy(b"0123456789abcdef") - 4.0).abs() < 1e-9);
}

#[test]
fn a_secret_begins_where_a_word_does() {
    let begins = |before: &str| begins_word(before.as_bytes(), before.len());
    for yes in ["", " ", "=", "\"", "\\n", "%3D", "\\u003d", "\\x3d", "\x1b[0m", "\x1b[1;31m", "é"] {
        assert!(begins(yes), "{yes:?}");
    }
    for no in ["a", "_", "9", "an", "3D", "[0m", "u003d"] {
        assert!(!begins(no), "{no:?}");
    }
    assert!(ends_word(b"a", 1) && ends_word(b"a\"", 1) && !ends_word(b"ab", 1) && !ends_word(b"a-", 1));
}

#[test]
fn people_make_up_what_chance_does_not() {
    for (text, why) in [
        ("aaaaaaaaaaaaaaaaaaaa", "repeats"),
        ("q83xxxxxxxxxxk2", "repeats"),
        ("kx12345678zq", "sequence"),
        ("zyxwvutsrq", "sequence"),
        ("EXAMPLEk29dkq0s", "stand-in"),
        ("put-your-token-k1", "stand-in"),
        ("thisReturnsDefaultConnection", "words"),
    ] {
        assert_eq!(made_up(text.as_bytes(), 0), Some(why), "{text}");
    }
    for random in ["k3J9zQ1mPx7Lw2Rt8Vn4", "9f86d081884c7d659a2feaa0c55ad015", "correct1Horse9Batt"] {
        assert_eq!(made_up(random.as_bytes(), 0), None, "{random}");
    }
    assert_eq!(made_up(b"example_k3J9zQ1mPx7Lw2Rt8Vn4", 8), None);
}

#[test]
fn the_words_are_sorted_and_of_the_lengths_that_are_tried() {
    assert!(words().is_sorted());
    assert!(words().iter().all(|word| (5..=14).contains(&word.len())));
}
