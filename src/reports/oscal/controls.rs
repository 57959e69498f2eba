//! Which controls and objectives were reviewed, under the identifiers that OSCAL catalogues use.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{ControlId, ControlSelection, Markup, ObjectiveId, ObjectiveSelection, ReviewedControls, Token};
use crate::findings::Assessment;
use crate::policy::Rule;

/// The framework that NIST publishes as an OSCAL catalogue.
const NIST: &str = "nist-800-53r5";

/// The rule as an assessment objective: `spoofing.spf-not-enforced`.
pub(super) fn objective(rule: &Rule) -> Token {
    Token::new(&rule.id.replace('/', "."))
}

/// All controls that rules in use are mapped to, and all rules.
pub(super) fn reviewed(assessment: &Assessment) -> ReviewedControls {
    let rules = &assessment.policy.rules;
    let mut selections = selections(rules.iter(), &assessment.policy.frameworks);
    if selections.is_empty() {
        let description = Markup::new("No rule in use is mapped to a control.");
        selections.push(ControlSelection { description, include_controls: Vec::new() });
    }
    let objectives = |rules: &[Rule]| ObjectiveSelection {
        description: Markup::new("The rules in use; each is an activity of this document."),
        include_objectives: rules.iter().map(|rule| ObjectiveId { objective_id: objective(rule) }).collect(),
    };
    ReviewedControls {
        description: Some(Markup::new(
            "Controls that the rules in use support. A rule covers a part of a control, so no control is determined here.",
        )),
        control_selections: selections,
        control_objective_selections: if rules.is_empty() { Vec::new() } else { vec![objectives(rules)] },
    }
}

/// The controls that a rule is mapped to.
pub(super) fn of_rule(rule: &Rule) -> Option<ReviewedControls> {
    let control_selections = selections(std::iter::once(rule), &BTreeMap::new());
    (!control_selections.is_empty()).then_some(ReviewedControls {
        description: None,
        control_selections,
        control_objective_selections: Vec::new(),
    })
}

fn selections<'a>(rules: impl Iterator<Item = &'a Rule>, names: &BTreeMap<String, String>) -> Vec<ControlSelection> {
    let mut by_framework: BTreeMap<&str, BTreeSet<ControlId>> = BTreeMap::new();
    for (framework, ids) in rules.flat_map(|rule| &rule.maps) {
        let controls = ids.iter().map(|id| ControlId { control_id: control(framework, id) });
        by_framework.entry(framework).or_default().extend(controls);
    }
    by_framework
        .into_iter()
        .filter(|(_, controls)| !controls.is_empty())
        .map(|(framework, controls)| ControlSelection {
            description: Markup::new(names.get(framework).map_or(framework, String::as_str)),
            include_controls: controls.into_iter().collect(),
        })
        .collect()
}

/// The identifier of a control: for SP 800-53 that of NIST's catalogue, else the framework's own where OSCAL admits it, with
/// the framework's name before it where it begins with a digit.
fn control(framework: &str, id: &str) -> Token {
    if framework == NIST
        && let Some(id) = nist(id)
    {
        return Token::new(&id);
    }
    let named = id.starts_with(|first: char| first.is_ascii_alphabetic());
    if named { Token::new(id) } else { Token::new(&format!("{framework}_{id}")) }
}

/// `SC-8(1)` as NIST's catalogue writes it: `sc-8.1`. A part of a control, such as `AC-2d`, belongs to the whole.
fn nist(id: &str) -> Option<String> {
    let (family, rest) = id.split_once('-')?;
    let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
    let (number, rest) = rest.split_at(digits);
    if number.is_empty() || family.len() != 2 {
        return None;
    }
    let enhancement = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(number, _)| number);
    let enhancement = enhancement.map(|number| format!(".{number}")).unwrap_or_default();
    Some(format!("{}-{number}{enhancement}", family.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_have_the_identifiers_of_their_catalogues() {
        for (framework, id, expected) in [
            (NIST, "SC-8(1)", "sc-8.1"),
            (NIST, "SI-8", "si-8"),
            (NIST, "AC-2d", "ac-2"),
            ("cis-v8.1", "9.5", "cis-v8.1_9.5"),
            ("scuba", "MS.EXO.4.1v1", "MS.EXO.4.1v1"),
            ("bod-18-01", "II.1.a.i", "II.1.a.i"),
        ] {
            assert!(control(framework, id) == Token::new(expected), "{framework} {id}");
        }
    }
}
