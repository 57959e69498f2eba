//! What a waiver or an answer is about: one rule, and targets by their exact names.
//!
//! There are no patterns: an exception or a statement that grows with the inventory is none that anybody has made.

use crate::diag::Diagnostic;
use crate::diag::fields::{Fields, Problems, texts};
use crate::diag::yaml::{Spanned, shortened};
use crate::facts::Name;

/// The most targets of one waiver or answer.
pub(super) const MOST_TARGETS: usize = 100;

/// Who aims, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim {
    /// `waiver` or `answer`.
    pub(super) what: &'static str,
    /// `a` or `an`.
    pub(super) article: &'static str,
    /// Code of messages about the rule.
    pub(super) rule: &'static str,
    /// Code of messages about targets.
    pub(super) target: &'static str,
}

impl Aim {
    fn named(self) -> String {
        format!("{} {}", self.article, self.what)
    }

    /// Refuses patterns and short ids.
    pub(super) fn exact_rule(self, rule: &Spanned<String>, out: &mut Problems) {
        if rule.value.contains(['*', '?']) {
            let message = format!("{} names one rule, not a pattern", self.named());
            let help =
                format!("write {} for each rule; to leave rules out, use `exclude` of the profile", self.named());
            out.push(Diagnostic::error(self.rule, message).at(rule.span).help(help));
        } else if rule.value.split_once('/').is_none_or(|(pack, id)| pack.is_empty() || id.is_empty()) {
            let message = format!("`{}` is not the full id of a rule", shortened(&rule.value));
            out.push(Diagnostic::error(self.rule, message).at(rule.span).help("write `pack/rule`"));
        }
    }

    /// The names under `target` or `targets`.
    pub(super) fn targets(self, fields: &Fields<'_>, out: &mut Problems) -> Vec<String> {
        let written = match (fields.entry("target"), fields.entry("targets")) {
            (Some(_), Some(targets)) => {
                let message = format!("{} has `target` or `targets`, not both", self.named());
                out.push(Diagnostic::error(self.target, message).at(targets.key_span));
                return Vec::new();
            }
            (_, Some(targets)) => texts(&targets.value, "targets", out),
            (_, None) => fields.text("target", "name the target, such as `example.org`", out).into_iter().collect(),
        };
        if let (true, Some(entry)) = (written.is_empty(), fields.entry("targets")) {
            out.push(Diagnostic::error(self.target, "`targets` names no target").at(entry.key_span));
        }
        if written.len() > MOST_TARGETS {
            let message = format!("the {} has {} targets; {MOST_TARGETS} are the most", self.what, written.len());
            let problem = Diagnostic::error(self.target, message).at(fields.span);
            out.push(problem.help(match self.what {
                "waiver" => "an exception for so many targets is a decision for the profile",
                _ => "write several answers",
            }));
        }
        let mut targets: Vec<String> = Vec::new();
        for target in written {
            if target.value.contains(['*', '?']) {
                let message = format!("{} names its targets, not a pattern", self.named());
                let problem = Diagnostic::error(self.target, message);
                out.push(problem.at(target.span).help("list each target under `targets:`"));
                continue;
            }
            let target_name = canonical(&target.value);
            if targets.contains(&target_name) {
                let message = format!("the target `{}` is listed twice", shortened(&target_name));
                out.push(Diagnostic::error(self.target, message).at(target.span));
            }
            targets.push(target_name);
        }
        targets
    }
}

/// Domains and services are compared without regard to case and final dot; other names are kept as written.
fn canonical(target: &str) -> String {
    let (host, port) = match target.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, Some(port)),
        _ => (target, None),
    };
    let looks_like_domain = host.contains('.') && !host.contains(char::is_whitespace);
    match (looks_like_domain.then(|| Name::parse(host)), port) {
        (Some(Ok(name)), Some(port)) => format!("{name}:{port}"),
        (Some(Ok(name)), None) => name.to_string(),
        _ => target.to_owned(),
    }
}
