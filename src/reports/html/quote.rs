//! Quotes: the line a finding stands on, with its place, the characters at fault marked, and the evidence behind it.

use super::super::place::{place, short};
use super::page::Page;
use super::{Report, evidence};
use crate::diag::Span;
use crate::findings::Finding;

/// How many characters of a line are quoted.
const LENGTH: usize = 200;

/// The same where the report is large.
const SHORT: usize = 90;

/// How many places of one finding are quoted.
const PLACES: usize = 4;

/// The places of a finding: those of the facts that decide it, or that of the target.
pub(super) fn quotes(report: &Report<'_>, page: &mut Page, finding: &Finding<'_>) {
    let mut spans: Vec<Span> = Vec::new();
    for span in finding.detail.into_iter().flat_map(|detail| &detail.blame).filter_map(|blame| blame.span) {
        if !spans.contains(&span) {
            spans.push(span);
        }
    }
    if spans.is_empty() {
        spans.extend(finding.target.anchor);
    }
    let limit = if report.is_large() { 1 } else { PLACES };
    for span in spans.iter().take(limit) {
        quote(report, page, *span);
    }
    if spans.len() > limit && !report.is_large() {
        page.html(" and ").count(spans.len() - limit, "more place");
    }
}

fn quote(report: &Report<'_>, page: &mut Page, span: Span) {
    let Some(place) = place(report.context, span) else { return };
    let file = report.context.files.get(span.file);
    page.html("<small>").cut(&place.to_string(), 200);
    if let Some(id) = file.evidence.as_deref().map(short) {
        page.html(" ");
        if evidence::is_listed(report) {
            page.html("<a href=\"#e-").slug(id).html("\">").text(id).html("</a>");
        } else {
            page.text(id);
        }
    }
    page.html("</small><q>");
    let text = file.line_text(place.line);
    let limit = if report.is_large() { SHORT } else { LENGTH };
    let first = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    let last = match place.end_line == place.line {
        true => usize::try_from(place.end_column).unwrap_or(1).saturating_sub(1),
        false => usize::MAX,
    };
    // The start of the line is shown where the marked characters lie near it, else the part around them.
    let from = if last <= limit { 0 } else { first.saturating_sub(limit / 3) };
    let shown: Vec<char> = text.chars().skip(from).take(limit + 1).collect();
    let cut = shown.len() > limit;
    let shown = &shown[..shown.len().min(limit)];
    let first = first.saturating_sub(from).min(shown.len());
    let last = last.saturating_sub(from).clamp(first, shown.len());
    let part = |range: std::ops::Range<usize>| shown[range].iter().collect::<String>();
    page.html(if from > 0 { "…" } else { "" });
    if report.is_large() || first == last || last - first == shown.len() {
        page.text(&part(0..shown.len()));
    } else {
        page.text(&part(0..first))
            .html("<mark>")
            .text(&part(first..last))
            .html("</mark>")
            .text(&part(last..shown.len()));
    }
    page.html(if cut { "…</q>" } else { "</q>" });
}
