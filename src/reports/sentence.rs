//! A provisional wording of one leaf of an explanation, until `findings` offers the full one. Only [`super::explanation`]
//! calls it.

use crate::findings::{Blame, BlameValue};
use crate::policy::Rule;

/// What was observed and what was expected, in one sentence without a final full stop. Not escaped for any sink.
pub(super) fn sentence(rule: &Rule, blame: &Blame) -> String {
    let Some(leaf) = rule.leaves.get(blame.leaf.0 as usize) else { return "a fact of this rule".to_owned() };
    let title = match &blame.element {
        Some(element) => format!("{} of `{element}`", leaf.path.title),
        None => leaf.path.title.to_owned(),
    };
    let expected = match super::model::expectation(leaf, blame) {
        Some(expected) if blame.negated => format!("; expected not {}", expected.words()),
        Some(expected) => format!("; expected {}", expected.words()),
        None => String::new(),
    };
    let note = blame.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
    match &blame.observed {
        BlameValue::Present(value) => format!("{title} is `{value}`{expected}{note}"),
        BlameValue::Absent(proof) => format!("{title} is absent ({proof}){expected}{note}"),
        BlameValue::Unknown(cause) => {
            let note = blame.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
            format!("{title} could not be determined ({cause}{note})")
        }
    }
}
