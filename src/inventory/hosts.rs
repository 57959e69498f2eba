//! Hosts, networks, block lists and our own introduction, as the inventory declares them.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::{address, domain_name, names};
use crate::diag::fields::{Fields, Problems, integer, list, texts, word, wrong_type};
use crate::diag::yaml::{Node, Spanned, Value, shortened};
use crate::diag::{Diagnostic, Span};
use crate::mail::Name;

/// What a port of a mail host speaks, and whether TLS comes first (RFC 8314 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// SMTP between servers, port 25.
    Smtp,
    /// Message submission with STARTTLS, port 587.
    Submission,
    /// Message submission over TLS, port 465.
    Submissions,
    /// IMAP with STARTTLS, port 143.
    Imap,
    /// IMAP over TLS, port 993.
    Imaps,
    /// POP3 with STLS, port 110.
    Pop3,
    /// POP3 over TLS, port 995.
    Pop3s,
}

const SERVICES: &[(&str, Service)] = &[
    ("smtp", Service::Smtp),
    ("submission", Service::Submission),
    ("submissions", Service::Submissions),
    ("imap", Service::Imap),
    ("imaps", Service::Imaps),
    ("pop3", Service::Pop3),
    ("pop3s", Service::Pop3s),
];

impl Service {
    /// The port that is registered for it (RFC 5321 section 4.5.4.2, RFC 6409, RFC 8314 section 7, RFC 9051, RFC 1939).
    pub fn port(self) -> u16 {
        match self {
            Service::Smtp => 25,
            Service::Submission => 587,
            Service::Submissions => 465,
            Service::Imap => 143,
            Service::Imaps => 993,
            Service::Pop3 => 110,
            Service::Pop3s => 995,
        }
    }
}

/// A service that a host offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "ServiceDocument", into = "ServiceDocument")]
pub struct ServiceDeclaration {
    /// What it speaks.
    pub protocol: Service,
    /// TCP port.
    pub port: u16,
}

/// A service as written: a word that stands for its registered port, or both.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
enum ServiceDocument {
    /// What it speaks, on its registered port.
    Registered(Service),
    /// What it speaks, and where.
    Elsewhere {
        /// What it speaks.
        protocol: Service,
        /// TCP port; without it, the registered one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1))]
        port: Option<u16>,
    },
}

impl From<ServiceDocument> for ServiceDeclaration {
    fn from(document: ServiceDocument) -> Self {
        match document {
            ServiceDocument::Registered(protocol) => protocol.into(),
            ServiceDocument::Elsewhere { protocol, port } => {
                ServiceDeclaration { protocol, port: port.unwrap_or(protocol.port()) }
            }
        }
    }
}

impl From<ServiceDeclaration> for ServiceDocument {
    fn from(service: ServiceDeclaration) -> Self {
        if service.port == service.protocol.port() {
            return ServiceDocument::Registered(service.protocol);
        }
        ServiceDocument::Elsewhere { protocol: service.protocol, port: Some(service.port) }
    }
}

impl From<Service> for ServiceDeclaration {
    fn from(protocol: Service) -> Self {
        ServiceDeclaration { protocol, port: protocol.port() }
    }
}

/// A mail host that the organisation owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name.
    pub name: Name,
    /// Its addresses. Without them, those that DNS has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub addresses: Option<Vec<IpAddr>>,
    /// Services that it offers. Without them, SMTP where a domain names the host as mail exchanger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<ServiceDeclaration>>,
    /// Who answers for the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Position of the entry in the inventory file.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// Zones of block lists to ask. An empty list asks none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockLists {
    /// Lists of addresses. Without them, those that mailvet knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<Name>>,
    /// Lists of domain names. Without them, those that mailvet knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domains: Option<Vec<Name>>,
}

/// How mailvet introduces itself to mail servers, so that their administrators know whom to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeIdentity {
    /// Name in EHLO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ehlo: Option<Name>,
    /// Whom to ask about the probes: an address or a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

pub(super) fn hosts(fields: &Fields<'_>, out: &mut Problems) -> Vec<Host> {
    fields.items("hosts", out).iter().filter_map(|item| host(item, out)).collect()
}

fn host(node: &Node, out: &mut Problems) -> Option<Host> {
    if let Some(scalar) = node.scalar() {
        let help = format!("write `- name: {}`", shortened(&scalar.text));
        out.push(wrong_type(node, "an item of `hosts`", "a mapping").help(help));
        return None;
    }
    let fields = Fields::read(node, "a host", &["name", "addresses", "services", "owner"], out)?;
    let name = fields.text("name", "add the name of the host", out);
    let name = name
        .and_then(|written| Some(Spanned::new(host_name(&written, "it goes into `addresses`", out)?, written.span)));
    let addresses = fields.get("addresses").and_then(|node| addresses(node, out));
    let services = fields.get("services").map(|node| services(node, out));
    let owner = fields.optional_text("owner", out).map(|owner| owner.value);
    let name = name?;
    Some(Host { name: name.value, addresses, services, owner, span: Some(name.span) })
}

/// The name of a host; `for_addresses` says where an address belongs.
pub(super) fn host_name(written: &Spanned<String>, for_addresses: &str, out: &mut Problems) -> Option<Name> {
    if written.value.parse::<IpAddr>().is_ok() {
        let message = format!("`{}` is an address, not the name of a host", shortened(&written.value));
        out.push(Diagnostic::error("inventory-name", message).at(written.span).help(for_addresses));
        return None;
    }
    domain_name(written, out)
}

fn addresses(node: &Node, out: &mut Problems) -> Option<Vec<IpAddr>> {
    let items = list(node, "addresses", out)?;
    if items.is_empty() {
        let problem = Diagnostic::error("inventory-address", "a host without addresses cannot be reached");
        out.push(problem.at(node.span).help("list its addresses, or leave `addresses` out to take those of DNS"));
    }
    let mut found: Vec<IpAddr> = Vec::new();
    for written in texts(node, "addresses", out) {
        let Some(ip) = address(&written, "a host has single addresses; networks go into `networks`", out) else {
            continue;
        };
        if found.contains(&ip) {
            out.push(Diagnostic::error("inventory-twice", format!("`{ip}` is listed twice")).at(written.span));
        } else {
            found.push(ip);
        }
    }
    Some(found)
}

fn services(node: &Node, out: &mut Problems) -> Vec<ServiceDeclaration> {
    let mut found: Vec<ServiceDeclaration> = Vec::new();
    for item in list(node, "services", out).unwrap_or(&[]) {
        let Some(service) = service(item, out) else { continue };
        if found.iter().any(|other| other.port == service.port) {
            let message = format!("port {} is listed twice", service.port);
            let problem = Diagnostic::error("inventory-twice", message).at(item.span);
            out.push(problem.help("a port speaks one protocol; remove one of both"));
        } else {
            found.push(service);
        }
    }
    found
}

fn service(node: &Node, out: &mut Problems) -> Option<ServiceDeclaration> {
    if !matches!(node.value, Value::Map(_)) {
        return word(node, "services", SERVICES, out).map(|service| service.value.into());
    }
    let fields = Fields::read(node, "a service", &["protocol", "port"], out)?;
    let port = fields.get("port").map(|node| port(node, out));
    let help = "add what the port speaks, such as `protocol: smtp`";
    let protocol = fields.require("protocol", help, out).and_then(|node| word(node, "protocol", SERVICES, out))?;
    match port {
        Some(port) => Some(ServiceDeclaration { protocol: protocol.value, port: port? }),
        None => Some(protocol.value.into()),
    }
}

fn port(node: &Node, out: &mut Problems) -> Option<u16> {
    let written = integer(node, "port", out)?;
    let port = u16::try_from(written.value).ok().filter(|port| *port > 0);
    if port.is_none() {
        let message = format!("{} is not a TCP port", written.value);
        out.push(Diagnostic::error("inventory-port", message).at(written.span).help("ports go from 1 to 65535"));
    }
    port
}

pub(super) fn networks(fields: &Fields<'_>, out: &mut Problems) -> Vec<IpNet> {
    let Some(node) = fields.get("networks") else { return Vec::new() };
    let mut networks: Vec<IpNet> = Vec::new();
    for written in texts(node, "networks", out) {
        let Some(network) = network(&written, out) else { continue };
        if networks.contains(&network) {
            out.push(Diagnostic::error("inventory-twice", format!("`{network}` is listed twice")).at(written.span));
        } else {
            networks.push(network);
        }
    }
    networks
}

fn network(written: &Spanned<String>, out: &mut Problems) -> Option<IpNet> {
    let shown = shortened(&written.value);
    let mut refuse = |message: String, help: String| {
        out.push(Diagnostic::error("inventory-network", message).at(written.span).help(help));
        None
    };
    if let Ok(ip) = written.value.parse::<IpAddr>() {
        return refuse(format!("`{shown}` has no prefix length"), format!("write `{}`", IpNet::from(ip)));
    }
    let Ok(network) = written.value.parse::<IpNet>() else {
        let help = "write a network such as `192.0.2.0/24` or `2001:db8::/32`";
        return refuse(format!("`{shown}` is not a network"), help.to_owned());
    };
    if network.prefix_len() == 0 {
        return refuse(format!("`{shown}` is every address"), "list the networks of the organisation".to_owned());
    }
    if network.trunc() != network {
        // Which of both is meant is not ours to guess: the one address, or the network it lies in.
        let help = format!(
            "write `{}` for the network, or `{}` for the address",
            network.trunc(),
            IpNet::from(network.addr())
        );
        return refuse(format!("`{shown}` has bits set after its prefix"), help);
    }
    Some(network)
}

pub(super) fn block_lists(node: &Node, out: &mut Problems) -> Option<BlockLists> {
    let fields = Fields::read(node, "`block_lists`", &["hosts", "domains"], out)?;
    Some(BlockLists { hosts: names(&fields, "hosts", out), domains: names(&fields, "domains", out) })
}

pub(super) fn probe(node: &Node, out: &mut Problems) -> Option<ProbeIdentity> {
    let fields = Fields::read(node, "`probe`", &["ehlo", "contact"], out)?;
    let ehlo = fields.optional_text("ehlo", out);
    Some(ProbeIdentity {
        ehlo: ehlo.and_then(|written| host_name(&written, "write the name of the host that probes", out)),
        contact: fields.optional_text("contact", out).map(|contact| contact.value),
    })
}

#[cfg(test)]
mod tests {
    use crate::diag::Files;
    use crate::inventory::{Inventory, Service, ServiceDeclaration};
    use crate::mail::Name;

    fn load(text: &str) -> Result<Inventory, Vec<String>> {
        let mut files = Files::default();
        Inventory::load(&mut files, "mailvet.yaml", text.as_bytes()).map_err(|problems| {
            assert!(problems.iter().all(|problem| problem.span.is_some()));
            let help = |text: Option<&str>| text.map(|text| format!(" / {text}")).unwrap_or_default();
            problems.iter().map(|problem| format!("{}{}", problem.message, help(problem.help.as_deref()))).collect()
        })
    }

    const FULL: &str = "\
networks: [192.0.2.0/24, \"2001:db8::/32\"]
hosts:
  - name: MX1.example.org.
    addresses: [192.0.2.1, \"2001:db8::1\"]
    services: [smtp, imaps, { protocol: smtp, port: 2525 }, { protocol: pop3 }]
    owner: postmaster team
  - name: mx2.example.org
senders: [ { ip: 198.51.100.7, name: Out.example.org } ]
block_lists: { hosts: [Zen.example.net], domains: [] }
probe: { ehlo: audit.example.org, contact: \"mailto:audit@example.org\" }
domains:
  - { name: example.org, mx: [mx3.example.org], senders: [ { ip: 198.51.100.8 } ] }
";

    #[test]
    fn hosts_services_and_lists_load() {
        let inventory = load(FULL).unwrap();
        let [first, second] = inventory.hosts.as_slice() else { panic!("{:?}", inventory.hosts) };
        assert_eq!(first.name.as_str(), "mx1.example.org");
        assert_eq!(first.addresses.as_ref().unwrap().len(), 2);
        let declared = |protocol, port| ServiceDeclaration { protocol, port };
        let services = [
            declared(Service::Smtp, 25),
            declared(Service::Imaps, 993),
            declared(Service::Smtp, 2525),
            declared(Service::Pop3, 110),
        ];
        assert_eq!(first.services.as_deref(), Some(services.as_slice()));
        assert_eq!(first.owner.as_deref(), Some("postmaster team"));
        let span = first.span.unwrap();
        assert_eq!(&FULL[span.start as usize..span.end as usize], "MX1.example.org.");
        assert_eq!((&second.addresses, &second.services), (&None, &None));
        let lists = inventory.block_lists.as_ref().unwrap();
        assert_eq!(lists.hosts.as_ref().unwrap()[0].as_str(), "zen.example.net");
        assert_eq!(lists.domains.as_deref(), Some([].as_slice()));
        assert_eq!(inventory.senders[0].name.as_ref().unwrap().as_str(), "out.example.org");
        let probe = inventory.probe.as_ref().unwrap();
        assert_eq!(probe.ehlo.as_ref().unwrap().as_str(), "audit.example.org");
        assert_eq!(probe.contact.as_deref(), Some("mailto:audit@example.org"));
    }

    #[test]
    fn only_what_is_named_is_claimed() {
        let inventory = load(FULL).unwrap();
        for (host, claimed) in [
            ("mx1.example.org", true),
            ("mx3.example.org", true),
            ("mx4.example.org", false),
            ("out.example.org", false),
            ("example.org", false),
        ] {
            assert_eq!(inventory.claims(&Name::parse(host).unwrap()), claimed, "{host}");
        }
        for (address, claimed, sends, inside) in [
            ("192.0.2.1", true, false, true),
            ("2001:db8::1", true, false, true),
            ("192.0.2.2", false, false, true),
            ("198.51.100.7", true, true, false),
            ("198.51.100.8", true, true, false),
            ("2001:db9::1", false, false, false),
        ] {
            let ip = address.parse().unwrap();
            let found = (inventory.claims_address(ip), inventory.is_sender(ip), inventory.in_networks(ip));
            assert_eq!(found, (claimed, sends, Some(inside)), "{address}");
        }
        assert_eq!(Inventory::default().in_networks("192.0.2.1".parse().unwrap()), None);
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        let words = "(smtp, submission, submissions, imap, imaps, pop3, pop3s)";
        let cases = [
            ("networks: [192.0.2.1]", "`192.0.2.1` has no prefix length / write `192.0.2.1/32`".to_owned()),
            (
                "networks: [192.0.2.1/24]",
                "`192.0.2.1/24` has bits set after its prefix / write `192.0.2.0/24` for the network, or `192.0.2.1/32` for the address".into(),
            ),
            (
                "networks: [192.0.2.0/33]",
                "`192.0.2.0/33` is not a network / write a network such as `192.0.2.0/24` or `2001:db8::/32`".into(),
            ),
            ("networks: [\"::/0\"]", "`::/0` is every address / list the networks of the organisation".into()),
            ("networks: [10.0.0.0/8, 10.0.0.0/8]", "`10.0.0.0/8` is listed twice".into()),
            (
                "hosts: [mx.example]",
                "an item of `hosts` must be a mapping, but is the text `mx.example` / write `- name: mx.example`".into(),
            ),
            ("hosts: [ { owner: x } ]", "a host needs `name` / add the name of the host".into()),
            ("hosts: [ { name: a.example, adresses: [192.0.2.1] } ]", "unknown key `adresses` in a host / did you mean `addresses`?".into()),
            (
                "hosts: [ { name: 192.0.2.1 } ]",
                "`192.0.2.1` is an address, not the name of a host / it goes into `addresses`".into(),
            ),
            (
                "hosts:\n  - name: a.example\n  - name: A.example",
                "`a.example` is listed twice / it was first listed on line 2; merge both entries".into(),
            ),
            (
                "hosts: [ { name: a.example, addresses: [] } ]",
                "a host without addresses cannot be reached / list its addresses, or leave `addresses` out to take those of DNS".into(),
            ),
            (
                "hosts: [ { name: a.example, addresses: [192.0.2.0/24] } ]",
                "`192.0.2.0/24` is not an IP address / a host has single addresses; networks go into `networks`".into(),
            ),
            ("hosts: [ { name: a.example, addresses: [192.0.2.1, 192.0.2.1] } ]", "`192.0.2.1` is listed twice".into()),
            (
                "hosts: [ { name: a.example, services: [imapss] } ]",
                format!("`imapss` is not a value of `services` {words} / did you mean `imaps`?"),
            ),
            (
                "hosts: [ { name: a.example, services: [smtp, { protocol: imap, port: 25 }] } ]",
                "port 25 is listed twice / a port speaks one protocol; remove one of both".into(),
            ),
            (
                "hosts: [ { name: a.example, services: [ { protocol: smtp, port: 65536 } ] } ]",
                "65536 is not a TCP port / ports go from 1 to 65535".into(),
            ),
            (
                "hosts: [ { name: a.example, services: [ { port: 25 } ] } ]",
                "a service needs `protocol` / add what the port speaks, such as `protocol: smtp`".into(),
            ),
            ("block_lists: { host: [] }", "unknown key `host` in `block_lists` / did you mean `hosts`?".into()),
            ("block_lists: { hosts: [a.example, A.example] }", "`a.example` is listed twice".into()),
            ("probe: { helo: a.example }", "unknown key `helo` in `probe` / did you mean `ehlo`?".into()),
            (
                "senders: [ { ip: 192.0.2.1, name: 192.0.2.2 } ]",
                "`192.0.2.2` is an address, not the name of a host / it goes into `ip`".into(),
            ),
            ("network: []", "unknown key `network` in an inventory / did you mean `networks`?".into()),
        ];
        for (text, expected) in cases {
            assert_eq!(load(text).unwrap_err(), [expected], "{text}");
        }
    }

    #[test]
    fn services_are_written_as_briefly_as_they_may_be() {
        for text in [r#""smtp""#, r#"{"protocol":"smtp","port":2525}"#] {
            let service: ServiceDeclaration = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&service).unwrap(), text);
        }
        assert!(serde_json::from_str::<ServiceDeclaration>(r#"{"protocol":"smtp","prot":1}"#).is_err());
    }
}
