//! The HTML report: every finding is there, nothing of anybody else is markup, and only its own style and script may run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

#[path = "support/assessment.rs"]
mod assessment;

use std::sync::Arc;

use assessment::{answered, sample, wide};
use jiff::civil::date;
use mailvet::diag::Files;
use mailvet::engine;
use mailvet::findings::{Assessment, Verdict};
use mailvet::inventory::Inventory;
use mailvet::reports::dossier::{Logo, Origin, Picture, picture::Exchanger};
use mailvet::reports::{Audience, Context, Dossier, Format, render};
use sha2::{Digest as _, Sha256};

const EVIL: &str =
    "<script>alert(1)</script>\"><img src=x onerror=y> ' onload='z </style></title>--> javascript:x &lt;b> `";

fn write(files: &Files, assessment: &Assessment, dossier: &Dossier) -> String {
    let mut out = Vec::new();
    let context = Context { dossier: Some(dossier), ..Context::new("1.0.0", files) };
    render(Format::Html, assessment, &context, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A dossier with everything, in which everything is hostile.
fn evil() -> Dossier {
    let quoted = serde_json::to_string(EVIL).unwrap();
    let yaml = format!(
        "format: 1\norganisation: {{ name: {quoted}, engagement: {quoted}, classification: {quoted}, distribution: [{quoted}], \
         logo: x.png }}\ndomains:\n  - {{ name: example.org, roles: [sends], owner: {quoted} }}\n"
    );
    let inventory = Inventory::load(&mut Files::default(), "mailvet.yaml", yaml.as_bytes()).unwrap();
    let list = || vec![EVIL.to_owned()];
    Dossier {
        inventory: Some(inventory),
        logo: Some(Logo::png(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec()).unwrap()),
        origin: Some(Origin { kind: "snapshot", name: EVIL.into(), sha256: "ab".repeat(32), check: EVIL.into() }),
        pictures: vec![Picture {
            domain: EVIL.into(),
            uses: EVIL.into(),
            name_servers: list(),
            exchangers: vec![Exchanger { name: EVIL.into(), host: EVIL.into(), addresses: list() }],
            inbound: vec![("DANE", EVIL.into())],
            outbound: vec![("SPF", EVIL.into())],
            senders: list(),
        }],
        ..Dossier::default()
    }
}

#[test]
fn answers_stand_in_their_register_and_at_the_findings_they_give() {
    let (files, assessment) = answered();
    let html = write(&files, &assessment, &Dossier { audience: Audience::Auditor, ..Dossier::default() });
    for expected in [
        "a.example.org: good for another 203 days",
        "example.org: its evidence is missing or was changed, so it does not count",
        "parked.example.org: expires in 3 days; gone.example.org: unused: no such rule or target in this run",
        "Anna Smith, mail operations",
        "Answers that cannot be used:",
        "Somebody answered so at 1 target",
    ] {
        assert!(html.contains(expected), "{expected} is missing");
    }
    let (_, findings) = html.split_once("<section class=\"chapter\" id=\"findings\"").expect("findings are a chapter");
    assert!(findings.contains("<span class=\"answer\">answered"), "the finding does not say who answered");
    let nobody = Dossier { audience: Audience::Engineer, ..Dossier::default() };
    assert!(!write(&files, &assessment, &nobody).contains("Answers that cannot be used"));
}

/// The tags of a page, outside of style and script.
fn tags(html: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap();
        out.push(&rest[..end]);
        rest = &rest[end + 1..];
        for raw in ["style", "script"] {
            if out.last() == Some(&raw) {
                rest = &rest[rest.find(&format!("</{raw}>")).unwrap()..];
            }
        }
    }
    out
}

/// The names of a tag's attributes: what stands outside of quotes.
fn attributes(tag: &str) -> Vec<&str> {
    let outside = tag.split('"').step_by(2).flat_map(|part| part.split_ascii_whitespace());
    outside.skip(1).map(|part| part.split('=').next().unwrap()).collect()
}

#[test]
fn every_tag_and_attribute_is_one_that_the_report_writes() {
    let (files, mut assessment) = sample();
    assessment.policy.profile = EVIL.into();
    for rule in &mut assessment.policy.rules {
        rule.title = EVIL.into();
        rule.why = EVIL.into();
        rule.fix.text = EVIL.into();
        rule.references[0].title = EVIL.into();
        rule.references[0].url = Some(format!("https://a.example/{EVIL}"));
        rule.maps.insert(EVIL.into(), vec![EVIL.into()]);
    }
    for target in &mut assessment.targets {
        target.name = format!("{} {EVIL}", target.name);
    }
    for waiver in &mut assessment.policy.waivers {
        waiver.reason = EVIL.into();
        waiver.ticket = Some(EVIL.into());
    }
    for audience in Audience::ALL {
        let html = write(&files, &assessment, &Dossier { audience: *audience, ..evil() });
        let mut scripts = 0;
        for tag in tags(&html) {
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
            let known = "!doctype html head meta title style body a header p dl dt dd h1 h2 h3 nav ol li section label input select \
                         option button main span div details summary figure figcaption svg text rect path desc table caption \
                         colgroup col wbr thead tbody tfoot tr th td code time article b i small q mark pre footer img script";
            assert!(known.split_whitespace().any(|known| known == name), "<{tag}>");
            scripts += usize::from(tag == "script");
            for name in attributes(tag) {
                assert!(!name.starts_with("on") && name != "style", "<{tag}>");
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        }
        assert_eq!(scripts, 1);
        assert!(!html.contains("<script>alert") && !html.contains("<img src=x") && !html.contains("https://a.example"));
        assert_eq!(html.matches("</style>").count(), 2);
    }
}

#[test]
fn the_policy_allows_exactly_the_styles_and_the_script_of_the_page() {
    let (files, assessment) = sample();
    let html = write(&files, &assessment, &evil());
    let policy =
        html.split("http-equiv=\"Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    let hashes = |tag: &str| -> Vec<String> {
        let (start, end) = (format!("<{tag}>"), format!("</{tag}>"));
        let contents = html.split(&start).skip(1).map(|rest| rest.split(&end).next().unwrap());
        contents.map(|text| data_encoding::BASE64.encode(&Sha256::digest(text.as_bytes()))).collect()
    };
    let (styles, scripts) = (hashes("style"), hashes("script"));
    assert_eq!((styles.len(), scripts.len()), (2, 1));
    let expected = format!(
        "default-src 'none'; style-src 'sha256-{}' 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        styles[0], styles[1], scripts[0]
    );
    assert_eq!(policy, expected);
    let before = &html[..html.find("Content-Security-Policy").unwrap()];
    assert!(!before.contains("<style") && !before.contains("<script") && !before.contains("<title"));
    for outside in ["src=\"http", "url(", "@import", "<link", "srcset", "http-equiv=\"refresh"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn every_finding_is_a_row_or_part_of_a_count() {
    let (files, assessment) = sample();
    let counts = assessment.counts();
    for audience in [Audience::Auditor, Audience::Engineer] {
        let html = write(&files, &assessment, &Dossier { audience, ..Dossier::default() });
        assert_eq!(html.matches("<tr class=f id=").count(), counts.fail);
        assert_eq!(html.matches("<tr class=w id=").count(), counts.waived);
        assert!(html.contains(&format!("{} results could not be determined", counts.unknown + counts.error)));
        for finding in assessment.findings().filter(|finding| finding.verdict == mailvet::findings::Verdict::Fail) {
            assert!(html.contains(&format!("id=f{}>", &finding.fingerprint()[..12])));
        }
        assert!(html.contains("a defect of the pack or of mailvet, not of the target"));
        assert!(html.contains("example.org. TXT \"v=spf1 mx include:_spf.example.net -all\""));
    }
    for audience in Audience::ALL {
        let html = write(&files, &assessment, &Dossier { audience: *audience, ..Dossier::default() });
        let row = html.split("<tfoot>").nth(1).unwrap().split("</tfoot>").next().unwrap();
        let numbers: Vec<usize> = row.split("<td class=n>").skip(1).map(|cell| cell.trim().parse().unwrap()).collect();
        let c = counts;
        let all = [c.fail, c.waived, c.unknown, c.error, c.pass, c.manual, c.not_checked, c.not_applicable];
        assert_eq!(numbers, all, "{audience}");
    }
}

#[test]
fn what_could_not_be_looked_at_comes_before_what_was_found() {
    let (files, assessment) = sample();
    for audience in Audience::ALL {
        let html = write(&files, &assessment, &Dossier { audience: *audience, ..Dossier::default() });
        let at = |id: &str| html.find(&format!("<section class=\"chapter\" id=\"{id}\"")).unwrap();
        assert!(at("summary") < at("coverage") && at("coverage") < at("findings"), "{audience}");
    }
}

#[test]
fn audiences_choose_chapters() {
    let (files, assessment) = sample();
    let chapters = |audience| -> Vec<String> {
        let html = write(&files, &assessment, &Dossier { audience, ..evil() });
        let sections = html.split("<section class=\"chapter\" id=\"").skip(1);
        sections.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    assert_eq!(
        chapters(Audience::Executive),
        ["summary", "scope", "coverage", "findings", "waivers", "follow-up", "sign-off"]
    );
    assert_eq!(
        chapters(Audience::Auditor),
        [
            "summary",
            "scope",
            "coverage",
            "results",
            "findings",
            "pictures",
            "controls",
            "waivers",
            "manual",
            "follow-up",
            "passed",
            "evidence",
            "sign-off"
        ]
    );
    assert_eq!(
        chapters(Audience::Engineer),
        ["summary", "scope", "coverage", "results", "findings", "pictures", "waivers", "passed", "evidence"]
    );
}

#[test]
fn headings_are_in_order_and_links_lead_somewhere() {
    let (files, assessment) = sample();
    for audience in Audience::ALL {
        let html = write(&files, &assessment, &Dossier { audience: *audience, ..evil() });
        let tags = tags(&html);
        let levels: Vec<u8> =
            tags.iter().filter_map(|tag| tag.strip_prefix('h')?.split([' ', '>']).next()?.parse().ok()).collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
        let value = |tag: &str, name: &str| -> Option<String> {
            let rest = tag.split(&format!(" {name}=")).nth(1)?;
            Some(match rest.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next()?.to_owned(),
                None => rest.split(' ').next()?.to_owned(),
            })
        };
        let ids: Vec<String> = tags.iter().filter_map(|tag| value(tag, "id")).collect();
        let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "ids are unique");
        for href in tags.iter().filter_map(|tag| value(tag, "href")) {
            match href.strip_prefix('#') {
                Some(id) => assert!(ids.iter().any(|known| known == id), "{href}"),
                None => assert!(href.starts_with("https://www.rfc-editor.org/"), "{href}"),
            }
        }
    }
}

#[test]
fn what_changed_since_the_run_before_is_told_and_counted() {
    let (files, old) = sample();
    let past = engine::history::remember(None, &old, date(2026, 11, 1));
    let (_, mut now) = sample();
    // One failure is mended, one is new, one target is gone.
    let failing = now.targets.iter().position(|target| target.verdicts.contains(&Some(Verdict::Fail))).unwrap();
    let rule = now.targets[failing].verdicts.iter().position(|verdict| *verdict == Some(Verdict::Fail)).unwrap();
    Arc::make_mut(&mut now.targets[failing].verdicts)[rule] = Some(Verdict::Pass);
    let mended = now.policy.rules[rule].id.clone();
    let history = engine::history::history(past, &now, date(2026, 11, 21));
    let counts = history.counts;
    assert!(counts.fixed > 0 && counts.persisting > 0);
    now.history = Some(Box::new(history));
    for audience in Audience::ALL {
        let html = write(&files, &now, &Dossier { audience: *audience, ..Dossier::default() });
        assert!(html.contains("Compared with the run of 2026-11-01: "));
        assert!(html.contains(&format!("{} persist. {} finding", counts.persisting, counts.fixed)));
        let changed = html.split("id=\"changed\"").nth(1).unwrap();
        assert!(changed.contains("Mended") && changed.replace("<wbr>", "").contains(&mended), "{audience}");
        assert!(html.contains("since 2026-11-01"));
        assert!(html.contains("id=\"c-trend\""));
    }
}

#[test]
fn a_huge_report_counts_what_it_does_not_list() {
    let (files, assessment) = wide(20_001, 10);
    let html = write(&files, &assessment, &Dossier::default());
    assert_eq!(html.matches("<tr class=f id=").count(), 10 * 1_000);
    assert_eq!(html.matches("19001 more targets fail this rule").count(), 10);
    assert!(html.contains("The 10000 worst of 20001 targets"));
}

#[test]
fn a_large_report_stays_small() {
    let (files, assessment) = wide(2_000, 30);
    let html = write(&files, &assessment, &Dossier::default());
    assert!(html.len() < 15_000_000, "{}", html.len());
    assert_eq!(html.matches("<tr class=f id=").count(), 60_000);
    assert!(html.contains("<main id=\"main\" tabindex=\"-1\" class=\"large\">"));
}

#[test]
fn the_report_says_what_it_was_made_from() {
    let (files, assessment) = sample();
    let html = write(&files, &assessment, &evil());
    // In the head for programs, on the cover and in the chapter on evidence for people, at the foot of each printed page.
    assert_eq!(
        html.matches(&"ab".repeat(32)).count()
            - html.matches(&format!("<td><code class=\"hash\">{}", "ab".repeat(32))).count(),
        4
    );
}
