//! What a log says about the run itself: what was not read, not evaluated, not selected, left out.

use super::super::place::{Located, place, relative};
use super::super::{entries, escape, plural};
use super::document::{Descriptor, DescriptorReference, Help, LevelWord, Location, Message, Notification};
use super::{Dialect, Writer};
use crate::diag::{Level, Span};
use crate::facts::LiveCoverage;
use crate::findings::{Verdict, WaiverState};

/// How many notifications of one kind are written one by one.
const EACH: usize = 200;
/// The longest message, in characters.
const TEXT: usize = 800;

/// Kinds of notifications: identifier, name, what it means.
const KINDS: &[(&str, &str, &str)] = &[
    ("nothing-judged", "NothingJudged", "The run judged nothing."),
    ("results-limited", "ResultsLimited", "The log holds fewer results than there are findings."),
    ("rule-defect", "RuleDefect", "A rule could not be evaluated because of a defect of the pack or of the tool."),
    ("undetermined", "Undetermined", "Evidence is missing, so a rule could not be answered."),
    ("not-checked", "NotChecked", "This run does not collect what a rule needs."),
    ("not-evaluated", "NotEvaluated", "The records of a name are not known from the files."),
    ("file-ignored", "FileIgnored", "A file was found and not read as DNS data."),
    ("source-message", "SourceMessage", "A message about a source."),
    ("not-reached", "NotReached", "A host or service was tried and is no target."),
    ("not-finished", "NotFinished", "The run was interrupted before a target was looked at."),
    ("left-out", "LeftOut", "The options of the run leave something out."),
    ("not-selected", "NotSelected", "A rule of a pack was not selected."),
    ("waiver", "Waiver", "A waiver needs attention."),
];

/// The descriptors of all kinds.
pub(super) fn descriptors() -> Vec<Descriptor> {
    KINDS
        .iter()
        .map(|(id, name, text)| Descriptor {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            short_description: Message::new(text),
            full_description: Message::new(text),
            help: Help { text: (*text).to_owned(), markdown: None },
            help_uri: None,
            default_configuration: None,
            properties: None,
            relationships: Vec::new(),
        })
        .collect()
}

/// Notifications about the run and about its configuration.
#[derive(Default)]
pub(super) struct Notifications {
    pub(super) execution: Vec<Notification>,
    pub(super) configuration: Vec<Notification>,
}

impl Writer<'_> {
    pub(super) fn notifications(&self) -> Notifications {
        let mut all = Notifications::default();
        if let Some(why) = &self.nothing_judged {
            let text = format!("Nothing was judged: {why}.");
            all.execution.push(self.notification("nothing-judged", LevelWord::Error, &text, None));
        }
        self.limited(&mut all.execution);
        self.undetermined(&mut all.execution);
        self.not_checked(&mut all.execution);
        self.coverage(&mut all.execution);
        self.configuration(&mut all.configuration);
        all
    }

    fn limited(&self, out: &mut Vec<Notification>) {
        let omitted: usize = self.omitted.values().sum();
        if omitted > 0 {
            let text = format!(
                "{} left out, because its reader keeps 5000 results; the worst are here.",
                if omitted == 1 { "1 finding is".to_owned() } else { format!("{omitted} findings are") }
            );
            out.push(self.notification("results-limited", LevelWord::Warning, &text, None));
        }
        if self.dialect != Dialect::Full && self.tally.counts.waived > 0 {
            let text = format!("{} not in this dialect.", plural(self.tally.counts.waived, "waived failure"));
            out.push(self.notification("results-limited", LevelWord::Note, &text, None));
        }
    }

    /// Defects one by one; unknown verdicts are results, so only their number is told.
    fn undetermined(&self, out: &mut Vec<Notification>) {
        let counts = &self.tally.counts;
        let defects = entries(self.assessment).filter(|(_, finding)| finding.verdict == Verdict::Error);
        for (key, finding) in defects.take(EACH) {
            let text = format!("{} could not be evaluated for {}.", finding.rule.id, finding.target.name);
            let mut notification = self.notification("rule-defect", LevelWord::Error, &text, None);
            notification.associated_rule =
                Some(DescriptorReference { id: finding.rule.id.clone(), index: Some(key.rule as usize) });
            out.push(notification);
        }
        self.more("rule-defect", counts.error, out);
        if counts.unknown > 0 {
            let text =
                format!("{} could not be determined, because evidence is missing.", plural(counts.unknown, "result"));
            out.push(self.notification("undetermined", LevelWord::Warning, &text, None));
        }
    }

    fn not_checked(&self, out: &mut Vec<Notification>) {
        for (index, reasons) in &self.tally.not_checked {
            let Some(rule) = self.assessment.policy.rules.get(*index as usize) else { continue };
            let text = format!(
                "{} was not checked for {}: {}.",
                rule.id,
                plural(reasons.targets, "target"),
                reasons.words(rule)
            );
            let mut notification = self.notification("not-checked", LevelWord::Note, &text, None);
            notification.associated_rule =
                Some(DescriptorReference { id: rule.id.clone(), index: Some(*index as usize) });
            out.push(notification);
        }
    }

    fn coverage(&self, out: &mut Vec<Notification>) {
        let coverage = &self.assessment.coverage;
        for item in coverage.not_evaluated.iter().take(EACH) {
            let text = format!("{}: {}.", item.name, item.reason);
            out.push(self.notification("not-evaluated", LevelWord::Warning, &text, item.span));
        }
        self.more("not-evaluated", coverage.not_evaluated.len(), out);
        for item in coverage.ignored.iter().take(EACH) {
            let text = format!("{}: {}.", item.path, item.reason);
            out.push(self.notification("file-ignored", LevelWord::Note, &text, None));
        }
        self.more("file-ignored", coverage.ignored.len(), out);
        let mut diagnostics: Vec<_> = coverage.diagnostics.iter().collect();
        diagnostics.sort_by_key(|item| std::cmp::Reverse(item.level));
        for item in diagnostics.iter().take(EACH) {
            let level = match item.level {
                Level::Note => LevelWord::Note,
                Level::Warning => LevelWord::Warning,
                Level::Error => LevelWord::Error,
            };
            out.push(self.notification(
                "source-message",
                level,
                &format!("{}: {}.", item.code, item.message),
                item.span,
            ));
        }
        self.more("source-message", coverage.diagnostics.len(), out);
        if let Some(live) = &coverage.live {
            self.live(live, out);
        }
    }

    /// What a live run did not reach.
    fn live(&self, live: &LiveCoverage, out: &mut Vec<Notification>) {
        for item in live.not_reached.iter().take(EACH) {
            let text = format!("{}: {}.", item.target, item.reason);
            out.push(self.notification("not-reached", LevelWord::Note, &text, None));
        }
        self.more("not-reached", live.not_reached.len(), out);
        for target in live.interrupted.iter().take(EACH) {
            let text = format!("{target}: interrupted.");
            out.push(self.notification("not-finished", LevelWord::Warning, &text, None));
        }
        self.more("not-finished", live.interrupted.len(), out);
        for text in &live.left_out {
            out.push(self.notification("left-out", LevelWord::Note, &format!("{text}."), None));
        }
    }

    fn configuration(&self, out: &mut Vec<Notification>) {
        let policy = &self.assessment.policy;
        for item in policy.not_selected.iter().take(EACH) {
            // Reasons are written by people, as sentences or as notes.
            let text = format!("{} was not selected: {}.", item.rule, item.reason.trim_end_matches('.'));
            out.push(self.notification("not-selected", LevelWord::Note, &text, None));
        }
        self.more("not-selected", policy.not_selected.len(), out);
        let notes = self.assessment.waivers.iter().filter(|note| !matches!(note.state, WaiverState::Active(_)));
        let mut count = 0;
        for note in notes {
            let Some(waiver) = policy.waivers.get(note.waiver as usize) else { continue };
            count += 1;
            if count > EACH {
                continue;
            }
            let (level, state) = match note.state {
                WaiverState::Active(days) => (LevelWord::Note, format!("is active for {days} more days")),
                WaiverState::Expiring(days) => (LevelWord::Note, format!("expires in {days} days")),
                WaiverState::Expired(days) => (LevelWord::Warning, format!("expired {days} days ago")),
                WaiverState::NotYet(days) => (LevelWord::Note, format!("is not in force for {days} more days")),
                WaiverState::NotNeeded => (LevelWord::Note, "is no longer needed".to_owned()),
                WaiverState::Unused => (LevelWord::Warning, "names no rule or target of this run".to_owned()),
            };
            let text = format!("Waiver {} for {} on {} {state}.", waiver.id, waiver.rule, note.target);
            out.push(self.notification("waiver", level, &text, Some(waiver.span)));
        }
        self.more("waiver", count, out);
    }

    fn more(&self, id: &'static str, count: usize, out: &mut Vec<Notification>) {
        if count > EACH {
            let text = format!("{} of the kind {id}.", plural(count - EACH, "more notification"));
            out.push(self.notification(id, LevelWord::Note, &text, None));
        }
    }

    fn notification(&self, id: &'static str, level: LevelWord, text: &str, span: Option<Span>) -> Notification {
        let index = KINDS.iter().position(|(kind, _, _)| *kind == id);
        Notification {
            level,
            descriptor: DescriptorReference { id: id.to_owned(), index },
            message: Message::new(&escape::cut(text, TEXT)),
            associated_rule: None,
            locations: span.and_then(|span| self.span_location(span)).into_iter().collect(),
        }
    }

    fn span_location(&self, span: Span) -> Option<Location> {
        let mut place = place(self.context, span)?;
        if self.context.files.get(span.file).evidence.is_some() {
            return None;
        }
        place.file = relative(self.context, &place.file)?;
        Some(self.location(Located { place, exact: true }, None))
    }
}
