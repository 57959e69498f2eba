//! Hostile text in names, facts, paths, packs and waivers reaches no sink as anything but text.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

#[path = "support/assessment.rs"]
mod assessment;

use assessment::{answered, blame, sample, span};
use mailvet::diag::{Diagnostic, Files};
use mailvet::facts::{Ignored, NotEvaluated};
use mailvet::findings::difference::{
    Change, ChangeCounts, Difference, FactChange, FactMove, FindingChange, FindingState, Side, TargetChanges,
    TargetName,
};
use mailvet::findings::{Assessment, BlameValue, FilledRecord};
use mailvet::policy::Check;
use mailvet::reports::{Context, DifferenceFormat, Format, render, render_difference};

/// One of everything: terminal, log commands, HTML, bidi, NUL, CDATA, formula, table, link, image, mention, addresses.
const EVIL: &str = "\n::error::pwned \u{1b}[31m\u{9b}2J ##vso[task.x]y ##[error]z ##teamcity[q] <script>alert(1)</script> \
\u{202e}rtl \u{0} ]]> &amp; =cmd() | cell | [x](http://evil.example) ![i](http://evil.example/i.png) @everyone #1 \
http://evil.example www.evil.example <https://evil.example> `tick` ``` ~~~ **bold** _em_ # head \\ \" ' 100% %0A::warning::x\r\n\
::stop-commands::t\n| a | b |\n- item\n\u{ffff}\u{feff}";

fn evil() -> (Files, Assessment) {
    let (_, mut assessment) = answered();
    let mut files = Files::default();
    let zone = assessment::ZONE.replace("$ORIGIN", &format!("; {}\n$ORIGIN", EVIL.replace(['\n', '\r'], " ")));
    files.add(format!("dns/{EVIL}.zone"), zone);
    files.add("::error::.zone", EVIL);
    for answer in &mut assessment.policy.answers.answers {
        let evil = || EVIL.to_owned();
        (answer.id, answer.by, answer.role, answer.note) = (evil(), evil(), Some(evil()), Some(EVIL.repeat(20)));
        answer.links = vec![format!("https://a/{EVIL}")];
        for item in &mut answer.evidence {
            (item.file, item.path) = (evil(), evil());
            item.problem = item.problem.as_ref().map(|_| evil());
        }
    }
    for note in &mut assessment.answers {
        note.target = EVIL.to_owned();
    }
    assessment.answer_problems.push(Diagnostic::error("evil", EVIL));
    for rule in &mut assessment.policy.rules {
        if let Check::Manual(question) = &mut rule.check {
            question.ask = EVIL.to_owned();
            question.evidence = vec![EVIL.to_owned()];
        }
    }
    assessment.policy.profile = EVIL.to_owned();
    for (index, rule) in assessment.policy.rules.iter_mut().enumerate() {
        rule.title = format!("{index}{EVIL}");
        rule.why = EVIL.repeat(3);
        rule.fix.text = EVIL.to_owned();
        rule.maps.insert("nist-800-53r5".to_owned(), vec!["SI-8".to_owned(), EVIL.to_owned()]);
        rule.maps.insert(EVIL.to_owned(), vec![EVIL.to_owned()]);
        for reference in &mut rule.references {
            reference.title = EVIL.to_owned();
            reference.url = Some(format!("https://a/{EVIL}"));
        }
    }
    for (index, target) in assessment.targets.iter_mut().enumerate() {
        target.name = format!("{EVIL}{index}");
        for detail in &mut target.details {
            let value = || BlameValue::Present(EVIL.repeat(20).into());
            detail.blame = vec![
                blame(value(), Some(span("include:_spf.example.net")), Some(EVIL)),
                blame(BlameValue::Present("::error::y".repeat(30).into()), None, None),
            ]
            .into();
            detail.also = vec![blame(value(), None, Some(EVIL))].into();
            detail.record =
                Some(Box::new(FilledRecord { name: EVIL.into(), rtype: "TXT".into(), value: EVIL.repeat(4) }));
        }
    }
    for waiver in &mut assessment.policy.waivers {
        waiver.reason = EVIL.to_owned();
        waiver.approved_by = EVIL.to_owned();
    }
    for note in &mut assessment.waivers {
        note.target = EVIL.to_owned();
    }
    for item in &mut assessment.policy.not_selected {
        item.reason = EVIL.to_owned();
    }
    let coverage = &mut assessment.coverage;
    coverage.sources[0].path = EVIL.to_owned();
    coverage.ignored.push(Ignored { path: EVIL.into(), reason: EVIL.into() });
    coverage.not_evaluated.push(NotEvaluated { name: EVIL.into(), reason: EVIL.into(), span: None });
    coverage.diagnostics.push(Diagnostic::error("evil", EVIL));
    assessment.history = Some(Box::new(evil_history(&assessment)));
    (files, assessment)
}

/// A past in which everything was otherwise, at hostile names that are gone now as well.
fn evil_history(assessment: &Assessment) -> mailvet::findings::history::History {
    let (_, mut earlier) = sample();
    for (index, rule) in earlier.policy.rules.iter_mut().enumerate() {
        rule.id = if index == 0 { format!("gone/{EVIL}") } else { rule.id.clone() };
    }
    for (target, twin) in earlier.targets.iter_mut().zip(&assessment.targets) {
        target.name = twin.name.clone();
        target.verdicts = vec![Some(mailvet::findings::Verdict::Fail); target.verdicts.len()].into();
    }
    earlier.targets[0].name = format!("gone{EVIL}");
    let date = jiff::civil::date(2026, 10, 1);
    let past = mailvet::engine::history::remember(None, &earlier, date);
    mailvet::engine::history::history(past, assessment, assessment.as_of)
}

/// A difference in which every text is hostile.
fn evil_difference() -> Difference {
    let text = || EVIL.to_owned();
    let state = || FindingState {
        verdict: mailvet::findings::Verdict::Fail,
        severity: mailvet::policy::Severity::High,
        waived: true,
        because: vec![text(); 3],
    };
    let target = || TargetName { kind: mailvet::facts::Target::Domain, name: text() };
    let finding = |change| FindingChange {
        fingerprint: text(),
        change,
        rule: text(),
        title: text(),
        severity: mailvet::policy::Severity::High,
        target: target(),
        before: Some(state()),
        after: Some(state()),
    };
    let moves = [FactMove::Changed, FactMove::Added, FactMove::Removed, FactMove::BecameKnown, FactMove::BecameUnknown];
    let fact = |change| FactChange {
        path: text(),
        title: text(),
        change,
        before: Some(text()),
        after: Some("::error::y".repeat(30)),
        cause: Some(mailvet::facts::Cause::DnsTimeout),
        volatile: false,
        remark: Some(text()),
    };
    let side = |left_out: &str| Side {
        source: text(),
        version: text(),
        not_judged_because: Some(text()),
        messages: vec![text()],
        left_out: vec![text(), left_out.to_owned()],
        ..Side::default()
    };
    Difference {
        schema_version: 1,
        version: text(),
        profile: text(),
        packs: Vec::new(),
        old: side("old"),
        new: side("new"),
        counts: ChangeCounts::default(),
        targets_appeared: vec![target()],
        targets_vanished: vec![target()],
        rules_appeared: vec![text()],
        rules_gone: vec![text()],
        findings: Change::ALL.map(finding).into(),
        facts: vec![TargetChanges { target: target(), changes: moves.map(fact).into() }],
    }
}

fn write_difference(format: DifferenceFormat) -> String {
    let files = Files::default();
    let mut out = Vec::new();
    let context = Context { verbose: true, ..Context::new("1.0.0", &files) };
    render_difference(format, &evil_difference(), &context, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_difference_lets_nothing_hostile_through() {
    for format in DifferenceFormat::ALL {
        let text = write_difference(*format);
        let hostile = text.chars().find(|character| *character != '\n' && mailvet::diag::is_hostile(*character));
        assert_eq!(hostile, None, "{format}");
        for line in text.lines() {
            assert!(!line.trim_start().starts_with("::"), "{format}: {line}");
        }
        for mark in ["##[", "##vso[", "##teamcity["] {
            assert!(!text.contains(mark), "{format}: {mark}");
        }
    }
    only_own_markup(&write_difference(DifferenceFormat::Markdown));
}

fn write(format: Format, verbose: bool) -> String {
    let (files, assessment) = evil();
    let mut out = Vec::new();
    let context = Context { verbose, home: Some(EVIL), ..Context::new("1.0.0", &files) };
    render(format, &assessment, &context, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn written() -> impl Iterator<Item = (Format, String)> {
    Format::ALL.iter().flat_map(|format| [false, true].map(|verbose| (*format, write(*format, verbose))))
}

#[test]
fn no_control_or_bidirectional_character_comes_out() {
    for (format, text) in written() {
        // The byte order mark of a CSV file and the ends of its rows are its own.
        let own = text.strip_prefix('\u{feff}').filter(|_| format == Format::Csv);
        let text = own.map_or_else(|| text.clone(), |text| text.replace("\r\n", "\n"));
        let hostile = text.chars().find(|character| *character != '\n' && mailvet::diag::is_hostile(*character));
        assert_eq!(hostile, None, "{format}");
    }
}

#[test]
fn no_line_is_a_log_command_of_somebody_else() {
    for (format, text) in written() {
        for line in text.lines() {
            let command = line.trim_start().starts_with("::");
            let own = format == Format::Github
                && ["::error file=", "::warning file=", "::notice file="].iter().any(|start| line.starts_with(start));
            assert!(!command || own, "{format}: {line}");
        }
        for mark in ["##[", "##vso[", "##teamcity["] {
            assert!(!text.contains(mark), "{format}: {mark}");
        }
    }
}

#[test]
fn annotations_have_exactly_the_properties_of_their_own() {
    for line in write(Format::Github, false).lines().filter(|line| line.starts_with("::")) {
        let (properties, message) = line[2..].split_once("::").unwrap();
        let names: Vec<&str> = properties
            .split_once(' ')
            .unwrap()
            .1
            .split(',')
            .map(|property| property.split_once('=').unwrap().0)
            .collect();
        assert_eq!(names[..3], ["file", "line", "endLine"], "{line}");
        assert_eq!(names.last(), Some(&"title"), "{line}");
        assert!(message.contains("%25"), "{line}");
    }
}

#[test]
fn markdown_has_no_markup_but_its_own() {
    only_own_markup(&write(Format::Markdown, false));
}

/// Fails where Markdown has markup that mailvet did not write.
fn only_own_markup(text: &str) {
    let mut prose = String::new();
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|character| *character == '`').collect();
        match &fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => {
                assert_eq!(ticks, line, "only fences begin with ticks");
                fence = Some(ticks);
            }
            None => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "every code block is closed");
    let own = [
        "<!-- -->",
        "<br>",
        "<details><summary>Records to publish</summary>",
        "<details><summary>Form for the answers</summary>",
        "</details>",
    ];
    let rest = own.iter().fold(prose, |text, tag| text.replace(tag, ""));
    for raw in ["<", ">", "@", "http://", "https://", "www.", " [x]", "![", "](", "**bold", "_em_", " `tick"] {
        assert!(!rest.contains(raw), "{raw}: {}", rest.lines().find(|line| line.contains(raw)).unwrap());
    }
    // Every row has as many cells as the head of its table.
    let mut head = None;
    for line in rest.lines() {
        let cells = line.matches('|').count();
        match head {
            _ if !line.starts_with('|') => head = None,
            Some(expected) => assert_eq!(cells, expected, "{line}"),
            None => {
                assert!((3..=6).contains(&cells), "{line}");
                head = Some(cells);
            }
        }
    }
}

#[test]
fn xml_is_well_formed_and_names_are_unique() {
    let text = write(Format::Junit, false);
    assert!(!text.contains("]]>") && !text.contains("<script"));
    assert!(!text.contains('\u{ffff}'));
    let mut open: Vec<&str> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for part in text.split('<').skip(2) {
        let (tag, _) = part.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        assert!(
            ["testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out"].contains(&name),
            "{tag}"
        );
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        if name == "testcase" && !tag.starts_with('/') {
            assert!(names.insert(tag.trim_end_matches('/').to_owned()), "{tag}");
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert!(open.is_empty());
    for entity in text.split('&').skip(1) {
        let name = entity.split(';').next().unwrap();
        assert!(["amp", "lt", "gt", "quot", "apos"].contains(&name), "{name}");
    }
}

#[test]
fn sarif_messages_hold_no_links_and_respect_the_limits() {
    for format in [Format::Sarif, Format::SarifGithub, Format::SarifGitlab] {
        let log: serde_json::Value = serde_json::from_str(&write(format, false)).unwrap();
        let run = &log["runs"][0];
        for result in run["results"].as_array().unwrap() {
            let text = result["message"]["text"].as_str().unwrap();
            assert!(text.chars().count() <= 1000 && !text.is_empty());
            assert_plain(text);
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
            assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()) && !uri.contains(['<', '[', ':', '#']), "{uri}");
        }
        for rule in run["tool"]["driver"]["rules"].as_array().unwrap() {
            for (part, limit) in [("shortDescription", 1024), ("fullDescription", 1024), ("help", 2048)] {
                let text = rule[part]["text"].as_str().unwrap();
                assert!(!text.is_empty() && text.chars().count() <= limit);
                assert_plain(text);
            }
            assert!(rule.get("helpUri").is_none(), "an address with hostile characters is no link");
            let markdown = rule["help"]["markdown"].as_str().unwrap().replace("<!-- -->", "");
            assert!(!markdown.contains(['<', '@']) && !markdown.contains("]("), "{markdown}");
        }
        let id = run["automationDetails"]["id"].as_str().unwrap();
        assert_eq!(id.matches('/').count(), 2, "{id}");
    }
}

/// Every bracket is escaped.
fn assert_plain(text: &str) {
    let mut escaped = false;
    for character in text.chars() {
        assert!(escaped || !matches!(character, '[' | ']'), "{text}");
        escaped = character == '\\' && !escaped;
    }
}

#[test]
fn json_keeps_the_exact_values() {
    let document: serde_json::Value = serde_json::from_str(&write(Format::Json, false)).unwrap();
    assert_eq!(document["profile"], EVIL);
    assert_eq!(document["targets"][0]["name"], format!("{EVIL}0"));
    assert_eq!(document["findings"][1]["because"][0]["observed"]["value"], EVIL.repeat(20));
}

#[test]
fn cells_of_a_sheet_are_no_formulas_and_end_where_they_should() {
    let text = write(Format::Csv, false);
    let rows = assessment::csv(&text);
    assert!(rows.len() > 10);
    for row in &rows {
        assert_eq!(row.len(), 14, "{row:?}");
        for cell in row {
            assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
            assert!(cell.encode_utf16().count() <= 32_767, "Excel holds no more");
            for part in cell.split(';') {
                assert!(!part.trim_start().starts_with(['=', '+', '-', '@']), "{part}");
            }
        }
    }
    let formula = rows.iter().flatten().find(|cell| cell.contains("=cmd()"));
    assert!(formula.is_some(), "the text itself is kept");
}

#[test]
fn markup_of_oscal_holds_no_markup_of_others() {
    let document: serde_json::Value = serde_json::from_str(&write(Format::Oscal, false)).unwrap();
    let mut markup = 0;
    texts(&document, "", &mut |key, text| {
        if !["title", "description", "statement", "remarks"].contains(&key) {
            return;
        }
        markup += 1;
        assert!(!text.contains(['<', '>']), "{text}");
        let mut escaped = false;
        for character in text.chars() {
            assert!(escaped || !"`*_[]{}#~^|\"".contains(character), "{text}");
            escaped = character == '\\' && !escaped;
        }
        assert!(key != "title" || !text.contains('\n'), "{text}");
    });
    assert!(markup > 50);
}

#[test]
fn texts_of_heimdall_hold_no_elements() {
    let text = write(Format::Hdf, false);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut count = 0;
    texts(&document, "", &mut |_, text| {
        count += 1;
        assert!(!text.contains('<'), "{text}");
    });
    assert!(count > 100);
}

/// Walks all texts of a document with the keys they stand under.
fn texts<'a>(value: &'a serde_json::Value, key: &'a str, visit: &mut impl FnMut(&str, &str)) {
    match value {
        serde_json::Value::String(text) => visit(key, text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, key, visit)),
        serde_json::Value::Object(fields) => fields.iter().for_each(|(key, item)| texts(item, key, visit)),
        _ => {}
    }
}

/// `tests/formats/run` gives these to the validators and readers that others wrote.
#[test]
fn reports_for_other_validators() {
    let Ok(folder) = std::env::var("MAILVET_REPORTS") else {
        println!("skipped: tests/formats/run sets MAILVET_REPORTS");
        return;
    };
    for (name, (files, assessment)) in [("sample", sample()), ("hostile", evil())] {
        for format in [Format::Csv, Format::Oscal, Format::Hdf, Format::Junit] {
            let path = std::path::Path::new(&folder).join(format!("{name}.{format}"));
            let context = Context { home: Some("mailvet.yaml"), ..Context::new("1.0.0", &files) };
            render(format, &assessment, &context, &mut std::fs::File::create(path).unwrap()).unwrap();
        }
    }
}

#[test]
fn long_values_are_cut_and_say_so() {
    for format in [
        Format::Text,
        Format::Markdown,
        Format::Junit,
        Format::SarifGithub,
        Format::Github,
        Format::Gitlab,
        Format::Csv,
        Format::Oscal,
        Format::Hdf,
    ] {
        let text = write(format, false);
        assert!(text.contains("… (+") || text.contains("… \\(\\+"), "{format}");
        assert!(!text.contains(&"error::y".repeat(200)), "{format}");
    }
}
