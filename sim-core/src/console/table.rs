//! Text tables of the two tools, and of Podium.

use crate::base::sentence::Form;
use crate::base::sentence::passage::Passage;

/// Least width of kubectl's columns, with what is between them.
const MINIMUM: usize = 6;

/// Blanks between kubectl's columns.
const PADDING: usize = 3;

/// A table of text cells.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Header cells.
    pub header: Vec<String>,
    /// Rows of cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headers.
    pub fn new(header: &[&str]) -> Self {
        Self {
            header: header.iter().map(|cell| (*cell).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// As kubectl prints: columns as wide as their widest cell plus three blanks, no blanks after
    /// the last column. Source: `k8s.io/cli-runtime/pkg/printers/tabwriter.go` (minwidth 6, width 4, padding 3).
    pub fn kubectl(&self, header: bool) -> String {
        self.print(header, MINIMUM, PADDING)
    }

    /// As the docker command line prints: columns at least ten wide, three blanks, and the last
    /// column of a row is not padded but empty last cells leave their blanks.
    /// Source: `docker/cli cli/command/formatter/formatter.go` (minwidth 10, padding 3).
    pub fn docker(&self) -> String {
        self.print(true, 10, 3)
    }

    /// As [`Table::kubectl`], for rows that come one after another: columns stay as wide as they have
    /// been. Source: `RememberWidths` of the same tab writer.
    pub fn kubectl_on(&self, header: bool, widths: &mut Vec<usize>) -> String {
        self.print_on(header, MINIMUM, PADDING, widths)
    }

    fn print(&self, header: bool, minimum: usize, padding: usize) -> String {
        self.print_on(header, minimum, padding, &mut Vec::new())
    }

    fn print_on(
        &self,
        header: bool,
        minimum: usize,
        padding: usize,
        widths: &mut Vec<usize>,
    ) -> String {
        let columns = self.header.len();
        widths.resize(columns, 0);
        let all = header.then_some(&self.header).into_iter().chain(&self.rows);
        for row in all {
            for (column, cell) in row.iter().enumerate().take(columns) {
                widths[column] = widths[column].max(width(cell));
            }
        }
        let mut text = String::new();
        let all = header.then_some(&self.header).into_iter().chain(&self.rows);
        for row in all {
            for (column, cell) in row.iter().enumerate().take(columns) {
                text.push_str(cell);
                if column + 1 == columns {
                    break;
                }
                let cell_width = (widths[column] + padding).max(minimum);
                for _ in width(cell)..cell_width {
                    text.push(' ');
                }
            }
            text.push('\n');
        }
        text
    }
}

/// A table of Podium's own, laid out as [`Table::kubectl`] does: what its columns are called, and what is in
/// them.
pub fn own(columns: &[Form], rows: Vec<Vec<String>>) -> Passage {
    let header = columns.iter().map(|form| form.plain().into()).collect();
    let rows = rows
        .into_iter()
        .map(|row| row.into_iter().map(Passage::from).collect());
    lines([header].into_iter().chain(rows).collect())
}

/// The same of rows whose first is the header, and whose cells may be words.
pub fn lines(rows: Vec<Vec<Passage>>) -> Passage {
    let columns = rows.first().map_or(0, Vec::len);
    let mut widths = vec![MINIMUM - PADDING; columns];
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let last = columns.saturating_sub(1);
    let mut text = Passage::default();
    for row in rows {
        for (column, (cell, widest)) in row.into_iter().zip(&widths).enumerate() {
            let blanks = widest + PADDING - width(&cell);
            text.push(cell);
            text.push(if column == last {
                "\n".to_owned()
            } else {
                " ".repeat(blanks)
            });
        }
    }
    text
}

/// Columns that a text takes on a terminal: East Asian wide characters take two.
pub fn width(text: &str) -> usize {
    text.chars()
        .map(|character| if wide(character) { 2 } else { 1 })
        .sum()
}

fn wide(character: char) -> bool {
    matches!(u32::from(character), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x20000..=0x3fffd)
}
