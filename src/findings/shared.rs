//! Rows that many targets have in common, kept once.
//!
//! Most domains of a repository get the same verdicts, and the same facts about them were not collected. Whoever judges many
//! targets passes each through one [`Shared`], so that these rows cost a pointer and not some hundred bytes a target.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashSet;

use super::{AssessedTarget, Verdict};
use crate::policy::{LeafId, RuleIndex};

/// Most rows that are remembered: where every target differs, remembering them would cost more than it saves.
const MOST: usize = 4096;

/// The rows seen so far.
#[derive(Debug, Default)]
pub struct Shared {
    verdicts: HashSet<Arc<[Option<Verdict>]>>,
    not_collected: HashSet<Arc<[(RuleIndex, LeafId)]>>,
}

impl Shared {
    /// Lets a target have the rows of an earlier one where they are the same.
    pub fn share(&mut self, mut target: AssessedTarget) -> AssessedTarget {
        one_of(&mut self.verdicts, &mut target.verdicts);
        one_of(&mut self.not_collected, &mut target.not_collected);
        target
    }
}

fn one_of<T: Eq + Hash>(known: &mut HashSet<Arc<[T]>>, row: &mut Arc<[T]>) {
    match known.get(row) {
        Some(same) => *row = Arc::clone(same),
        None => {
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(Arc::clone(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Target;

    fn target(verdict: Verdict) -> AssessedTarget {
        AssessedTarget {
            kind: Target::Domain,
            name: "example.org".to_owned(),
            anchor: None,
            verdicts: vec![Some(verdict)].into(),
            details: Box::default(),
            not_collected: vec![(RuleIndex(0), LeafId(1))].into(),
        }
    }

    #[test]
    fn the_same_rows_are_kept_once_and_others_stay_as_they_are() {
        let mut shared = Shared::default();
        let [one, other, another] =
            [Verdict::Pass, Verdict::Fail, Verdict::Pass].map(|verdict| shared.share(target(verdict)));
        assert!(Arc::ptr_eq(&one.verdicts, &another.verdicts));
        assert!(Arc::ptr_eq(&one.not_collected, &other.not_collected));
        assert_eq!([one, other, another], [Verdict::Pass, Verdict::Fail, Verdict::Pass].map(target));
    }
}
