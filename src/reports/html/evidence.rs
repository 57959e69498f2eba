//! The index of evidence: every file and every raw artefact with its SHA-256, and how to check them.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::page::{Column, Page};
use super::{Audience, Report, cover};
use crate::diag::FileId;

/// Up to how many artefacts are listed; beyond that the stored evidence has its own list.
const LISTED: usize = 3_000;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    if let Some(origin) = &report.dossier.origin {
        page.html("<p>This report was made from the ").text(origin.kind).html(" <code>").text(&origin.name);
        page.html("</code>. Its SHA-256 covers all evidence below; check it with</p>\n<pre>").line(&origin.check);
        page.html("</pre>\n<p>which must print <code class=\"hash\">").text(&origin.sha256).html("</code>.</p>\n");
    }
    files(report, page);
    artefacts(report, page);
}

/// The files of the run: DNS data, inventory, waivers.
fn files(report: &Report<'_>, page: &mut Page) {
    let context = report.context;
    let mut wanted: BTreeSet<&str> =
        report.assessment.coverage.sources.iter().map(|source| source.path.as_str()).chain(context.home).collect();
    let waivers = report.assessment.policy.waivers.iter().map(|waiver| waiver.span.file);
    let known = |id: FileId| usize::try_from(id.0).is_ok_and(|id| id < context.files.len());
    wanted.extend(waivers.filter(|id| known(*id)).map(|id| context.files.get(id).path.as_str()));
    let rows: BTreeSet<(&str, String, usize)> = context
        .files
        .iter()
        .filter(|(_, file)| file.evidence.is_none() && wanted.contains(file.path.as_str()))
        .map(|(_, file)| {
            let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(file.bytes.as_slice()));
            (file.path.as_str(), hash, file.bytes.len())
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.table("Files that were read", &[Column("File", 40), Column("Bytes#", 15), Column("SHA-256", 45)]);
    for (path, hash, size) in &rows {
        page.html("<tr><th scope=row>").cut(path, 300).cell_number(*size);
        page.html("<td><code class=\"hash\">").text(hash).html("</code>\n");
    }
    page.end_table();
}

/// Whether artefacts have entries that quotes can lead to.
pub(super) fn is_listed(report: &Report<'_>) -> bool {
    report.dossier.audience != Audience::Executive && observed(report) <= LISTED
}

/// How many texts of the run render something observed.
fn observed(report: &Report<'_>) -> usize {
    report.context.files.iter().filter(|(_, file)| file.evidence.is_some()).count()
}

/// What was observed on the network.
fn artefacts(report: &Report<'_>, page: &mut Page) {
    let total = observed(report);
    if total == 0 {
        return;
    }
    page.html("<p>")
        .count(total, "artefact")
        .html(" observed on the network. The id of an artefact is the SHA-256 of its bytes ");
    page.html("as received.</p>\n");
    if !is_listed(report) {
        page.html("<p>They are too many to be listed here; the stored evidence lists each with its hash.</p>\n");
        return;
    }
    let context = report.context;
    let mut rows: Vec<(&str, &str, FileId)> = context
        .files
        .iter()
        .filter_map(|(id, file)| Some((file.path.as_str(), file.evidence.as_deref()?, id)))
        .collect();
    rows.sort();
    let details = report.dossier.artefacts.iter().map(|artefact| (artefact.file, artefact));
    let details: std::collections::BTreeMap<_, _> = details.collect();
    page.table(
        "Artefacts observed on the network",
        &[
            Column("Text", 30),
            Column("Kind", 10),
            Column("Received, UTC", 15),
            Column("Bytes#", 10),
            Column("SHA-256 of the bytes", 35),
        ],
    );
    let mut told = BTreeSet::new();
    for (path, id, file) in rows {
        page.html("<tr");
        // The same bytes may have come twice; the first entry is where quotes lead to.
        if told.insert(id) {
            page.html(" id=\"e-").slug(super::super::place::short(id)).html("\"");
        }
        page.html("><th scope=row>").name(path);
        if let Some(artefact) = details.get(&file) {
            page.html("<td>").html(artefact.kind.as_str()).html("<td><time datetime=\"");
            let time = cover::time(artefact.time);
            page.text(&time).html("\">").text(time.replace('T', " ").trim_end_matches('Z')).html("</time>");
            page.cell_number(artefact.size);
        } else {
            page.html("<td><td><td>");
        }
        page.html("<td><code class=\"hash\">").text(id).html("</code>\n");
    }
    page.end_table();
}
