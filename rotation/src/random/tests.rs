use super::*;

/// Pearson's statistic of so many draws against all being as likely.
fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

fn counts(bound: usize, draws: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut counts = vec![0; bound];
    draws.for_each(|drawn| counts[drawn] += 1);
    counts
}

/// 40,000 of 65,536 is as skewed as it gets: without rejection 25,536 characters would be twice as likely as the others.
/// The statistic has a mean of 39,999 and a deviation of 283: 42,000 is passed once in 10^11 runs, and with bias it is
/// near 212,000.
#[test]
fn no_character_is_likelier_than_another() {
    const BOUND: usize = 40_000;
    const DRAWS: usize = 2_000_000;
    let mut draws = Draws::new(BOUND, fill).unwrap();
    let even = chi_square(&counts(BOUND, (0..DRAWS).map(|_| draws.next().unwrap())));
    assert!(even < 42_000.0, "{even}");
    let random = bytes(DRAWS * 2).unwrap();
    let biased = random.chunks(2).map(|two| usize::from(u16::from_be_bytes([two[0], two[1]])) % BOUND);
    let biased = chi_square(&counts(BOUND, biased));
    assert!(biased > 150_000.0, "the test would not see bias: {biased}");
}

#[test]
fn what_would_make_some_likelier_is_thrown_away() {
    // 65,536 = 6 × 10,922 + 4: the last four numbers are not used.
    let given = [65_535_u16, 65_532, 65_531, 0, 7];
    let mut draws = Draws::new(6, |block: &mut [u8]| {
        given
            .iter()
            .enumerate()
            .for_each(|(at, number)| block[at * 2..at * 2 + 2].copy_from_slice(&number.to_be_bytes()));
        Ok(())
    })
    .unwrap();
    let drawn: Vec<usize> = (0..3).map(|_| draws.next().unwrap()).collect();
    assert_eq!(drawn, [65_531 % 6, 0, 1]);
}

#[test]
fn a_text_has_the_length_and_nothing_but_the_alphabet() {
    let alphabet: Vec<char> = "abcé€😀".chars().collect();
    let one = text(&alphabet, 5_000).unwrap();
    assert_eq!(one.chars().count(), 5_000);
    assert!(one.chars().all(|c| alphabet.contains(&c)));
    assert!(alphabet.iter().all(|c| one.contains(*c)), "each is used");
    assert_ne!(*one, *text(&alphabet, 5_000).unwrap());
    assert_eq!(*text(&['x'], 3).unwrap(), "xxx");
}

#[test]
fn no_alphabet_is_refused_and_a_source_that_fails_is_said() {
    assert!(text(&[], 1).is_err());
    let mut draws = Draws::new(6, |_: &mut [u8]| Err(Failure::not_done("no bytes"))).unwrap();
    assert_eq!(draws.next().unwrap_err().what, "no bytes");
    assert!(Draws::new(65_537, fill).is_err());
}
