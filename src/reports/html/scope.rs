//! Scope and criteria: what was assessed, by which rules, and what was left out with which reason.

use std::collections::BTreeMap;

use super::page::{Column, Page};
use super::{Audience, Report, severity};
use crate::inventory::Role;
use crate::policy::Severity;

/// How many declared domains are listed; beyond that the results name them.
const DOMAINS: usize = 200;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    page.html(
        "<p>The objective is to find out whether the mail infrastructure named here meets the rules named here, from ",
    );
    page.html(
        "evidence that can be checked again. Whether the rules suit the organisation is for the auditor to say.</p>\n",
    );
    targets(report, page);
    domains(report, page);
    hosts(report, page);
    rules(report, page);
    if report.dossier.audience == Audience::Executive {
        return;
    }
    scale(page);
    not_selected(report, page);
}

fn targets(report: &Report<'_>, page: &mut Page) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for target in &report.assessment.targets {
        *kinds.entry(target.kind.as_str()).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| super::super::plural(*count, kind)).collect();
    let kinds = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") };
    page.html("<p>Assessed: ").text(&kinds).html(". The whole population was tested; nothing was sampled.</p>\n");
}

fn domains(report: &Report<'_>, page: &mut Page) {
    let Some(inventory) = &report.dossier.inventory else { return };
    if inventory.domains.is_empty() || inventory.domains.len() > DOMAINS {
        return;
    }
    page.table(
        "Domains that the inventory declares",
        &[Column("Domain", 30), Column("Use of mail", 25), Column("Owner", 45)],
    );
    for domain in &inventory.domains {
        let roles: Vec<&str> = domain.roles.iter().map(|role| role_word(*role)).collect();
        page.row(domain.name.as_str()).cell(&roles.join(", ")).cell(domain.owner.as_deref().unwrap_or("not stated"));
        page.html("\n");
    }
    page.end_table();
}

fn hosts(report: &Report<'_>, page: &mut Page) {
    let Some(inventory) = &report.dossier.inventory else { return };
    if inventory.hosts.is_empty() || inventory.hosts.len() > DOMAINS {
        return;
    }
    page.table(
        "Hosts that the inventory declares",
        &[Column("Host", 35), Column("Addresses", 35), Column("Owner", 30)],
    );
    for host in &inventory.hosts {
        let addresses = host.addresses.as_ref().map_or_else(
            || "as DNS says".to_owned(),
            |addresses| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        );
        page.row(host.name.as_str()).cell(&addresses).cell(host.owner.as_deref().unwrap_or("not stated")).html("\n");
    }
    page.end_table();
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Sends => "sends",
        Role::Receives => "receives",
        Role::Parked => "parked",
    }
}

fn rules(report: &Report<'_>, page: &mut Page) {
    let policy = &report.assessment.policy;
    page.html("<p>").count(policy.rules.len(), "rule").html(" of ").count(policy.packs.len(), "pack");
    page.html(" applied; ").number(policy.not_selected.len()).html(" were not selected. ");
    page.html(if policy.waivers.is_empty() {
        "There are no waivers.</p>\n"
    } else {
        "Waivers are listed below.</p>\n"
    });
    page.table(
        "Rule packs",
        &[Column("Pack", 25), Column("Version", 15), Column("Rules#", 10), Column("SHA-256 of its files", 50)],
    );
    for pack in &policy.packs {
        let rules = policy.rules.iter().filter(|rule| rule.pack.name == pack.name).count();
        page.row(&pack.name).cell(&pack.version).cell_number(rules);
        page.html("<td><code class=\"hash\">").text(&pack.sha256).html("</code>\n");
    }
    page.end_table();
}

fn not_selected(report: &Report<'_>, page: &mut Page) {
    let policy = &report.assessment.policy;
    let rerated: Vec<_> = policy.rules.iter().filter_map(|rule| Some((rule, rule.rerated.as_ref()?))).collect();
    if !rerated.is_empty() {
        page.table(
            "Rules whose severity the profile changes",
            &[Column("Rule", 35), Column("In the pack", 15), Column("Here", 10), Column("Reason", 40)],
        );
        for (rule, (before, reason)) in rerated {
            page.row(&rule.id).cell(before.as_str()).cell(rule.severity.as_str()).cell(reason).html("\n");
        }
        page.end_table();
    }
    if policy.not_selected.is_empty() {
        return;
    }
    page.html("<details><summary>").count(policy.not_selected.len(), "rule").html(" not selected</summary>\n");
    page.table("Rules not selected, with the reason", &[Column("Rule", 40), Column("Reason", 60)]);
    for item in &policy.not_selected {
        page.row(&item.rule).cell(&item.reason).html("\n");
    }
    page.end_table().html("</details>\n");
}

/// What the severities mean.
fn scale(page: &mut Page) {
    page.table("Severities", &[Column("Severity", 20), Column("A failure means", 80)]);
    for of_severity in Severity::DESCENDING {
        page.html("<tr><th scope=row>");
        severity(page, of_severity);
        page.html("<td>").html(match of_severity {
            Severity::Critical => "Mail is lost, or can be read or forged by anyone, now.",
            Severity::High => "A protection is missing or does not work.",
            Severity::Medium => "A protection is weakened, or a failure is hidden.",
            Severity::Low => "Hygiene, without a direct consequence.",
            Severity::Info => "Worth knowing; nothing has to be done.",
        });
        page.html("\n");
    }
    page.end_table();
}
