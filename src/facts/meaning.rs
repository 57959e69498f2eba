//! What two observations of the same target mean together, where single facts do not say it.
//!
//! Comparing facts one by one shows that a value moved. Whether an MTA-STS policy changed under the same `id`, or a
//! DKIM record holds another key, follows from several facts or from a part of one. Nothing here judges.

pub use crate::mail::mta_sts::Change as PolicyChange;

use super::domain::MtaStsFacts;
use crate::mail::{dkim, mta_sts};

/// How the MTA-STS record and policy moved (RFC 8461 section 3.1). `None` when an `id` or a policy was not seen on one
/// of both sides. Only what facts hold of a policy counts: mode, max_age and the patterns of `mx`.
pub fn policy_change(before: &MtaStsFacts, after: &MtaStsFacts) -> Option<PolicyChange> {
    let (before_policy, after_policy) = (document(before)?, document(after)?);
    let observation = |facts: &'_ MtaStsFacts| facts.id.observed.present().cloned();
    let (before_id, after_id) = (observation(before)?, observation(after)?);
    Some(mta_sts::change(
        mta_sts::Observation { id: &before_id, policy: &before_policy },
        mta_sts::Observation { id: &after_id, policy: &after_policy },
    ))
}

/// The policy in the form of RFC 8461 section 3.2, from its facts.
fn document(facts: &MtaStsFacts) -> Option<String> {
    let policy = &facts.policy;
    let mode = policy.mode.observed.present()?;
    let max_age = policy.max_age.observed.present()?.0;
    // The order of patterns means nothing (RFC 8461 section 4.1).
    let mut patterns = policy.mx.observed.present().cloned().unwrap_or_default();
    patterns.sort();
    let patterns: String = patterns.iter().map(|pattern| format!("mx: {pattern}\n")).collect();
    Some(format!("version: STSv1\nmode: {mode}\nmax_age: {max_age}\n{patterns}"))
}

/// Whether two DKIM records hold different keys: the data of `p=`, without regard to white space
/// (RFC 6376 section 3.6.1). `false` when one of them holds none.
pub fn is_another_key(before: &str, after: &str) -> bool {
    let data = |text: &str| -> Option<String> {
        let range = dkim::parse(text).key_range?;
        let data: String = text.get(range)?.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        (!data.is_empty()).then_some(data)
    };
    data(before).zip(data(after)).is_some_and(|(before, after)| before != after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::domain::{MtaStsMode, Seconds};
    use crate::facts::{Fact, Method};

    fn facts(id: Option<&str>, mode: MtaStsMode, mx: &[&str]) -> MtaStsFacts {
        let mut facts = MtaStsFacts::default();
        if let Some(id) = id {
            facts.id = Fact::present(id.to_owned(), Method::Dns, None);
        }
        facts.policy.mode = Fact::present(mode, Method::Https, None);
        facts.policy.max_age = Fact::present(Seconds(86_400), Method::Https, None);
        facts.policy.mx = Fact::present(mx.iter().map(|text| (*text).to_owned()).collect(), Method::Https, None);
        facts
    }

    #[test]
    fn case_100_the_policy_changes_and_the_id_does_not() {
        use MtaStsMode::{Enforce, Testing};
        let old = facts(Some("1"), Testing, &["a.example", "b.example"]);
        for (new, expected) in [
            (facts(Some("1"), Testing, &["b.example", "a.example"]), Some(PolicyChange::None)),
            (facts(Some("2"), Testing, &["a.example", "b.example"]), Some(PolicyChange::Needless)),
            (facts(Some("1"), Enforce, &["a.example", "b.example"]), Some(PolicyChange::Unannounced)),
            (facts(Some("1"), Testing, &["a.example"]), Some(PolicyChange::Unannounced)),
            (facts(Some("2"), Testing, &["a.example"]), Some(PolicyChange::Announced)),
            (facts(None, Enforce, &["a.example"]), None),
            (MtaStsFacts::default(), None),
        ] {
            assert_eq!(policy_change(&old, &new), expected);
        }
    }

    #[test]
    fn a_key_is_another_one_when_its_data_is() {
        for (before, after, expected) in [
            ("v=DKIM1; p=AAAA", "v=DKIM1; p=AAAA", false),
            ("v=DKIM1; p=AAAA", "v=DKIM1; t=y; p=AA AA", false),
            ("v=DKIM1; p=AAAA", "v=DKIM1; p=BBBB", true),
            ("v=DKIM1; p=AAAA", "v=DKIM1; p=", false),
            ("v=DKIM1; p=AAAA", "no key", false),
        ] {
            assert_eq!(is_another_key(before, after), expected, "{before} then {after}");
        }
    }
}
