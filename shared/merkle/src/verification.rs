//! What a proof proves, by hashes alone (RFC 9162 sections 2.1.3.2 and 2.1.4.2).

use crate::hash::{Hash, node};

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// What is asked cannot be proved: an index beyond the end, or a tree that shrinks or grows
    /// from nothing.
    #[error("no proof can show that")]
    OutOfRange,
    /// The proof has too few hashes, or too many.
    #[error("the proof has not as many hashes as it must")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Verifies that the leaf with this hash is number `index` of the tree with this size and root
/// (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// It is not proven.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), NotProven> {
    if index >= size {
        return Err(NotProven::OutOfRange);
    }
    let mut path = Path { place: index, last: size - 1 };
    let mut found = leaf;
    for sibling in proof {
        found = if path.is_right_child()? { node(*sibling, found) } else { node(found, *sibling) };
        path.climb();
    }
    path.is_at_root()?;
    if found == root { Ok(()) } else { Err(NotProven::Root) }
}

/// Verifies that the tree of `new_size` leaves begins with that of `old_size` leaves (RFC 9162
/// section 2.1.4.2). Equal sizes need equal roots and an empty proof. An old size of 0 is an
/// error: whoever allows it must look at it before.
///
/// # Errors
/// It is not proven.
pub fn verify_consistency(
    old_size: u64,
    old_root: Hash,
    new_size: u64,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), NotProven> {
    if old_size == 0 || old_size > new_size {
        return Err(NotProven::OutOfRange);
    }
    if old_size == new_size {
        return match proof {
            [] if old_root == new_root => Ok(()),
            [] => Err(NotProven::Root),
            _ => Err(NotProven::Length),
        };
    }
    // What the old tree ends with is a complete subtree: the first hash of the proof, or the whole
    // old tree, which the proof does not repeat.
    let mut path = Path { place: old_size - 1, last: new_size - 1 };
    path.skip_right_children();
    let (start, rest) = if path.place == 0 {
        (&old_root, proof)
    } else {
        proof.split_first().ok_or(NotProven::Length)?
    };
    let (mut old, mut new) = (*start, *start);
    for sibling in rest {
        if path.is_right_child()? {
            old = node(*sibling, old);
            new = node(*sibling, new);
        } else {
            new = node(new, *sibling);
        }
        path.climb();
    }
    path.is_at_root()?;
    if old == old_root && new == new_root { Ok(()) } else { Err(NotProven::Root) }
}

/// Where a verification is: `fn` and `sn` of RFC 9162, the number of the node on its level and
/// that of the level's last node.
struct Path {
    place: u64,
    last: u64,
}

impl Path {
    /// Whether the sibling stands to the left; an error where there is no sibling any more.
    fn is_right_child(&self) -> Result<bool, NotProven> {
        if self.last == 0 {
            return Err(NotProven::Length);
        }
        Ok(self.place % 2 == 1 || self.place == self.last)
    }

    /// To the parent. The last node of a level may have no sibling there: it is its own parent.
    fn climb(&mut self) {
        if self.place == self.last {
            while self.place.is_multiple_of(2) && self.place > 0 {
                self.up();
            }
        }
        self.up();
    }

    /// To the root of the largest complete subtree that ends where the path began.
    fn skip_right_children(&mut self) {
        while self.place % 2 == 1 {
            self.up();
        }
    }

    fn up(&mut self) {
        self.place >>= 1;
        self.last >>= 1;
    }

    fn is_at_root(&self) -> Result<(), NotProven> {
        if self.last == 0 { Ok(()) } else { Err(NotProven::Length) }
    }
}
