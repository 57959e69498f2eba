//! From arguments and inventory to what a run does: everything is checked here, before a packet is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};

use crate::cli::{NetworkArgs, ScopeArgs};
use crate::commands::check::parse_name;
use crate::commands::input::{self, LoadedInventory};
use crate::diag::Span;
use crate::facts::domain::Time;
use crate::facts::service::Protocol;
use crate::facts::stored::{FORMAT, Header, Vantage};
use crate::mail::Name;
use crate::probes::Settings;
use crate::probes::tls::TrustStore;
use crate::sources::live;

/// Longest that one attempt at a DNS question may take.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts for each name server.
const ATTEMPTS: u32 = 3;
/// DNS questions in flight, for each domain that is looked at.
const QUESTIONS: usize = 16;
/// Most DNS questions in flight: what a resolver can take in at once. More would be lost, and asked again later.
const MOST_QUESTIONS: usize = 512;
/// Questions per second to a resolver of the system, which others use too.
const SYSTEM_RATE: u32 = 1000;

/// A domain to look at, with its place in the inventory.
pub(super) type Domain = (Name, Option<Span>);

/// What a run does.
pub(super) struct Plan {
    /// Domains to look at, sorted.
    pub(super) domains: Vec<Domain>,
    /// Whether the domains are all that the inventory has, so that its hosts and senders belong to the run.
    pub(super) whole_inventory: bool,
    /// Ports of mail exchangers, with what they speak.
    pub(super) ports: BTreeMap<u16, Protocol>,
    /// The port of SMTP between servers; 25 outside tests.
    pub(super) smtp_port: u16,
    /// Port of web servers; 443 outside tests.
    pub(super) https_port: u16,
    /// Whether mail and web servers are connected to.
    pub(super) probes: bool,
    /// Which addresses of hosts are used.
    pub(super) family: Family,
    /// Targets looked at at the same time.
    pub(super) concurrency: usize,
    /// Connections to one address at the same time.
    pub(super) per_host: usize,
    /// How DNS is asked.
    pub(super) dns: live::Options,
    /// How sessions are held.
    pub(super) settings: Settings,
    /// What the options leave out, in words.
    pub(super) left_out: Vec<String>,
}

/// Which addresses are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Both,
    V4,
    V6,
}

impl Family {
    /// Whether an address is one of the family.
    pub(super) fn holds(self, address: IpAddr) -> bool {
        match self {
            Family::Both => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        }
    }
}

impl Plan {
    /// The header of the run's snapshot.
    pub(super) fn header(&self, inventory: Option<String>) -> Header {
        Header {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: Time(jiff::Timestamp::now().as_second()),
            inventory,
            vantage: Vantage {
                resolvers: self.dns.resolvers.iter().map(ToString::to_string).collect(),
                ehlo: self.settings.ehlo_name.clone(),
                source_address: self.dns.source_address.map(|address| address.to_string()),
                probed: self.probes,
                active: self.settings.active,
            },
        }
    }
}

/// Reads and checks everything.
pub(super) fn plan(
    scope: &ScopeArgs,
    network: &NetworkArgs,
    inventory: Option<&LoadedInventory>,
) -> anyhow::Result<Plan> {
    let (domains, whole_inventory) = domains(scope, inventory)?;
    let family = match (scope.ipv4, scope.ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Both,
    };
    if let Some(address) = network.source_address.filter(|address| !family.holds(*address)) {
        bail!("--source-address {address}: the run uses addresses of the other family only");
    }
    Ok(Plan {
        domains,
        whole_inventory,
        ports: ports(scope, network)?,
        smtp_port: network.smtp_port,
        https_port: network.https_port,
        probes: !scope.no_probe,
        family,
        concurrency: usize::from(network.concurrency),
        per_host: usize::from(network.per_host),
        dns: dns(scope, network)?,
        settings: settings(scope, network, inventory)?,
        left_out: left_out(
            scope,
            family,
            whole_inventory || inventory.is_none_or(|loaded| loaded.inventory.hosts.is_empty()),
        ),
    })
}

/// The domains to look at, sorted, and whether they are those of the inventory.
fn domains(scope: &ScopeArgs, inventory: Option<&LoadedInventory>) -> anyhow::Result<(Vec<Domain>, bool)> {
    let mut names: BTreeSet<Name> =
        scope.domains.iter().map(|text| domain_name("the domain", text)).collect::<anyhow::Result<_>>()?;
    if let Some(path) = &scope.domains_file {
        names.extend(listed(path)?);
    }
    let named = scope.domains_file.is_some() || !names.is_empty();
    if !named {
        names.extend(
            inventory.into_iter().flat_map(|loaded| &loaded.inventory.domains).map(|domain| domain.name.clone()),
        );
    }
    let hosts =
        inventory.is_some_and(|loaded| !loaded.inventory.hosts.is_empty() || !loaded.inventory.senders.is_empty());
    if names.is_empty() && (named || !hosts) {
        bail!("say what to look at: `mailvet audit example.com`, --domains-file, or an inventory with domains");
    }
    let span = |name: &Name| inventory.and_then(|loaded| loaded.inventory.domain(name)?.span);
    Ok((names.into_iter().map(|name| (name.clone(), span(&name))).collect(), !named))
}

/// The domains of a file.
fn listed(path: &Path) -> anyhow::Result<BTreeSet<Name>> {
    let bytes = input::read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("{} is not UTF-8", path.display()))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty());
    lines.map(|(line, number)| domain_name(&format!("{}:{number}:", path.display()), line)).collect()
}

fn domain_name(option: &str, text: &str) -> anyhow::Result<Name> {
    let name = parse_name(option, text)?;
    // DNS takes any octet in a name (RFC 2181 section 11); mail does not (RFC 5321 section 4.1.2), and a slip of the
    // keyboard should not become a question.
    let is_usual = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    if name.is_root() || text.parse::<IpAddr>().is_ok() || !name.as_str().bytes().all(is_usual) {
        bail!("{option} {text}: expected the name of a mail domain");
    }
    Ok(name)
}

/// What the registered ports speak.
fn ports(scope: &ScopeArgs, network: &NetworkArgs) -> anyhow::Result<BTreeMap<u16, Protocol>> {
    let mut ports = BTreeMap::from([(network.smtp_port, Protocol::Smtp)]);
    for port in &scope.ports {
        let protocol = match port {
            25 => continue,
            465 => Protocol::Submissions,
            587 => Protocol::Submission,
            143 => Protocol::Imap,
            993 => Protocol::Imaps,
            110 => Protocol::Pop3,
            995 => Protocol::Pop3s,
            other => bail!(
                "--ports {other}: mail services have the ports 25, 465, 587, 143, 993, 110 and 995; others are declared in \
                 the inventory, as `hosts: [{{ name: …, services: [{{ protocol: smtp, port: {other} }}] }}]`"
            ),
        };
        ports.insert(*port, protocol);
    }
    Ok(ports)
}

fn dns(scope: &ScopeArgs, network: &NetworkArgs) -> anyhow::Result<live::Options> {
    let trust_anchors = network
        .trust_anchor
        .as_ref()
        .map(|path| String::from_utf8(input::read(path)?).map_err(|_| anyhow!("{} is not UTF-8", path.display())))
        .transpose()?;
    Ok(live::Options {
        resolvers: network.resolver.clone(),
        compare: network.compare_resolver,
        authority_port: network.authority_port,
        timeout: (network.timeout / 3).min(DNS_TIMEOUT),
        attempts: ATTEMPTS,
        concurrency: usize::from(network.concurrency).saturating_mul(QUESTIONS).min(MOST_QUESTIONS),
        targets: usize::from(network.concurrency),
        rate: network.resolver.is_empty().then_some(SYSTEM_RATE),
        source_address: network.source_address,
        authorities: !scope.no_authorities,
        validate: !scope.no_validate,
        trust_anchors,
    })
}

fn settings(scope: &ScopeArgs, network: &NetworkArgs, inventory: Option<&LoadedInventory>) -> anyhow::Result<Settings> {
    let trust = match &network.ca_file {
        Some(path) => TrustStore::from_pem(&input::read(path)?)
            .with_context(|| format!("--ca-file {}: no authority can be read", path.display()))?,
        None => TrustStore::bundled(),
    };
    let mut settings = Settings::new(Arc::new(trust));
    settings.reply_timeout = network.timeout;
    settings.connect_timeout = (network.timeout / 3).min(CONNECT_TIMEOUT);
    settings.service_timeout = network.timeout * 6;
    settings.source_address = network.source_address;
    settings.active = scope.active;
    let declared = inventory.and_then(|loaded| loaded.inventory.probe.as_ref()?.ehlo.as_ref()).map(Name::to_string);
    if let Some(name) = network.ehlo.as_deref().map(ehlo).transpose()?.or(declared) {
        settings.ehlo_name = name;
    }
    Ok(settings)
}

// RFC 5321 section 4.1.1.1: EHLO takes a domain or an address literal.
fn ehlo(text: &str) -> anyhow::Result<String> {
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match literal {
        Some(literal) => {
            let address = literal.strip_prefix("IPv6:").unwrap_or(literal);
            let address =
                address.parse::<IpAddr>().map_err(|_| anyhow!("--ehlo {text}: expected a name or [address]"))?;
            if address.is_ipv6() != literal.starts_with("IPv6:") {
                bail!("--ehlo {text}: write [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321 section 4.1.3)");
            }
            Ok(text.to_owned())
        }
        None => Ok(domain_name("--ehlo", text)?.to_string()),
    }
}

fn left_out(scope: &ScopeArgs, family: Family, all_hosts: bool) -> Vec<String> {
    let parts = [
        (scope.no_probe, "mail and web servers (--no-probe)"),
        (scope.no_authorities, "name servers asked directly (--no-authorities)"),
        (scope.no_validate, "validation of DNSSEC signatures (--no-validate)"),
        (family == Family::V4, "IPv6 addresses of hosts (--ipv4)"),
        (family == Family::V6, "IPv4 addresses of hosts (--ipv6)"),
        (!all_hosts, "hosts of the inventory that no domain of this run uses (domains were named)"),
    ];
    parts.into_iter().filter(|(applies, _)| *applies).map(|(_, words)| words.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_ehlo_are_domains_or_address_literals() {
        for (text, good) in [
            ("probe.example.org", true),
            ("[192.0.2.1]", true),
            ("[IPv6:2001:db8::1]", true),
            ("[2001:db8::1]", false),
            ("[example.org]", false),
            ("192.0.2.1", false),
            ("a b", false),
            ("a\r\nRCPT", false),
            (".", false),
        ] {
            assert_eq!(ehlo(text).is_ok(), good, "{text}");
        }
    }
}
