//! Tells the code of a Rust source from its comments and from what its strings say, so that a
//! rule over code never meets a word in a sentence. A scanner, no parser: it knows comments,
//! strings and characters, and nothing else of the language.

/// Stands for each character that a string literal says.
pub const SAID: char = '\u{1}';

/// Two layers of one source, with the same lines and the same columns as the source.
pub struct Layers {
    /// The code; comments are blanks, what strings say is [`SAID`].
    pub code: String,
    /// The comments; the rest is blanks.
    pub comments: String,
}

impl Layers {
    /// Reads a source.
    #[must_use]
    pub fn of(source: &str) -> Self {
        let mut scanner = Scanner {
            source: source.chars().collect(),
            next: 0,
            code: String::with_capacity(source.len()),
            comments: String::with_capacity(source.len()),
        };
        while scanner.step() {}
        Self { code: scanner.code, comments: scanner.comments }
    }
}

/// Whether a text has this word or path and not merely as a part of a longer one.
#[must_use]
pub fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let begins = word.chars().next().is_some_and(is_part);
    let ends = word.chars().next_back().is_some_and(is_part);
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        !(begins && before.is_some_and(is_part) || ends && after.is_some_and(is_part))
    })
}

struct Scanner {
    source: Vec<char>,
    next: usize,
    code: String,
    comments: String,
}

#[derive(Clone, Copy)]
enum Layer {
    Code,
    Said,
    Comment,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.source.get(self.next + ahead).copied()
    }

    /// Takes one character into a layer; a line ends in both.
    fn take(&mut self, layer: Layer) {
        let Some(character) = self.peek(0) else { return };
        self.next += 1;
        if character == '\n' {
            self.code.push('\n');
            self.comments.push('\n');
            return;
        }
        self.code.push(match layer {
            Layer::Code => character,
            Layer::Said => SAID,
            Layer::Comment => ' ',
        });
        self.comments.push(if matches!(layer, Layer::Comment) { character } else { ' ' });
    }

    fn step(&mut self) -> bool {
        match (self.peek(0), self.peek(1)) {
            (None, _) => return false,
            (Some('/'), Some('/')) => {
                while self.peek(0).is_some_and(|character| character != '\n') {
                    self.take(Layer::Comment);
                }
            }
            (Some('/'), Some('*')) => self.block_comment(),
            (Some('"'), _) => self.string(),
            (Some('r'), Some('"' | '#')) if self.may_begin_raw() => self.raw_string(),
            (Some('\''), _) => self.quote(),
            _ => self.take(Layer::Code),
        }
        true
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => return,
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.take(Layer::Comment);
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.take(Layer::Comment);
                }
                _ => {}
            }
            self.take(Layer::Comment);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(Layer::Code);
        while let Some(character) = self.peek(0) {
            match character {
                '"' => return self.take(Layer::Code),
                '\\' => {
                    self.take(Layer::Said);
                    self.take(Layer::Said);
                }
                _ => self.take(Layer::Said),
            }
        }
    }

    /// Whether the `r` here begins a raw string: not the end of a name, save for `br` and `cr`.
    fn may_begin_raw(&self) -> bool {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let mut before = self.code.chars().rev();
        let is_prefixed = match before.next() {
            Some('b' | 'c') => !before.next().is_some_and(is_part),
            Some(character) => !is_part(character),
            None => true,
        };
        let hashes = self.hashes_from(1);
        is_prefixed && self.peek(1 + hashes) == Some('"')
    }

    fn hashes_from(&self, ahead: usize) -> usize {
        (ahead..).take_while(|place| self.peek(*place) == Some('#')).count()
    }

    fn raw_string(&mut self) {
        let hashes = self.hashes_from(1);
        for _ in 0..hashes + 2 {
            self.take(Layer::Code);
        }
        while let Some(character) = self.peek(0) {
            if character == '"' && self.hashes_from(1) >= hashes {
                for _ in 0..=hashes {
                    self.take(Layer::Code);
                }
                return;
            }
            self.take(Layer::Said);
        }
    }

    /// A character literal, or the mark of a lifetime.
    fn quote(&mut self) {
        self.take(Layer::Code);
        if self.peek(0) == Some('\\') {
            self.take(Layer::Said);
            self.take(Layer::Said);
            while self.peek(0).is_some_and(|character| character != '\'') {
                self.take(Layer::Said);
            }
            self.take(Layer::Code);
        } else if self.peek(1) == Some('\'') {
            self.take(Layer::Said);
            self.take(Layer::Code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blanks and what strings say are left out, to be read more easily.
    fn check(source: &str, code: &str, comments: &str) {
        let layers = Layers::of(source);
        let bare = |text: &str| {
            text.chars().filter(|character| !matches!(character, ' ' | &SAID)).collect::<String>()
        };
        assert_eq!(bare(&layers.code), code, "code of {source}");
        assert_eq!(bare(&layers.comments), comments, "comments of {source}");
        assert_eq!(layers.code.chars().count(), source.chars().count(), "columns of {source}");
    }

    #[test]
    fn comments_strings_and_code_are_told_apart() {
        check("a // b\nc", "a\nc", "//b\n");
        check("a /* b /* c */ d */ e", "ae", "/*b/*c*/d*/");
        check(r#"a("b // c \" d") // e"#, r#"a("")"#, "//e");
        check(r###"a(r#"b " c"#, br"d")"###, r###"a(r#""#,br"")"###, "");
        check("r#type for_r", "r#typefor_r", "");
        check(r"a('\'', '/', '\u{1F514}') // b", "a('','','')", "//b");
        check("fn a<'b>(c: &'b str) // d", "fna<'b>(c:&'bstr)", "//d");
        check("an open \"string", "anopen\"", "");
    }

    #[test]
    fn a_word_is_no_part_of_a_longer_one() {
        assert!(has_word("use std::fs;", "std::fs"));
        assert!(!has_word("use std::fsx;", "std::fs"));
        assert!(!has_word("operand(1)", "rand"));
        assert!(has_word("file.sync_all()", "sync_all"));
        assert!(has_word("#[ignore = \"\"]", "#[ignore"));
    }
}
