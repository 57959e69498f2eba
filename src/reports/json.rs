//! JSON: the complete result as one document, written as a stream. Nothing is left out; see [`super::model`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::model::answers::AnswerDocument;
use super::model::{
    AssessmentDocument, BaseDocument, CoverageDocument, DiagnosticDocument, FindingDocument, Lazy, NotCheckedDocument,
    PreviousDocument, RuleDocument, SCHEMA_VERSION, TargetDocument, ToolDocument, WaiverDocument,
};
use super::place::place;
use super::tally::{NotChecked, Tally};
use super::{Context, escape};
use crate::findings::{AssessedTarget, Assessment, Verdict};
use crate::policy::Rule;

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let targets = Lazy(|| assessment.targets.iter().map(|item| target(assessment, context, item)));
    let findings = Lazy(|| {
        assessment
            .findings()
            .filter(|finding| {
                let silent = matches!(finding.verdict, Verdict::Pass | Verdict::NotApplicable | Verdict::NotChecked);
                !silent || assessment.answer(finding).is_some()
            })
            .map(|finding| FindingDocument::new(assessment, context, &finding))
    });
    escape::pretty_json(out, &document(assessment, context, targets, findings))?;
    out.write_all(b"\n")
}

/// The document with the two long lists as given.
pub(super) fn document<Targets, Findings>(
    assessment: &Assessment,
    context: &Context<'_>,
    targets: Targets,
    findings: Findings,
) -> AssessmentDocument<Targets, Findings> {
    let tally = Tally::of(assessment);
    let policy = &assessment.policy;
    let not_judged_because = tally.nothing_judged(assessment);
    AssessmentDocument {
        schema_version: SCHEMA_VERSION,
        tool: ToolDocument { name: "mailvet", version: context.version.to_owned() },
        as_of: assessment.as_of.to_string(),
        profile: policy.profile.clone(),
        packs: policy.packs.clone(),
        base: assessment.base.as_ref().map(|base| BaseDocument {
            revision: base.revision.clone(),
            unchanged: base.unchanged,
            resolved: base.resolved,
        }),
        previous: assessment.history.as_deref().map(PreviousDocument::new),
        judged: not_judged_because.is_none(),
        not_judged_because,
        counts: tally.counts,
        failed_by_severity: tally.failed,
        rules: policy.rules.iter().map(RuleDocument::new).collect(),
        targets,
        findings,
        not_checked: tally
            .not_checked
            .iter()
            .filter_map(|(rule, reasons)| Some(not_checked(policy.rules.get(*rule as usize)?, reasons)))
            .collect(),
        not_selected: policy.not_selected.clone(),
        waivers: policy
            .waivers
            .iter()
            .enumerate()
            .map(|(index, waiver)| WaiverDocument::new(assessment, context, index, waiver))
            .collect(),
        answers: AnswerDocument::all(assessment, context),
        answer_problems: assessment
            .answer_problems
            .iter()
            .map(|problem| DiagnosticDocument::new(context, problem))
            .collect(),
        coverage: CoverageDocument::new(context, &assessment.coverage),
    }
}

fn target(assessment: &Assessment, context: &Context<'_>, target: &AssessedTarget) -> TargetDocument {
    let verdicts: BTreeMap<String, Verdict> = target
        .verdicts
        .iter()
        .zip(&assessment.policy.rules)
        .filter_map(|(verdict, rule)| Some((rule.id.clone(), (*verdict)?)))
        .collect();
    let place = target.anchor.and_then(|span| place(context, span));
    TargetDocument { kind: target.kind, name: target.name.clone(), place, verdicts }
}

fn not_checked(rule: &Rule, reasons: &NotChecked) -> NotCheckedDocument {
    let paths = |leaves: &BTreeSet<crate::policy::LeafId>| -> Vec<String> {
        let paths: BTreeSet<&str> = leaves
            .iter()
            .filter_map(|leaf| rule.leaves.get(leaf.0 as usize))
            .map(|leaf| leaf.list.as_deref().unwrap_or(&leaf.path.text))
            .collect();
        paths.into_iter().map(str::to_owned).collect()
    };
    let causes = reasons.causes.iter().map(|(cause, leaves)| (*cause, paths(leaves))).collect();
    NotCheckedDocument { rule: rule.id.clone(), targets: reasons.targets, causes }
}
