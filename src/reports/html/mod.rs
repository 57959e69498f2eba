//! The audit report as one HTML page: nothing is fetched from anywhere, it works without JavaScript, and it prints.
//!
//! The order is an auditor's: what was in scope, what could not be looked at and why, and only then what was found. Every
//! finding is either a row of its own or part of a count that says so; the counts are those of the assessment. Three
//! depths ([`Audience`]) choose chapters and detail, never findings.
//!
//! Safety stands on two legs. The writer ([`page`]) takes markup only from this program. And a content security policy
//! with the hashes of the page's own styles and script keeps everything else from running or loading, so there are no
//! `style` attributes and no event handlers here.

mod charts;
mod controls;
mod cover;
mod coverage;
mod evidence;
mod findings;
mod follow_up;
mod history;
mod manual;
mod matrix;
mod page;
mod passed;
mod pictures;
mod quote;
mod scope;
mod sign_off;
mod summary;
mod survey;
mod svg;
mod waivers;

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use page::{Page, Part, Style};
use survey::Survey;

use super::tally::Tally;
use super::{Audience, Context, Dossier, Key};
use crate::findings::{Assessment, Finding};
use crate::policy::{Rule, Severity};

/// How the page looks on screens and on paper.
const STYLE: &str = include_str!("../../../reports/html/style.css");

/// Filters, sorting and the choice of theme; the page is complete without them.
const SCRIPT: &str = include_str!("../../../reports/html/script.js");

/// From how many rows on a table is folded and its quotes are shortened, so that a browser opens the page at once.
const LARGE: usize = 5_000;

/// From how many rows on only some targets of each rule have a row, and the others are counted: no browser opens more.
const HUGE: usize = 200_000;

/// How many targets of a rule have a row then.
const OF_RULE: usize = 1_000;

/// Writes the report.
pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let plain = Dossier::default();
    let report = Report {
        assessment,
        context,
        dossier: context.dossier.unwrap_or(&plain),
        survey: Survey::of(assessment),
        tally: Tally::of(assessment),
    };
    report.write(out)
}

/// Everything that chapters render.
struct Report<'a> {
    assessment: &'a Assessment,
    context: &'a Context<'a>,
    dossier: &'a Dossier,
    survey: Survey,
    tally: Tally,
}

/// One chapter: what the table of contents and its heading call it, and who writes it.
struct Chapter {
    id: &'static str,
    title: &'static str,
    write: fn(&Report<'_>, &mut Page),
}

/// The chapters in their order.
const CHAPTERS: &[Chapter] = &[
    Chapter { id: "summary", title: "Summary", write: summary::write },
    Chapter { id: "scope", title: "Scope and criteria", write: scope::write },
    Chapter { id: "coverage", title: "Method and coverage", write: coverage::write },
    Chapter { id: "results", title: "Results by target", write: matrix::write },
    Chapter { id: "findings", title: "Findings", write: findings::write },
    Chapter { id: "pictures", title: "How mail flows", write: pictures::write },
    Chapter { id: "controls", title: "Controls", write: controls::write },
    Chapter { id: "waivers", title: "Waivers", write: waivers::write },
    Chapter { id: "manual", title: "Manual controls", write: manual::write },
    Chapter { id: "follow-up", title: "Follow-up", write: follow_up::write },
    Chapter { id: "passed", title: "Passed checks", write: passed::write },
    Chapter { id: "evidence", title: "Evidence", write: evidence::write },
    Chapter { id: "sign-off", title: "Sign-off", write: sign_off::write },
];

impl<'a> Report<'a> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page::default();
        self.head(&mut page);
        cover::write(self, &mut page);
        let chapters: Vec<&Chapter> = CHAPTERS.iter().filter(|chapter| self.has(chapter.id)).collect();
        contents(&mut page, &chapters);
        filters(&mut page);
        page.html("<main id=\"main\" tabindex=\"-1\"").html(if self.is_large() {
            " class=\"large\">\n"
        } else {
            ">\n"
        });
        for (index, chapter) in chapters.iter().enumerate() {
            page.html("<section class=\"chapter\" id=\"")
                .html(chapter.id)
                .html("\" aria-labelledby=\"h-")
                .html(chapter.id);
            page.html("\">\n<h2 id=\"h-").html(chapter.id).html("\"><span class=\"no\">").number(index + 1);
            page.html("</span> ").html(chapter.title).html("</h2>\n");
            (chapter.write)(self, &mut page);
            page.html("</section>\n");
            out.write_all(page.take().as_bytes())?;
        }
        page.html("</main>\n<footer><p>").text(&self.title()).html(". Made by mailvet ").text(self.context.version);
        page.html("; assessed as of ").text(&self.assessment.as_of.to_string()).html(".</p></footer>\n<script>");
        page.html(SCRIPT).html("</script>\n</body>\n</html>\n");
        out.write_all(page.take().as_bytes())
    }

    /// Whether the report has a chapter: by its audience, and by whether there is anything to say.
    fn has(&self, chapter: &str) -> bool {
        let policy = &self.assessment.policy;
        let audience = self.dossier.audience;
        match chapter {
            "results" | "passed" | "evidence" => audience != Audience::Executive,
            "pictures" => audience != Audience::Executive && !self.dossier.pictures.is_empty(),
            "controls" => audience == Audience::Auditor && policy.rules.iter().any(|rule| !rule.maps.is_empty()),
            "manual" => audience == Audience::Auditor && manual::has_any(self),
            "waivers" => !policy.waivers.is_empty(),
            "follow-up" => {
                let is_open = audience != Audience::Engineer && !self.survey.groups.is_empty();
                is_open || self.assessment.history.is_some()
            }
            "sign-off" => audience != Audience::Engineer,
            _ => true,
        }
    }

    /// The title of the document.
    fn title(&self) -> String {
        match self.organisation() {
            Some(organisation) => format!("E-mail infrastructure audit: {}", organisation.name),
            None => "E-mail infrastructure audit".to_owned(),
        }
    }

    fn organisation(&self) -> Option<&'a crate::inventory::Organisation> {
        self.dossier.inventory.as_ref()?.organisation.as_ref()
    }

    fn rule(&self, index: u16) -> Option<&'a Rule> {
        self.assessment.policy.rules.get(usize::from(index))
    }

    fn finding(&self, key: Key) -> Option<Finding<'a>> {
        key.finding(self.assessment)
    }

    /// Whether there is so much that quotes are short and lists are folded.
    fn is_large(&self) -> bool {
        self.survey.counts.fail + self.survey.counts.waived > LARGE
    }

    /// How many findings of one rule have a row.
    fn rows_of_rule(&self) -> usize {
        if self.survey.counts.fail + self.survey.counts.waived > HUGE { OF_RULE } else { usize::MAX }
    }

    /// Everything before the content: the content security policy first, because it holds for what comes after it.
    fn head(&self, page: &mut Page) {
        let running = self.running();
        page.html("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.html("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src");
        for style in [STYLE, running.as_str()] {
            page.html(" '").text(&hash(style)).html("'");
        }
        page.html("; script-src '").text(&hash(SCRIPT));
        page.html("'; img-src data:; base-uri 'none'; form-action 'none'\">\n");
        page.html("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.html(
            "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n",
        );
        page.html("<meta name=\"generator\" content=\"mailvet ").text(self.context.version).html("\">\n");
        if let Some(origin) = &self.dossier.origin {
            page.html("<meta name=\"mailvet-evidence-sha256\" content=\"").text(&origin.sha256).html("\">\n");
        }
        page.html("<title>").text(&self.title()).html("</title>\n<style>").html(STYLE).html("</style>\n");
        page.style(&running).html("</head>\n<body>\n");
    }

    /// What stands on every printed page. Browsers know no running strings, so the texts are written into the rules.
    fn running(&self) -> Style {
        let title = self.title();
        let organisation = self.organisation();
        let field = |field: Option<&String>| field.cloned().unwrap_or_default();
        let class = field(organisation.and_then(|organisation| organisation.classification.as_ref()));
        let engagement = field(organisation.and_then(|organisation| organisation.engagement.as_ref()));
        let engagement = super::escape::cut(&engagement, 30);
        let below = match &self.dossier.origin {
            Some(origin) => format!("{engagement}  {} sha256 {}", origin.kind, origin.sha256),
            None => engagement.to_string(),
        };
        Style::of(&[
            Part::Rule("@page{@top-left{content:\""),
            Part::Text(&super::escape::cut(&title, 70)),
            Part::Rule("\"}@top-right{content:\""),
            Part::Text(&super::escape::cut(&class, 30)),
            Part::Rule("\"}@bottom-left{content:\""),
            Part::Text(below.trim()),
            Part::Rule("\"}@bottom-right{content:\"Page \" counter(page) \" of \" counter(pages)}}"),
        ])
    }
}

/// The source expression of a content security policy that allows exactly this text (CSP Level 3 section 2.3.1).
fn hash(text: &str) -> String {
    format!("sha256-{}", data_encoding::BASE64.encode(&Sha256::digest(text.as_bytes())))
}

/// The table of contents.
fn contents(page: &mut Page, chapters: &[&Chapter]) {
    page.html("<nav class=\"toc\" aria-labelledby=\"h-contents\"><h2 id=\"h-contents\">Contents</h2><ol>\n");
    for chapter in chapters {
        page.html("<li><a href=\"#").html(chapter.id).html("\">").html(chapter.title).html("</a>\n");
    }
    page.html("</ol></nav>\n");
}

/// The tools that the script brings to life; without it they stay hidden.
fn filters(page: &mut Page) {
    page.html("<section class=\"tools\" id=\"tools\" aria-label=\"Filter and theme\" hidden>\n<p>");
    page.html(
        "<label for=\"filter\">Filter findings</label> <input type=\"search\" id=\"filter\" autocomplete=\"off\" ",
    );
    page.html("spellcheck=\"false\"> <label for=\"severity\">Severity</label> <select id=\"severity\">");
    page.html("<option value=\"\">all</option>");
    for severity in Severity::DESCENDING {
        page.html("<option value=\"").text(severity.as_str()).html("\">").text(severity.as_str()).html("</option>");
    }
    page.html("</select> <label for=\"theme\">Theme</label> <select id=\"theme\"><option value=\"\">as the system");
    page.html("</option><option value=\"light\">light</option><option value=\"dark\">dark</option></select> ");
    page.html("<button type=\"button\" id=\"unfold\">Open all</button></p>\n<p id=\"status\" role=\"status\"></p></section>\n");
}

/// The word of a severity with its mark, so that colour says nothing alone.
fn severity(page: &mut Page, severity: Severity) {
    page.html("<span class=\"sev ").html(severity.as_str()).html("\"><span aria-hidden=\"true\">");
    page.html(mark(severity)).html("</span> ").html(severity.as_str()).html("</span>");
}

/// A shape for each severity.
fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "◆",
        Severity::High => "▲",
        Severity::Medium => "■",
        Severity::Low => "●",
        Severity::Info => "○",
    }
}
