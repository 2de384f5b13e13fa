//! How rare bytes are in source code and logs, one after another.

/// Of each class of bytes, minus the logarithm of its share: `a` + 1.5 bits each.
const ALONE: &[u8; CLASSES] = b"hkiigjkjhplijhhiohhgilllkoiimkdkiigo";

/// Of each class (row), how rare the next one is after it, in the same unit. Counted in 40 MB of source code,
/// documentation and logs of many projects.
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

/// How often a text of a few bytes is met, in any case: comparable with another of the same length, higher is oftener.
pub(crate) fn frequency(text: &[u8]) -> i32 {
    let classes = text.iter().map(|byte| class(*byte));
    let first = text.first().map_or(0, |byte| i32::from(ALONE[class(*byte)]));
    let rest = classes.clone().zip(classes.skip(1)).map(|(a, b)| i32::from(AFTER[a][b]));
    -(first + rest.sum::<i32>())
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
