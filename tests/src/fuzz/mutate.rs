//! Mutations that know what text is made of: bytes, words, lines, brackets, numbers, nesting.

use super::INPUT_BYTES_MAX;

/// Numbers at which programs break.
const NUMBERS: [&str; 24] = [
    "0",
    "-1",
    "1",
    "127",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967295",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e999999999",
    "1e-999999999",
    "0.0000000000000000000001",
    "99999999999999999999999999999999999999999999",
    "9223372036854775807Ei",
    "0x7fffffffffffffff",
    "1000000h",
];

/// Pieces that mean something to some reader.
const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "'",
    "\\",
    "\n",
    "  ",
    "- ",
    ": ",
    ",",
    "|",
    ">-",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "---\n",
    "...\n",
    "#",
    "$",
    "${A:-b}",
    "{{",
    "}}",
    "..",
    "[?(@.a)]",
    "\u{0}",
    "\u{feff}",
    "é",
    "𝄞",
    "\u{202e}",
    "\t",
    "null",
    "~",
    "=",
    "%",
    "*",
];

/// Makes inputs, deterministically from its seed.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
    words: &'static [&'static str],
}

impl Mutator {
    /// `words` are what the target's grammar knows.
    pub fn new(seed: u64, words: &'static [&'static str]) -> Self {
        Self { state: seed, words }
    }

    /// A number below `bound`; 0 for 0. SplitMix64.
    pub fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let bound = bound as u64;
        if bound == 0 {
            0
        } else {
            (mixed % bound) as usize
        }
    }

    /// A mutation of one input of the corpus.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = match corpus.len() {
            0 => Vec::new(),
            count => {
                // Half of the time one of the newest: it said something new.
                let recent = count.min(64);
                let at = if self.below(2) == 0 {
                    count - 1 - self.below(recent)
                } else {
                    self.below(count)
                };
                corpus[at].clone()
            }
        };
        for _ in 0..=self.below(4) {
            let other = match corpus.len() {
                0 => Vec::new(),
                count => corpus[self.below(count)].clone(),
            };
            self.mutate(&mut input, &other);
            if input.len() > INPUT_BYTES_MAX {
                input.truncate(INPUT_BYTES_MAX);
            }
        }
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        match self.below(10) {
            0 => self.byte(input),
            1 => {
                let piece = PIECES[self.below(PIECES.len())];
                self.insert(input, piece.as_bytes());
            }
            2 => self.token(input, other),
            3 => self.token_out(input),
            4 => self.number(input),
            5 => self.line(input, other),
            6 => self.nest(input),
            7 => self.indent(input),
            8 => self.splice(input, other),
            _ => {
                if self.words.is_empty() {
                    self.byte(input);
                } else {
                    let word = self.words[self.below(self.words.len())];
                    if self.below(2) == 0 {
                        self.replace_token(input, word.as_bytes());
                    } else {
                        let spaced = format!(" {word} ");
                        self.insert(input, spaced.as_bytes());
                    }
                }
            }
        }
    }

    fn insert(&mut self, input: &mut Vec<u8>, piece: &[u8]) {
        let at = self.below(input.len() + 1);
        input.splice(at..at, piece.iter().copied());
    }

    fn byte(&mut self, input: &mut Vec<u8>) {
        if input.is_empty() {
            return;
        }
        let at = self.below(input.len());
        match self.below(3) {
            0 => input[at] ^= 1 << self.below(8),
            1 => drop(input.remove(at)),
            _ => input[at] = u8::try_from(self.below(256)).unwrap_or(0),
        }
    }

    /// A word's or number's place.
    fn place(&mut self, input: &[u8]) -> Option<(usize, usize)> {
        if input.is_empty() {
            return None;
        }
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let start = self.below(input.len());
        let from = (start..input.len()).find(|at| is_word(input[*at]))?;
        let first = (0..from).rev().take_while(|at| is_word(input[*at])).last();
        let end = (from..input.len()).find(|at| !is_word(input[*at]));
        Some((first.unwrap_or(from), end.unwrap_or(input.len())))
    }

    fn replace_token(&mut self, input: &mut Vec<u8>, with: &[u8]) {
        match self.place(input) {
            Some((from, to)) => drop(input.splice(from..to, with.iter().copied())),
            None => input.extend_from_slice(with),
        }
    }

    fn token(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        if let Some((from, to)) = self.place(other) {
            self.replace_token(input, &other[from..to]);
        }
    }

    fn token_out(&mut self, input: &mut Vec<u8>) {
        if let Some((from, to)) = self.place(input) {
            if self.below(2) == 0 {
                input.drain(from..to);
            } else {
                let word = input[from..to].to_vec();
                self.insert(input, &word);
            }
        }
    }

    fn number(&mut self, input: &mut Vec<u8>) {
        let number = NUMBERS[self.below(NUMBERS.len())];
        let digits: Vec<usize> = (0..input.len())
            .filter(|at| input[*at].is_ascii_digit())
            .collect();
        match digits.len() {
            0 => self.replace_token(input, number.as_bytes()),
            count => {
                let from = digits[self.below(count)];
                let to = (from..input.len())
                    .find(|at| !input[*at].is_ascii_digit())
                    .unwrap_or(input.len());
                input.splice(from..to, number.bytes());
            }
        }
    }

    fn line(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let mut lines: Vec<Vec<u8>> = input
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        if lines.is_empty() {
            return;
        }
        let at = self.below(lines.len());
        match self.below(4) {
            0 => drop(lines.remove(at)),
            1 => {
                let to = self.below(lines.len());
                lines.swap(at, to);
            }
            2 => {
                let copies = 1 + self.below(8);
                for _ in 0..copies {
                    let line = lines[at].clone();
                    lines.insert(at, line);
                }
            }
            _ => {
                let theirs: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
                if !theirs.is_empty() {
                    let line = theirs[self.below(theirs.len())].to_vec();
                    lines.insert(at, line);
                }
            }
        }
        *input = lines.concat();
    }

    /// Many brackets of one kind, or one piece many times.
    fn nest(&mut self, input: &mut Vec<u8>) {
        let (open, close) = [
            ("[", "]"),
            ("{a: ", "}"),
            ("(", ")"),
            ("{\"a\":", "}"),
            ("- ", ""),
            ("!", ""),
            ("${A:-", "}"),
            ("-", ""),
            ("{range .a[*]}", "{end}"),
        ][self.below(9)];
        let times = 1 << self.below(12);
        let (open, close) = (open.repeat(times), close.repeat(times));
        match self.place(input) {
            Some((from, to)) => {
                input.splice(to..to, close.bytes());
                input.splice(from..from, open.bytes());
            }
            None => input.extend(open.bytes().chain(close.bytes())),
        }
    }

    fn indent(&mut self, input: &mut Vec<u8>) {
        let starts: Vec<usize> = std::iter::once(0)
            .chain(
                (0..input.len())
                    .filter(|at| input[*at] == b'\n')
                    .map(|at| at + 1),
            )
            .collect();
        let at = starts[self.below(starts.len())];
        if self.below(2) == 0 {
            let width = 1 + self.below(4);
            input.splice(at..at, std::iter::repeat_n(b' ', width));
        } else {
            let blanks = input[at..].iter().take_while(|byte| **byte == b' ').count();
            let gone = self.below(blanks + 1);
            input.drain(at..at + gone);
        }
    }

    fn splice(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        if other.is_empty() {
            return;
        }
        let from = self.below(other.len());
        let length = 1 + self.below((other.len() - from).min(400));
        let piece = &other[from..other.len().min(from + length)];
        if self.below(2) == 0 {
            self.insert(input, piece);
        } else {
            let at = self.below(input.len() + 1);
            let end = at + self.below(input.len() - at + 1).min(400);
            input.splice(at..end, piece.iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_makes_the_same_inputs() {
        let corpus = vec![b"a: 1\nb: [2]\n".to_vec(), b"kubectl get pods\n".to_vec()];
        let mut one = Mutator::new(7, &["apply"]);
        let mut two = Mutator::new(7, &["apply"]);
        for _ in 0..2_000 {
            let input = one.next(&corpus);
            assert!(input.len() <= INPUT_BYTES_MAX);
            assert_eq!(input, two.next(&corpus));
        }
    }
}
