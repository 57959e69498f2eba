//! Answers: what people attest about questions that no fact decides, as strict as an audit needs them.
//!
//! An answer that is not complete answers nothing: it is an error, and the rule keeps waiting. Whether an answer is in
//! force is decided by the engine, which knows the date and the targets. Files that an answer rests on are handed in as
//! they were found; this module compares their digests and reads nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::aim::Aim;
use super::literal::duration;
use super::model::{Answer, AnswerEvidence, AnswerWord, BrokenAnswer, Check, Manual, Policy, days_after};
use super::rules::date;
use crate::diag::fields::{Fields, Problems, list, text, texts, word, wrong_type};
use crate::diag::yaml::{Limits, Node, Spanned, parse, shortened};
use crate::diag::{Diagnostic, Files, Level, Span, suggest};

/// The most files of one answer, and the most links.
const MOST_EVIDENCE: usize = 50;

/// The longest time that an answer may ask for, in days. The rule allows less.
const LONGEST: u32 = 36_500;

const AIM: Aim = Aim { what: "answer", article: "an", rule: "answer-rule", target: "answer-target" };

const WORDS: [(&str, AnswerWord); 3] =
    [("pass", AnswerWord::Pass), ("fail", AnswerWord::Fail), ("not-applicable", AnswerWord::NotApplicable)];

/// A file of answers, with the files that it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswersFile {
    /// Path as the run knows it.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// The files that its answers rest on, as [`evidence_paths`] lists them.
    pub shown: Vec<Shown>,
}

/// A file that an answer rests on, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its path as written.
    pub written: String,
    /// Its path as the run knows it.
    pub path: String,
    /// What is there, or why nothing could be read, such as "it is not there".
    pub content: Result<Vec<u8>, String>,
}

/// Answers that may apply, and everything that is wrong with those that may not.
#[derive(Debug, Clone, Default)]
pub struct LoadedAnswers {
    /// Complete answers, in the order of the files. One whose evidence is missing or changed is among them, and says so.
    pub answers: Vec<Answer>,
    /// Answers with errors whose rule could be read.
    pub broken: Vec<BrokenAnswer>,
    /// Errors (each keeps an answer from being used) and warnings, by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// The paths of evidence that a file of answers names, each once, in their order. What is wrong with the file is told by
/// [`load_answers`].
pub fn evidence_paths(bytes: &[u8]) -> Vec<String> {
    let (mut files, mut out) = (Files::default(), Problems::new());
    let file = files.add("", bytes);
    let Some(root) = parse(&files, file, &Limits::POLICY, &mut out) else { return Vec::new() };
    let mut paths = Vec::new();
    let mut known = BTreeSet::new();
    let Some(fields) = Fields::any(&root, "a file of answers", &mut out) else { return paths };
    for item in fields.items("answers", &mut out) {
        let Some(answer) = Fields::any(item, "an answer", &mut out) else { continue };
        for node in answer.items("evidence", &mut out).iter().take(MOST_EVIDENCE) {
            let path = evidence_item(node, &mut out).map(|(file, _)| file.value);
            paths.extend(path.filter(|path| known.insert(path.clone())));
        }
    }
    paths
}

/// Registers and reads files of answers.
pub fn load_answers(files: &mut Files, sources: &[AnswersFile]) -> LoadedAnswers {
    let mut loaded = LoadedAnswers::default();
    let mut position = 0;
    for source in sources {
        let file = files.add(source.path.as_str(), source.bytes.as_slice());
        let out = &mut loaded.diagnostics;
        let Some(node) = parse(files, file, &Limits::POLICY, out) else { continue };
        let Some(fields) = Fields::read(&node, "a file of answers", &["answers"], out) else { continue };
        let Some(items) = fields.require("answers", "add `answers:` with a list", out) else { continue };
        let shown = digests(&source.shown);
        for item in list(items, "answers", out).unwrap_or(&[]) {
            position += 1;
            match answer(item, position, &shown, out) {
                Ok(answer) => loaded.answers.push(answer),
                Err(broken) => loaded.broken.extend(broken),
            }
        }
    }
    drop_repeated(files, &mut loaded);
    loaded.diagnostics.sort_by_key(|problem| problem.span);
    loaded
}

/// Path and digest of what is shown, by the path as written.
fn digests(shown: &[Shown]) -> BTreeMap<&str, (&str, Result<String, &str>)> {
    let digest = |bytes: &Vec<u8>| data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
    let entry = |item: &Shown| item.content.as_ref().map(digest).map_err(|_| ());
    shown
        .iter()
        .map(|item| {
            let content = entry(item).map_err(|()| item.content.as_ref().err().map_or("", String::as_str));
            (item.written.as_str(), (item.path.as_str(), content))
        })
        .collect()
}

type Digests<'a> = BTreeMap<&'a str, (&'a str, Result<String, &'a str>)>;

/// One answer; when anything about it is wrong, what it was to answer, as far as that can be told.
fn answer(
    node: &Node,
    position: usize,
    shown: &Digests<'_>,
    out: &mut Problems,
) -> Result<Answer, Option<BrokenAnswer>> {
    let errors = |out: &Problems| out.iter().filter(|problem| problem.level == Level::Error).count();
    let before = errors(out);
    let keys = [
        "id",
        "rule",
        "target",
        "targets",
        "answer",
        "by",
        "role",
        "date",
        "valid_until",
        "valid_for",
        "note",
        "evidence",
        "links",
    ];
    let Some(fields) = Fields::read(node, "an answer", &keys, out) else { return Err(None) };
    let rule = fields.text("rule", "name the rule with its full id, such as `operations/keys-not-rotated`", out);
    if let Some(rule) = &rule {
        AIM.exact_rule(rule, out);
    }
    let targets = AIM.targets(&fields, out);
    let given = fields.require("answer", "write `pass`, `fail` or `not-applicable`", out);
    let given = given.and_then(|node| word(node, "answer", &WORDS, out));
    let by = fields.text("by", "name the person who answers", out);
    let role = fields.optional_text("role", out);
    let dated = fields.require("date", "add the day of the answer, such as `2026-06-12`", out);
    let dated = dated.and_then(|node| date(node, "date", out));
    let until = until(&fields, dated.as_ref(), out);
    let note = fields.optional_text("note", out);
    if let (Some(given), None) = (&given, &note)
        && given.value == AnswerWord::NotApplicable
    {
        let problem = Diagnostic::error("answer-note", "an answer that a rule does not apply needs `note`");
        out.push(problem.at(given.span).help("say why it does not apply to this target"));
    }
    let evidence = evidence(&fields, shown, out);
    let links = links(&fields, out);
    let id = fields.optional_text("id", out).map(|id| id.value);
    let is_whole = errors(out) == before;
    let broken =
        rule.as_ref().map(|rule| BrokenAnswer { rule: rule.value.clone(), targets: targets.clone(), span: rule.span });
    match (rule, given, by, dated) {
        (Some(rule), Some(given), Some(by), Some(dated)) if is_whole => Ok(Answer {
            id: id.unwrap_or_else(|| format!("answer-{position}")),
            span: rule.span,
            rule: rule.value,
            targets,
            answer: given.value,
            by: by.value,
            role: role.map(|role| role.value),
            date: dated.value,
            until,
            note: note.map(|note| note.value),
            evidence: supported(evidence, out),
            links,
        }),
        _ => Err(broken),
    }
}

/// Until when an answer says that it is good; `None` where it leaves that to the rule.
fn until(fields: &Fields<'_>, dated: Option<&Spanned<Date>>, out: &mut Problems) -> Option<Date> {
    match (fields.get("valid_until"), fields.get("valid_for")) {
        (Some(_), Some(length)) => {
            let problem = Diagnostic::error("answer-dates", "an answer has `valid_until` or `valid_for`, not both");
            out.push(problem.at(length.span));
            None
        }
        (Some(node), None) => {
            let until = date(node, "valid_until", out)?;
            if dated.is_some_and(|dated| until.value < dated.value) {
                let problem = Diagnostic::error("answer-dates", "the answer ends before it was given");
                out.push(problem.at(until.span));
            }
            Some(until.value)
        }
        (None, Some(node)) => {
            const DAY: i64 = 86_400;
            let length = text(node, "valid_for", out)?;
            let days = duration(&length.value).filter(|seconds| *seconds >= DAY && seconds % DAY == 0);
            let days = days.and_then(|seconds| u32::try_from(seconds / DAY).ok()).filter(|days| *days <= LONGEST);
            let Some(days) = days else {
                let message = format!("`valid_for` must be a number of days, but is `{}`", shortened(&length.value));
                out.push(Diagnostic::error("wrong-type", message).at(length.span).help("write `90d`"));
                return None;
            };
            dated.map(|dated| days_after(dated.value, days))
        }
        (None, None) => None,
    }
}

/// One file of evidence as written: its path, and the digest it must have.
fn evidence_item(node: &Node, out: &mut Problems) -> Option<(Spanned<String>, Option<Spanned<String>>)> {
    if node.scalar().is_some() {
        return Some((text(node, "an item of `evidence`", out)?, None));
    }
    let fields = Fields::read(node, "an item of `evidence`", &["file", "sha256"], out)?;
    let file = fields.text("file", "name the file, relative to the file of answers", out);
    Some((file?, fields.optional_text("sha256", out)))
}

/// Evidence, with where it is written.
fn evidence(fields: &Fields<'_>, shown: &Digests<'_>, out: &mut Problems) -> Vec<(AnswerEvidence, Span)> {
    let items = fields.items("evidence", out);
    if items.len() > MOST_EVIDENCE {
        let message = format!("the answer names {} files; {MOST_EVIDENCE} are the most", items.len());
        out.push(Diagnostic::error("answer-evidence", message).at(fields.span));
    }
    let mut evidence: Vec<(AnswerEvidence, Span)> = Vec::new();
    for node in items.iter().take(MOST_EVIDENCE) {
        let Some((file, wanted)) = evidence_item(node, out) else { continue };
        if is_absolute(&file.value) {
            let problem = Diagnostic::error("answer-evidence", "evidence is named relative to the file of answers");
            out.push(problem.at(file.span).help("put the file beside the file of answers, or in a folder below"));
            continue;
        }
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(wanted) = wanted.as_ref().filter(|wanted| !is_digest(&wanted.value)) {
            let problem = Diagnostic::error("answer-evidence", "`sha256` must be 64 hexadecimal digits");
            out.push(problem.at(wanted.span).help("`sha256sum FILE` prints them"));
            continue;
        }
        if evidence.iter().any(|(known, _)| known.file == file.value) {
            let message = format!("the file `{}` is listed twice", shortened(&file.value));
            out.push(Diagnostic::error("answer-evidence", message).at(file.span));
            continue;
        }
        let (path, found) = shown.get(file.value.as_str()).cloned().unwrap_or(("", Err("it was not looked at")));
        let wanted = wanted.map(|wanted| wanted.value.to_ascii_lowercase());
        let problem = match (&found, &wanted) {
            (Err(why), _) => Some((*why).to_owned()),
            (Ok(found), Some(wanted)) if found != wanted => {
                Some(format!("it is not what was shown: its SHA-256 is {found}"))
            }
            (Ok(_), _) => None,
        };
        let item = AnswerEvidence { file: file.value, path: path.to_owned(), sha256: found.ok(), problem };
        evidence.push((item, file.span));
    }
    evidence
}

/// Whether a path starts anywhere but beside the file that holds it, on whatever system.
fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':')
}

/// Says which files keep a complete answer from being used.
fn supported(evidence: Vec<(AnswerEvidence, Span)>, out: &mut Problems) -> Vec<AnswerEvidence> {
    for (item, span) in &evidence {
        let Some(problem) = &item.problem else { continue };
        let message = format!("the answer cannot rest on `{}`: {problem}", shortened(&item.file));
        let error = Diagnostic::error("answer-evidence", message).at(*span);
        out.push(
            error.help("the answer is not used until the file is there as it was; answer anew if it had to change"),
        );
    }
    evidence.into_iter().map(|(item, _)| item).collect()
}

fn links(fields: &Fields<'_>, out: &mut Problems) -> Vec<String> {
    let Some(node) = fields.get("links") else { return Vec::new() };
    let links = texts(node, "links", out);
    if links.len() > MOST_EVIDENCE {
        out.push(wrong_type(node, "links", &format!("a list of at most {MOST_EVIDENCE}")));
    }
    for link in &links {
        let is_link = link.value.starts_with("https://") || link.value.starts_with("http://");
        if !is_link || link.value.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let message = format!("`{}` is not an https address", shortened(&link.value));
            out.push(Diagnostic::error("answer-links", message).at(link.span));
        }
    }
    links.into_iter().map(|link| link.value).collect()
}

/// One answer for an id: two would leave open which of them a report names.
fn drop_repeated(files: &Files, loaded: &mut LoadedAnswers) {
    let mut ids: BTreeMap<String, Span> = BTreeMap::new();
    let mut kept = Vec::new();
    for answer in std::mem::take(&mut loaded.answers) {
        if let Some(first) = ids.get(&answer.id) {
            let message = format!("two answers have the id `{}`", shortened(&answer.id));
            let problem = Diagnostic::error("answer-twice", message).at(answer.span);
            loaded
                .diagnostics
                .push(problem.help(format!("the first is at {}; give each its own", files.place(*first))));
            loaded.broken.push(BrokenAnswer { rule: answer.rule, targets: answer.targets, span: answer.span });
            continue;
        }
        ids.insert(answer.id.clone(), answer.span);
        kept.push(answer);
    }
    loaded.answers = kept;
}

/// Compares the answers with the rules: those that ask nobody, that nobody knows, or that want more than was given. `known`
/// are the ids of all rules that there are, selected or not.
pub fn check_answers<'a>(policy: &mut Policy, known: impl IntoIterator<Item = &'a str>) {
    let known: BTreeSet<&str> = known.into_iter().collect();
    let mut found = Vec::new();
    for answer in &policy.answers.answers {
        let rule = policy.rules.binary_search_by(|rule| rule.id.as_str().cmp(&answer.rule)).ok();
        match rule.and_then(|at| policy.rules.get(at)).map(|rule| &rule.check) {
            Some(Check::Manual(question)) => found.extend(wanting(answer, question)),
            Some(Check::Automatic(_)) => {
                let message = format!("`{}` asks nobody: facts decide it", shortened(&answer.rule));
                let problem = Diagnostic::warning("answer-not-manual", message).at(answer.span);
                found.push(problem.help("an answer cannot replace what is measured; a waiver accepts a failure"));
            }
            None if known.contains(answer.rule.as_str()) => {}
            None => {
                let message = format!("no rule is called `{}`", shortened(&answer.rule));
                let problem = Diagnostic::warning("answer-unknown-rule", message).at(answer.span);
                found.push(match suggest(&answer.rule, known.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("`mailvet pack list` lists the rules; a pack of your own needs --pack"),
                });
            }
        }
    }
    policy.answers.diagnostics.extend(found);
    policy.answers.diagnostics.sort_by_key(|problem| problem.span);
}

/// What a question wants and an answer to it has not.
fn wanting(answer: &Answer, question: &Manual) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let last = answer.last_day(question);
    if answer.until.is_some_and(|until| until > last) {
        let message = format!("the rule allows {} days, so the answer holds until {last} only", question.valid_days);
        found.push(Diagnostic::warning("answer-dates", message).at(answer.span));
    }
    let shows_nothing = answer.evidence.is_empty() && answer.links.is_empty() && answer.note.is_none();
    if !question.evidence.is_empty() && shows_nothing && answer.answer == AnswerWord::Pass {
        let message = format!("the rule asks to show: {}", shortened(&question.evidence.join(", ")));
        let problem = Diagnostic::warning("answer-evidence", message).at(answer.span);
        found.push(problem.help("add `evidence` with files, `links`, or a `note` that says where it can be seen"));
    }
    found
}

/// A form to fill in: an answer to a rule for these targets, without the answer itself. `date` is the day on it.
pub fn form(rule: &str, targets: &[&str], date: &str) -> String {
    let named = match targets {
        [one] => format!("target: {}", plain(one)),
        many => format!("targets: [{}]", many.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ")),
    };
    format!(
        "  - rule: {}\n    {named}\n    answer:          # pass, fail or not-applicable\n    by:              # who answers\n    \
         date: {date}\n    note:            # what was found\n    evidence: []     # files beside this one that show it\n",
        plain(rule)
    )
}

/// A scalar of YAML in a list: as it is, or in double quotes.
fn plain(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    // JSON strings are YAML scalars.
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests;
