//! A page of Markdown that stays below a size.

/// What is kept free for the notes on what was left out.
const RESERVED: usize = 800;

/// A page that is being written: blocks with an empty line between them.
pub(super) struct Page {
    text: String,
    limit: usize,
    left_out: Vec<&'static str>,
}

impl Page {
    /// An empty page of at most so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { text: String::new(), limit: limit.saturating_sub(RESERVED), left_out: Vec::new() }
    }

    /// Lines that belong together, whole or not at all.
    pub(super) fn block(&mut self, block: &str) {
        if self.text.len() + block.len() + 2 <= self.limit {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(block);
            self.text.push('\n');
        }
    }

    /// A heading and a table, of which at most `most` rows are shown; `total` says how many there are. No rows, no table.
    pub(super) fn table(
        &mut self,
        title: &'static str,
        header: &[&str],
        rows: impl Iterator<Item = Vec<String>>,
        (most, total): (usize, usize),
    ) {
        if total == 0 {
            return;
        }
        let mut table = format!("### {title}\n\n{}{}", row(header), row(&vec!["---"; header.len()]));
        let mut shown = 0;
        for cells in rows.take(most) {
            let cells = row(&cells);
            if self.text.len() + table.len() + cells.len() + 100 > self.limit {
                break;
            }
            table.push_str(&cells);
            shown += 1;
        }
        if shown == 0 {
            self.left_out.push(title);
            return;
        }
        if shown < total {
            table.push_str(&format!("\nOf {total} rows, {shown} are shown.\n"));
        }
        self.block(table.trim_end());
    }

    /// The bytes, with a line feed at the end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if !self.left_out.is_empty() {
            self.limit += RESERVED;
            let titles = self.left_out.join(", ");
            self.block(&format!("Left out, because the page may not be longer: {titles}. The format json has it all."));
        }
        self.text.into_bytes()
    }
}

fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}
