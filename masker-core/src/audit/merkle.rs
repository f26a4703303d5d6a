//! The tree hash of RFC 6962, section 2.1, over the hashes of events.

use sha2::{Digest, Sha256};

/// A hash of the chain or of the tree.
pub type Hash = [u8; 32];

fn leaf(value: &Hash) -> Hash {
    Sha256::new().chain_update([0]).chain_update(value).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The largest power of two below `len`, which is at least 2.
fn split(len: usize) -> usize {
    1 << (len - 1).ilog2()
}

/// The root of the tree over `values`, `None` where there are none.
pub fn merkle_root(values: &[Hash]) -> Option<Hash> {
    let mut builder = Builder::default();
    for value in values {
        builder.push(value);
    }
    builder.root()
}

/// Collects a root leaf by leaf, in memory that grows with the logarithm of their number.
#[derive(Default)]
pub(super) struct Builder {
    /// Complete subtrees, the largest first, with the logarithms of their sizes.
    done: Vec<(u32, Hash)>,
}

impl Builder {
    pub(super) fn push(&mut self, value: &Hash) {
        let mut new = (0, leaf(value));
        while let Some((level, left)) = self.done.last().copied().filter(|(level, _)| *level == new.0) {
            self.done.pop();
            new = (level + 1, node(&left, &new.1));
        }
        self.done.push(new);
    }

    pub(super) fn root(&self) -> Option<Hash> {
        let mut subtrees = self.done.iter().rev().map(|(_, hash)| *hash);
        let last = subtrees.next()?;
        Some(subtrees.fold(last, |right, left| node(&left, &right)))
    }
}

/// The hashes that lead from the value at `index` to the root, from the leaf up; `None` where there is no such value.
pub fn merkle_path(values: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= values.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut values, mut index) = (values, index);
    while values.len() > 1 {
        let (left, right) = values.split_at(split(values.len()));
        let (inside, beside) = if index < left.len() {
            (left, right)
        } else {
            index -= left.len();
            (right, left)
        };
        path.push(merkle_root(beside)?);
        values = inside;
    }
    path.reverse();
    Some(path)
}

/// The root that a value at `index` of `size` values and its path lead to; `None` where the path has not the length
/// that such a tree has. RFC 9162, section 2.1.3.2.
pub fn merkle_root_from_path(value: &Hash, index: usize, size: usize, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut index, mut last) = (index, size - 1);
    let mut hash = leaf(value);
    for beside in path {
        if last == 0 {
            return None;
        }
        if index % 2 == 1 || index == last {
            hash = node(beside, &hash);
            while index % 2 == 0 && index != 0 {
                index /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, beside);
        }
        index /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: u8) -> Vec<Hash> {
        (0..count).map(|n| [n; 32]).collect()
    }

    /// The definition of RFC 6962, word for word.
    fn slow(values: &[Hash]) -> Hash {
        match values {
            [one] => leaf(one),
            many => {
                let (left, right) = many.split_at(split(many.len()));
                node(&slow(left), &slow(right))
            }
        }
    }

    #[test]
    fn every_value_of_every_size_is_proven_and_nothing_else() {
        assert_eq!(merkle_root(&[]), None);
        assert_eq!(merkle_path(&[], 0), None);
        for size in 1..=33 {
            let values = values(size);
            let root = merkle_root(&values).unwrap();
            assert_eq!(root, slow(&values));
            for index in 0..values.len() {
                let path = merkle_path(&values, index).unwrap();
                let reached = |value, at, path: &[Hash]| {
                    merkle_root_from_path(value, at, values.len(), path) == Some(root)
                };
                assert!(reached(&values[index], index, &path));
                assert!(!reached(&[0xff; 32], index, &path));
                assert!(!reached(&values[index], values.len(), &path));
                for other in (0..values.len()).filter(|other| *other != index) {
                    assert!(!reached(&values[index], other, &path), "{index} of {size} shown as {other}");
                }
                for i in 0..path.len() {
                    let mut bad = path.clone();
                    bad[i][31] ^= 1;
                    assert!(!reached(&values[index], index, &bad));
                }
                let longer = [path.as_slice(), &[[0; 32]]].concat();
                assert!(!reached(&values[index], index, &longer));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!reached(&values[index], index, shorter));
                }
            }
        }
    }
}
