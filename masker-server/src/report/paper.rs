//! Pages of text, tables and bars, as a PDF. What is put down runs from page to page; the same input gives the same bytes.

use std::sync::LazyLock;

use krilla::Document;
use krilla::color::rgb;
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::text::{Font, TextDirection};
use ttf_parser::Face;

static PLAIN: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
static BOLD: &[u8] = include_bytes!("../../assets/DejaVuSans-Bold.ttf");

/// Letter, in points.
const WIDTH: f32 = 612.0;
const HEIGHT: f32 = 792.0;
const MARGIN: f32 = 54.0;
/// The lowest line of the text; the foot of the page is below.
const BOTTOM: f32 = HEIGHT - 64.0;
const TEXT_WIDTH: f32 = WIDTH - 2.0 * MARGIN;
/// From one line to the next, as a multiple of the size of the letters.
const LEADING: f32 = 1.35;
const BODY: f32 = 9.0;
const SMALL: f32 = 7.5;
const GAP: f32 = 6.0;

type Color = (u8, u8, u8);
const INK: Color = (30, 33, 38);
const FAINT: Color = (105, 112, 122);
const SHADE: Color = (232, 236, 241);
const BAR: Color = (58, 110, 165);

/// Widths of letters, for breaking lines; shaping is left to what draws them.
struct Letters {
    face: Face<'static>,
}

impl Letters {
    fn new(bytes: &'static [u8]) -> Self {
        Self { face: Face::parse(bytes, 0).expect("the font is part of the program") }
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        let units = |letter: char| {
            let glyph = self.face.glyph_index(letter).unwrap_or_default();
            f32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0))
        };
        text.chars().map(units).sum::<f32>() * size / f32::from(self.face.units_per_em())
    }
}

static LETTERS: LazyLock<[Letters; 2]> = LazyLock::new(|| [Letters::new(PLAIN), Letters::new(BOLD)]);

fn width(text: &str, size: f32, is_bold: bool) -> f32 {
    LETTERS[usize::from(is_bold)].width(text, size)
}

/// Something at its place on a page.
enum Mark {
    Block { x: f32, y: f32, width: f32, height: f32, color: Color },
    Text { x: f32, y: f32, size: f32, is_bold: bool, color: Color, text: String },
}

/// A column of a table.
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Its part of the width.
    pub(super) share: f32,
    pub(super) is_number: bool,
}

pub(super) const fn column(title: &'static str, share: f32) -> Column {
    Column { title, share, is_number: false }
}

pub(super) const fn number(title: &'static str, share: f32) -> Column {
    Column { title, share, is_number: true }
}

/// What the document says of itself.
pub(super) struct About {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) keywords: Vec<String>,
    /// Milliseconds since 1970.
    pub(super) at: i64,
}

/// A document in the making.
pub(super) struct Paper {
    pages: Vec<Vec<Mark>>,
    y: f32,
    headings: Vec<(String, usize, f32)>,
}

impl Paper {
    pub(super) fn new() -> Self {
        Self { pages: vec![Vec::new()], y: MARGIN, headings: Vec::new() }
    }

    pub(super) fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = MARGIN;
    }

    fn put(&mut self, mark: Mark) {
        self.pages.last_mut().expect("a document has a page").push(mark);
    }

    /// Goes to the next page where this one has not so much room left.
    fn need(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.new_page();
        }
    }

    pub(super) fn space(&mut self, height: f32) {
        self.y += height;
    }

    fn line(&mut self, x: f32, size: f32, is_bold: bool, color: Color, text: &str) {
        let y = self.y + size;
        self.put(Mark::Text { x, y, size, is_bold, color, text: text.to_owned() });
    }

    pub(super) fn title(&mut self, text: &str) {
        for line in broken(text, 22.0, true, TEXT_WIDTH) {
            self.line(MARGIN, 22.0, true, INK, &line);
            self.y += 22.0 * LEADING;
        }
    }

    /// A heading, with room for something below it on the same page.
    pub(super) fn heading(&mut self, text: &str) {
        self.need(90.0);
        if self.y > MARGIN {
            self.y += 14.0;
        }
        self.headings.push((text.to_owned(), self.pages.len() - 1, self.y));
        self.line(MARGIN, 13.0, true, INK, text);
        self.y += 13.0 * LEADING;
        let mark = Mark::Block { x: MARGIN, y: self.y, width: TEXT_WIDTH, height: 0.75, color: SHADE };
        self.put(mark);
        self.y += GAP;
    }

    pub(super) fn subheading(&mut self, text: &str) {
        self.need(50.0);
        self.y += GAP;
        for line in broken(text, 10.0, true, TEXT_WIDTH) {
            self.line(MARGIN, 10.0, true, INK, &line);
            self.y += 10.0 * LEADING;
        }
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.text(text, BODY, INK);
        self.y += GAP / 2.0;
    }

    /// Lines as they are, small.
    pub(super) fn source(&mut self, text: &str) {
        for line in text.lines() {
            self.text(line, SMALL, FAINT);
        }
        self.y += GAP;
    }

    fn text(&mut self, text: &str, size: f32, color: Color) {
        for line in broken(text, size, false, TEXT_WIDTH) {
            self.need(size * LEADING);
            self.line(MARGIN, size, false, color, &line);
            self.y += size * LEADING;
        }
    }

    /// Names with their values.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) {
        let label = TEXT_WIDTH * 0.28;
        for (name, value) in facts {
            for (i, line) in broken(value, BODY, false, TEXT_WIDTH - label).iter().enumerate() {
                self.need(BODY * LEADING);
                if i == 0 {
                    self.line(MARGIN, BODY, false, FAINT, name);
                }
                self.line(MARGIN + label, BODY, false, INK, line);
                self.y += BODY * LEADING;
            }
        }
        self.y += GAP;
    }

    /// A table whose head is repeated on every page that it runs to.
    pub(super) fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        let total: f32 = columns.iter().map(|column| column.share).sum();
        let widths: Vec<f32> = columns.iter().map(|column| column.share / total * TEXT_WIDTH).collect();
        self.need(4.0 * BODY * LEADING);
        self.table_head(columns, &widths);
        for (i, row) in rows.iter().enumerate() {
            let cells: Vec<Vec<String>> =
                row.iter().zip(&widths).map(|(cell, width)| broken(cell, BODY, false, width - GAP)).collect();
            let lines = cells.iter().map(Vec::len).max().unwrap_or(1);
            let height = lines as f32 * BODY * LEADING + 3.0;
            if self.y + height > BOTTOM {
                self.new_page();
                self.table_head(columns, &widths);
            }
            if i % 2 == 1 {
                let (y, color) = (self.y, (246, 248, 250));
                self.put(Mark::Block { x: MARGIN, y, width: TEXT_WIDTH, height, color });
            }
            let top = self.y;
            let mut x = MARGIN;
            for ((cell, column), room) in cells.iter().zip(columns).zip(&widths) {
                for (n, line) in cell.iter().enumerate() {
                    self.y = top + 1.0 + n as f32 * BODY * LEADING;
                    let at =
                        if column.is_number { x + room - GAP - width(line, BODY, false) } else { x + 3.0 };
                    self.line(at, BODY, false, INK, line);
                }
                x += room;
            }
            self.y = top + height;
        }
        self.y += GAP;
    }

    fn table_head(&mut self, columns: &[Column], widths: &[f32]) {
        let height = BODY * LEADING + 5.0;
        let y = self.y;
        self.put(Mark::Block { x: MARGIN, y, width: TEXT_WIDTH, height, color: SHADE });
        self.y += 2.0;
        let mut x = MARGIN;
        for (column, room) in columns.iter().zip(widths) {
            let own = width(column.title, BODY, true);
            let at = if column.is_number { x + room - GAP - own } else { x + 3.0 };
            self.line(at, BODY, true, INK, column.title);
            x += room;
        }
        self.y = y + height;
    }

    /// A bar for each count, the greatest as wide as there is room.
    pub(super) fn bars(&mut self, counts: &[(String, i64)]) {
        let greatest = counts.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
        let label = TEXT_WIDTH * 0.26;
        let room = TEXT_WIDTH - label - 60.0;
        let step = BODY * LEADING + 3.0;
        for (name, count) in counts {
            self.need(step);
            self.line(MARGIN, BODY, false, INK, name);
            let long = (room * *count as f32 / greatest as f32).max(1.0);
            let (x, y) = (MARGIN + label, self.y + 1.0);
            self.put(Mark::Block { x, y, width: long, height: BODY + 1.0, color: BAR });
            self.line(x + long + GAP, BODY, false, INK, &count.to_string());
            self.y += step;
        }
        self.y += GAP;
    }

    /// The document; every page says at its foot which it is. Nothing where it cannot be made.
    pub(super) fn finish(self, about: About) -> Option<Vec<u8>> {
        let font = |bytes: &'static [u8]| Font::new(bytes.into(), 0);
        let fonts = [font(PLAIN)?, font(BOLD)?];
        let mut document = Document::new();
        let count = self.pages.len();
        for (i, mut marks) in self.pages.into_iter().enumerate() {
            let foot = HEIGHT - 40.0;
            let page_number = format!("page {} of {count}", i + 1);
            let right = WIDTH - MARGIN - width(&page_number, SMALL, false);
            for (x, text) in [(MARGIN, about.id.clone()), (right, page_number)] {
                marks.push(Mark::Text { x, y: foot, size: SMALL, is_bold: false, color: FAINT, text });
            }
            let mut page = document.start_page_with(PageSettings::from_wh(WIDTH, HEIGHT)?);
            let mut surface = page.surface();
            let fill =
                |(r, g, b): Color| Some(Fill { paint: rgb::Color::new(r, g, b).into(), ..Fill::default() });
            for mark in marks {
                match mark {
                    Mark::Block { x, y, width, height, color } => {
                        let mut path = PathBuilder::new();
                        path.push_rect(Rect::from_xywh(x, y, width, height)?);
                        surface.set_fill(fill(color));
                        surface.draw_path(&path.finish()?);
                    }
                    Mark::Text { x, y, size, is_bold, color, text } => {
                        surface.set_fill(fill(color));
                        let font = fonts[usize::from(is_bold)].clone();
                        surface.draw_text(
                            Point::from_xy(x, y),
                            font,
                            size,
                            &text,
                            false,
                            TextDirection::Auto,
                        );
                    }
                }
            }
            surface.finish();
            page.finish();
        }
        let mut outline = Outline::new();
        for (text, page, y) in self.headings {
            outline.push_child(OutlineNode::new(text, XyzDestination::new(page, Point::from_xy(MARGIN, y))));
        }
        document.set_outline(outline);
        document.set_metadata(
            Metadata::new()
                .title(about.title)
                .keywords(about.keywords)
                .language("en".to_owned())
                .creator(concat!("masker ", env!("CARGO_PKG_VERSION")).to_owned())
                .document_id(about.id)
                .creation_date(date(about.at)?),
        );
        document.finish().ok()
    }
}

fn date(at: i64) -> Option<krilla::metadata::DateTime> {
    let at = jiff::Timestamp::from_millisecond(at).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let date = krilla::metadata::DateTime::new(at.year() as u16).month(at.month() as u8).day(at.day() as u8);
    let date = date.hour(at.hour() as u8).minute(at.minute() as u8).second(at.second() as u8);
    Some(date.utc_offset_hour(0).utc_offset_minute(0))
}

/// A text in lines of at most this width, broken between words where that can be; at least one line.
fn broken(text: &str, size: f32, is_bold: bool, most: f32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0.0;
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for word in clean.split_inclusive(' ') {
        let mut word = word;
        let bare = width(word.trim_end_matches(' '), size, is_bold);
        if used + bare > most && !line.trim().is_empty() {
            lines.push(std::mem::take(&mut line));
            used = 0.0;
        }
        // A word that is wider than a line is broken wherever the line ends.
        while width(word.trim_end_matches(' '), size, is_bold) > most - used {
            let mut end = 0;
            let mut long = used;
            for (at, letter) in word.char_indices() {
                long += width(letter.encode_utf8(&mut [0; 4]), size, is_bold);
                if long > most && at > 0 {
                    break;
                }
                end = at + letter.len_utf8();
            }
            let (head, rest) = word.split_at(end);
            line.push_str(head);
            lines.push(std::mem::take(&mut line));
            used = 0.0;
            word = rest;
        }
        line.push_str(word);
        used += width(word, size, is_bold);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_every_letter_and_their_width() {
        let long = "x".repeat(400);
        for text in [
            "",
            "a few words that do not fit into so narrow a line",
            long.as_str(),
            "  indented: yes",
            "é — ü 日本",
        ] {
            let lines = broken(text, BODY, false, 100.0);
            assert_eq!(lines.concat(), text);
            let widest = lines.iter().map(|line| width(line.trim_end(), BODY, false)).fold(0.0, f32::max);
            assert!(widest <= 100.0 + BODY, "{widest}");
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let make = || {
            let mut paper = Paper::new();
            paper.title("Title");
            for n in 0..4 {
                paper.heading(&format!("{n} Heading"));
                paper.facts(&[("name", "value ".repeat(40))]);
                let rows: Vec<Vec<String>> =
                    (0..60).map(|i| vec![format!("row {i}"), i.to_string()]).collect();
                paper.table(&[column("What", 3.0), number("Count", 1.0)], &rows);
                paper.bars(&[("A".to_owned(), 3), ("B".to_owned(), 0)]);
            }
            let about = About {
                id: "rep_1".into(),
                title: "t".into(),
                keywords: vec!["k".into()],
                at: 1_772_442_904_000,
            };
            paper.finish(about).unwrap()
        };
        let first = make();
        assert!(first.starts_with(b"%PDF-") && first == make());
    }
}
