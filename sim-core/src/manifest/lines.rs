//! Source texts and positions in them: bytes, 1-based lines and columns, UTF-16 offsets.
//!
//! Spans are bytes, because parsers count bytes; people count characters and editors count
//! UTF-16 units, so both are computed here and nowhere else.
use std::sync::Arc;

/// Which file of a [`Sources`] a span is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A range of bytes of one file, half open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span of `file` from byte `start` up to, not including, `end`.
    #[must_use]
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let start = clamp(start);
        Self {
            file,
            start,
            end: clamp(end).max(start),
        }
    }

    /// From the start of this one to the end of `last`, if both are in one file.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        if self.file == last.file {
            Self {
                end: self.end.max(last.end),
                ..self
            }
        } else {
            self
        }
    }
}

fn clamp(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// A text with its name and the index of its lines.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name shown to people: a path, or `STDIN`.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
    /// The id spans of this text carry.
    pub file: FileId,
    starts: Arc<[u32]>,
}

/// A position for people: both numbers start at 1, the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Source {
    /// A lone source, file 0.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self::numbered(name, text, FileId(0))
    }

    fn numbered(name: &str, text: &str, file: FileId) -> Self {
        let mut starts = vec![0];
        starts.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| clamp(at + 1)),
        );
        Self {
            name: name.into(),
            text: text.into(),
            file,
            starts: starts.into(),
        }
    }

    /// Number of lines, at least 1.
    #[must_use]
    pub fn line_count(&self) -> u32 {
        clamp(self.starts.len())
    }

    /// Line and column of a byte; past the end it is the end.
    #[must_use]
    pub fn position(&self, byte: u32) -> Position {
        let byte = self.floor(byte);
        let index = self.starts.partition_point(|start| *start as usize <= byte) - 1;
        let column = self.text[self.starts[index] as usize..byte].chars().count();
        Position {
            line: clamp(index + 1),
            column: clamp(column + 1),
        }
    }

    /// UTF-16 units before a byte, as editors count.
    #[must_use]
    pub fn utf16(&self, byte: u32) -> u32 {
        clamp(
            self.text[..self.floor(byte)]
                .chars()
                .map(char::len_utf16)
                .sum(),
        )
    }

    /// The byte at a UTF-16 offset, the inverse of [`Source::utf16`].
    #[must_use]
    pub fn byte_of_utf16(&self, units: u32) -> u32 {
        let mut passed = 0;
        for (byte, character) in self.text.char_indices() {
            if passed >= units as usize {
                return clamp(byte);
            }
            passed += character.len_utf16();
        }
        clamp(self.text.len())
    }

    /// A line's text without its line break; `line` counts from 1, outside it is empty.
    #[must_use]
    pub fn line(&self, line: u32) -> &str {
        let Some(&start) = (line as usize)
            .checked_sub(1)
            .and_then(|index| self.starts.get(index))
        else {
            return "";
        };
        let end = self
            .starts
            .get(line as usize)
            .map_or(self.text.len(), |next| *next as usize - 1);
        self.text[start as usize..end].trim_end_matches('\r')
    }

    /// First byte of a line that counts from 1; the end of the text past the last.
    #[must_use]
    pub fn line_start(&self, line: u32) -> u32 {
        let index = (line as usize).saturating_sub(1);
        self.starts
            .get(index)
            .copied()
            .unwrap_or_else(|| clamp(self.text.len()))
    }

    /// The text of a span, empty if it is not in this source.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        if span.file != self.file {
            return "";
        }
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// The nearest character border at or before `byte`.
    fn floor(&self, byte: u32) -> usize {
        let mut byte = (byte as usize).min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

/// All texts of one reading, so that spans of merged files keep their origin.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// No texts yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text and returns its id.
    pub fn add(&mut self, name: &str, text: &str) -> FileId {
        let file = FileId(clamp(self.files.len()));
        self.files.push(Source::numbered(name, text, file));
        file
    }

    /// The text of an id.
    #[must_use]
    pub fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }

    /// The name of a file, empty if there is none.
    #[must_use]
    pub fn name(&self, file: FileId) -> Arc<str> {
        self.get(file)
            .map_or_else(|| "".into(), |source| source.name.clone())
    }

    /// All texts in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// `file:line:column` of the start of a span.
    #[must_use]
    pub fn place(&self, span: Span) -> String {
        match self.get(span.file) {
            Some(source) => {
                let at = source.position(span.start);
                format!("{}:{}:{}", source.name, at.line, at.column)
            }
            None => String::new(),
        }
    }
}

/// How many terminal cells a character takes: 2 for East Asian wide and full-width characters and
/// emoji, 0 for combining marks and zero-width characters, else 1.
///
/// Ranges after Unicode's East Asian Width and General Category, coarse on purpose.
#[must_use]
pub fn cells(character: char) -> u32 {
    match u32::from(character) {
        0x0300..=0x036F
        | 0x200B..=0x200F
        | 0x20D0..=0x20FF
        | 0xFE00..=0xFE0F
        | 0xFE20..=0xFE2F
        | 0xFEFF => 0,
        0x1100..=0x115F
        | 0x231A..=0x231B
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xA960..=0xA97F
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, Source};

    #[test]
    fn columns_count_characters_and_offsets_count_units() {
        let source = Source::new("a.yaml", "名: 值\n😀: x\r\n");
        assert_eq!(source.position(5), Position { line: 1, column: 4 });
        assert_eq!(source.utf16(5), 3);
        assert_eq!(source.position(13), Position { line: 2, column: 2 });
        assert_eq!(source.utf16(13), 7);
        assert_eq!(source.byte_of_utf16(7), 13);
        assert_eq!(source.line(2), "😀: x");
        assert_eq!(source.position(999), Position { line: 3, column: 1 });
        assert_eq!(source.line(9), "");
    }
}
