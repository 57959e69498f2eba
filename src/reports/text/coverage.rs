//! The registers of answers and waivers, and the coverage statement of the text report. Long lists are cut with a count unless the context
//! asks for everything.

use std::collections::BTreeMap;
use std::io;

use super::super::place::place;
use super::super::{LIVE_PLACES, answers, live_sentence, plural};
use super::Report;
use crate::diag::Level;
use crate::facts::LiveCoverage;
use crate::findings::WaiverState;

/// How many entries of a list are printed.
const ENTRIES: usize = 20;

impl Report<'_> {
    /// What people answered, and what became of it.
    pub(super) fn answer_register(&mut self) -> io::Result<()> {
        let assessment = self.assessment;
        let (count, problems) = (assessment.policy.answers.answers.len(), &assessment.answer_problems);
        if count == 0 && problems.is_empty() {
            return Ok(());
        }
        self.page.heading(&format!("Answers ({count})"))?;
        let lines = assessment.answers.iter().filter_map(|note| answers::register_line(assessment, note));
        self.entries(&lines.collect::<Vec<_>>())?;
        let problems: Vec<String> = problems
            .iter()
            .map(|item| format!("{}[{}]  {}{}", item.level, item.code, item.message, self.at(item.span)))
            .collect();
        self.list("message about the answers", "messages about the answers", &problems)?;
        self.page.blank()
    }

    pub(super) fn waiver_register(&mut self) -> io::Result<()> {
        let assessment = self.assessment;
        let mut entries = Vec::new();
        let mut active = 0;
        for note in &assessment.waivers {
            let Some(waiver) = assessment.policy.waivers.get(note.waiver as usize) else { continue };
            let days = |days: i32| plural(usize::try_from(days).unwrap_or(0), "day");
            let state = match note.state {
                WaiverState::Active(_) => {
                    active += 1;
                    continue;
                }
                WaiverState::Expiring(left) => format!("expires on {}, in {}", waiver.expires, days(left)),
                WaiverState::Expired(ago) => format!("expired on {}, {} ago", waiver.expires, days(ago)),
                WaiverState::NotYet(until) => format!("not in force before {}, in {}", waiver.created, days(until)),
                WaiverState::NotNeeded => "no longer needed: the rule does not fail".to_owned(),
                WaiverState::Unused => "unused: no such rule or target in this run".to_owned(),
            };
            entries.push(format!("{}  {}  {}  {state}", waiver.id, waiver.rule, note.target));
        }
        if assessment.policy.waivers.is_empty() {
            return Ok(());
        }
        self.page.heading(&format!("Waivers ({})", assessment.policy.waivers.len()))?;
        if active > 0 {
            self.page.line(&format!("  {active} active"))?;
        }
        self.entries(&entries)?;
        self.page.blank()
    }

    pub(super) fn coverage(&mut self) -> io::Result<()> {
        let coverage = &self.assessment.coverage;
        self.page.heading("What was read")?;
        self.read()?;
        let ignored: Vec<String> =
            coverage.ignored.iter().map(|item| format!("{}  {}", item.path, item.reason)).collect();
        self.list("file not read as DNS data", "files not read as DNS data", &ignored)?;
        let not_evaluated: Vec<String> = coverage
            .not_evaluated
            .iter()
            .map(|item| format!("{}  {}{}", item.name, item.reason, self.at(item.span)))
            .collect();
        self.list("name not evaluated", "names not evaluated", &not_evaluated)?;
        let mut diagnostics: Vec<_> = coverage.diagnostics.iter().collect();
        diagnostics.sort_by_key(|item| std::cmp::Reverse(item.level));
        let notes = diagnostics.iter().filter(|item| item.level == Level::Note).count();
        let diagnostics: Vec<String> = diagnostics
            .iter()
            .map(|item| format!("{}[{}]  {}{}", item.level, item.code, item.message, self.at(item.span)))
            .collect();
        let messages = format!("messages about the sources ({notes} of them notes)");
        self.list("message about the sources", &messages, &diagnostics)?;
        let not_selected: Vec<String> =
            self.assessment.policy.not_selected.iter().map(|item| format!("{}  {}", item.rule, item.reason)).collect();
        self.list("rule not selected", "rules not selected", &not_selected)?;
        self.page.blank()
    }

    fn read(&mut self) -> io::Result<()> {
        let sources = &self.assessment.coverage.sources;
        if let Some(live) = &self.assessment.coverage.live {
            return self.live(live);
        }
        if sources.is_empty() {
            return self.page.line("  no DNS source was read");
        }
        let mut formats: BTreeMap<&str, usize> = BTreeMap::new();
        let mut records = 0;
        for source in sources {
            *formats.entry(&source.format).or_default() += 1;
            records += source.records;
        }
        let formats: Vec<String> = formats.iter().map(|(format, count)| format!("{count} {format}")).collect();
        let zones = plural(sources.len(), "zone");
        self.page.wrapped("  ", "    ", &format!("{zones} ({}), {records} records", formats.join(", ")))?;
        let entries: Vec<String> = sources
            .iter()
            .map(|item| format!("{}  {}  {}  {} records", item.path, item.format, item.zone, item.records))
            .collect();
        if self.context.verbose || entries.len() <= ENTRIES { self.entries(&entries) } else { Ok(()) }
    }

    fn live(&mut self, live: &LiveCoverage) -> io::Result<()> {
        self.page.wrapped("  ", "    ", &live_sentence(live))?;
        self.page.wrapped("  ", "    ", LIVE_PLACES)?;
        let not_reached: Vec<String> =
            live.not_reached.iter().map(|item| format!("{}  {}", item.target, item.reason)).collect();
        self.list("host or service that is no target", "hosts or services that are no targets", &not_reached)?;
        self.list(
            "target not finished, because the run was interrupted",
            "targets not finished, because the run was interrupted",
            &live.interrupted,
        )?;
        self.list("part left out by the options", "parts left out by the options", &live.left_out)
    }

    fn list(&mut self, one: &str, many: &str, entries: &[String]) -> io::Result<()> {
        match entries.len() {
            0 => return Ok(()),
            1 => self.page.line(&format!("  1 {one}"))?,
            count => self.page.line(&format!("  {count} {many}"))?,
        }
        self.entries(entries)
    }

    fn entries(&mut self, entries: &[String]) -> io::Result<()> {
        let shown = if self.context.verbose { entries.len() } else { entries.len().min(ENTRIES) };
        for entry in &entries[..shown] {
            self.page.wrapped("    ", "      ", entry)?;
        }
        match entries.len() - shown {
            0 => Ok(()),
            more => self.page.line(&format!("    … {more} more; use --verbose or --format json")),
        }
    }

    fn at(&self, span: Option<crate::diag::Span>) -> String {
        span.and_then(|span| place(self.context, span)).map(|place| format!(" ({place})")).unwrap_or_default()
    }
}
