//! How rare groups of four bytes are in source code and logs. Counted in 100 MB of the source code, documentation and
//! logs of many projects. Shared with the build script.

/// Bytes of a group.
const GRAM: usize = 4;

/// The 9,000 most frequent groups, in lower case and sorted, each with its share: 2 letters more are twice as often.
const FREQUENT: &[u8] = include_bytes!("grams.txt");

/// Where the rarest group of a literal starts; of a short one, only the beginning of the literal is looked at.
pub(crate) fn rarest(literal: &[u8]) -> Option<u8> {
    let lower = literal.to_ascii_lowercase();
    let starts = 0..u8::try_from((lower.len() + 1).checked_sub(GRAM)?).unwrap_or(u8::MAX);
    starts.min_by_key(|start| frequency(&lower[usize::from(*start)..][..GRAM]))
}

/// How often a group in lower case is met: comparable with another, higher is oftener.
fn frequency(group: &[u8]) -> i32 {
    /// Four bytes, the letter of the share, the end of the line.
    const LINE: usize = GRAM + 2;
    let line = |number: usize| &FREQUENT[number * LINE..][..LINE];
    let (mut low, mut high) = (0, FREQUENT.len() / LINE);
    while low < high {
        let middle = (low + high) / 2;
        if line(middle)[..GRAM] < *group { low = middle + 1 } else { high = middle }
    }
    let found = low < FREQUENT.len() / LINE && line(low)[..GRAM] == *group;
    if found { i32::from(line(low)[GRAM]) } else { -rarity(group) }
}

/// Of each class of bytes, minus the logarithm of its share: `a` + 1.5 bits each.
const ALONE: &[u8; CLASSES] = b"hkiigjkjhplijhhiohhgilllkoiimkdkiigo";

/// Of each class (row), how rare the next one is after it, in the same unit.
const AFTER: [&[u8; CLASSES]; CLASSES] = [
    b"nighmkipiqlfgfshrffejklljpllomhnmlkv",
    b"gmjmfmnsfhnfnngluijkfprngqjiojejkkiu",
    b"glkmgjqfirghindmqgifinonlwlhomhmkliu",
    b"hmmidljngqnjnlgmpjiljmmlkvkgnjekiihu",
    b"hkhgjhlpmqohifnkjeggojkiksmhnkelijhy",
    b"holkghjtezrhkgfmvgijhqoslyjinhfmkihx",
    b"jokndnligvrikgikshhjiopsnnmgljekhigu",
    b"emomcorrfzonkognwikhjqotnqlholfkkkhr",
    b"jjhgihhsovnhhdfjqjgfrjtlviklqolpmnlw",
    b"holmcnqphrmqmkflondnhlorrpmjpminnjis",
    b"jnikdmnogusnlkmnrniklnmspsldnkgliheu",
    b"gmmhegllfpofonflrnihhknqiqnfomglkkiu",
    b"eimjdloqgtpiingfqohkgnrslulhmkhkjkiu",
    b"hohffigqiskknkhksmfeilmulsjimlflkkiv",
    b"ljghmhlsiojhgdjgwehhhjinpopionholmly",
    b"foklelmkhwjgnmgiofigennpixlgpmjmkkhz",
    b"kmkllponmyphonmonlkmcrkqvumgplhmkhdy",
    b"fnjjdlipgwlkiiglshhgikmqiumiojflijhv",
    b"jojoeomigvhhlkiiolgeinoqjolhojflijiw",
    b"gojkelqffuplmngktgiiipnkhrkgnkekjjhw",
    b"jfhjgijshxtghfnhvfffrptlvqgnrqlpppmx",
    b"dnlmcmlpfvkmingjrnmmorqmqsgioljnklir",
    b"fnmlfmofdurlohgksfgmoqlqtxmhokhlklgy",
    b"ililhioniwqmillfsmlenppkmodgkjgkihfu",
    b"lllnjkopjuqjjhidnkfgpnmrpqmfljekhhgu",
    b"hnkkbnqohyrmlphmsogpnnpskkihqnjkkmjs",
    b"mlmlmltrmxqpqqpospopmnqhvtcgkhekjfgt",
    b"hhfhhhikgokhhhhgohfgijjkpnjhxtkrqnly",
    b"jijkkimlkpoiklkkmkijjllormgqctgmtiev",
    b"hjhiiijigmmiijihpihiiljpppflthdjmmjv",
    b"ikikkjmmipokkkjjqkiiklknppilmobjijgs",
    b"hkiijjkkjomkikkjqjgikljmpnjlliegifdi",
    b"klijkjlnknqkkjlkskjkmmkqsolosqcocnhx",
    b"ssrstputrvvsnoqnwsrnusrtvxiumtakpjix",
    b"kkihkknmjpnljkjjqkhjklmlqqjlojdhjfdu",
    b"ororqtwunysppmqrtponputuqslttphesqlb",
];

const CLASSES: usize = 36;

/// How rare a group is that is not frequent, by its pairs of bytes.
fn rarity(group: &[u8]) -> i32 {
    let classes = group.iter().map(|byte| class(*byte));
    let first = group.first().map_or(0, |byte| i32::from(ALONE[class(*byte)]));
    let rest = classes.clone().zip(classes.skip(1)).map(|(a, b)| i32::from(AFTER[a][b]));
    first + rest.sum::<i32>()
}

fn class(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'A'..=b'Z' => usize::from(byte - b'A'),
        b'0'..=b'9' => 26,
        b'_' => 27,
        b'-' => 28,
        b'.' => 29,
        b' ' | b'\t' | b'\r' | b'\n' => 30,
        b'"' | b'\'' | b'`' => 31,
        b'/' | b':' => 32,
        b'=' | b',' | b';' => 33,
        0..=127 => 34,
        _ => 35,
    }
}
