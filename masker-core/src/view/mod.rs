//! Ways of reading a text: folded to plain characters, cut into words, and with spoken numbers written out.
//!
//! Every view keeps the way back to the bytes of the source, because findings are always positions in the source.

mod fold;
mod hash;
mod normal;
mod spoken;
mod words;

pub(crate) use self::fold::fold_char;
pub(crate) use self::hash::WordHashBuilder;
pub use self::hash::{WordHash, hash_word};
pub use self::normal::NormalView;
pub(crate) use self::normal::{BARRIER, ViewBuffers};
pub use self::spoken::{Class, ClassedWord, CodePiece, CodeRun, SaidWord, WordClass, classify, code_run};
pub(crate) use self::spoken::{class_words, read_code};
pub(crate) use self::words::Words;
pub use self::words::{Case, Gap, Shape, Word, split_words};
