//! Reads an inventory from YAML. All mistakes are collected; one is enough that nothing is loaded, because a domain that
//! silently drops out of an inventory would drop out of the audit.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{DnsInput, Domain, Inventory, Organisation, Role, Sender, hosts};
use crate::diag::fields::{Fields, Problems, integer, list, text, texts, word};
use crate::diag::yaml::{Limits, Node, Spanned, parse, shortened};
use crate::diag::{Diagnostic, Files, Span};
use crate::mail::Name;

const ROLES: &[(&str, Role)] = &[("sends", Role::Sends), ("receives", Role::Receives), ("parked", Role::Parked)];

impl Inventory {
    /// Registers and reads an inventory. On failure, everything that is wrong with it, in the order of the file.
    pub fn load(files: &mut Files, path: &str, bytes: &[u8]) -> Result<Inventory, Vec<Diagnostic>> {
        let file = files.add(path, bytes);
        let mut out = Problems::new();
        let node = parse(files, file, &Limits::INVENTORY, &mut out);
        let inventory = node.and_then(|node| read(files, &node, &mut out));
        out.sort_by_key(|problem| problem.span);
        match inventory {
            Some(inventory) if out.is_empty() => Ok(inventory),
            _ => Err(out),
        }
    }
}

fn read(files: &Files, node: &Node, out: &mut Problems) -> Option<Inventory> {
    let keys = [
        "format",
        "organisation",
        "domains",
        "senders",
        "networks",
        "hosts",
        "block_lists",
        "probe",
        "dns",
        "profile",
        "waivers",
        "answers",
    ];
    let fields = Fields::read(node, "an inventory", &keys, out)?;
    let domains: Vec<Domain> = fields.items("domains", out).iter().filter_map(|item| domain(item, out)).collect();
    no_entry_twice(files, domains.iter().map(|domain| (&domain.name, domain.span)), out);
    let hosts = hosts::hosts(&fields, out);
    no_entry_twice(files, hosts.iter().map(|host| (&host.name, host.span)), out);
    Some(Inventory {
        format: fields.get("format").and_then(|node| format(node, out)),
        organisation: fields.get("organisation").and_then(|node| organisation(node, out)),
        domains,
        senders: senders(&fields, out),
        networks: hosts::networks(&fields, out),
        hosts,
        block_lists: fields.get("block_lists").and_then(|node| hosts::block_lists(node, out)),
        probe: fields.get("probe").and_then(|node| hosts::probe(node, out)),
        dns: fields.get("dns").and_then(|node| dns(node, out)),
        profile: fields.optional_text("profile", out).map(|profile| profile.value),
        waivers: paths(&fields, "waivers", out),
        answers: paths(&fields, "answers", out),
    })
}

fn format(node: &Node, out: &mut Problems) -> Option<u32> {
    let format = integer(node, "format", out)?;
    if format.value != 1 {
        let message = format!("format {} of inventories is not supported", format.value);
        out.push(Diagnostic::error("inventory-format", message).at(format.span).help("this version reads format 1"));
    }
    Some(1)
}

fn organisation(node: &Node, out: &mut Problems) -> Option<Organisation> {
    let keys = ["name", "engagement", "classification", "distribution", "logo"];
    let fields = Fields::read(node, "`organisation`", &keys, out)?;
    let name = fields.text("name", "add the name that reports show", out);
    let mut optional = |key| fields.optional_text(key, out).map(|text| text.value);
    let (engagement, classification, logo) = (optional("engagement"), optional("classification"), optional("logo"));
    let distribution = paths(&fields, "distribution", out);
    Some(Organisation { name: name?.value, engagement, classification, distribution, logo })
}

fn dns(node: &Node, out: &mut Problems) -> Option<DnsInput> {
    let fields = Fields::read(node, "`dns`", &["files"], out)?;
    let files = fields.require("files", "add `files: [dns/]`, or leave `dns` out", out)?;
    Some(DnsInput { files: texts(files, "files", out).into_iter().map(|path| path.value).collect() })
}

fn paths(fields: &Fields<'_>, key: &'static str, out: &mut Problems) -> Vec<String> {
    let node = fields.get(key);
    node.map_or_else(Vec::new, |node| texts(node, key, out).into_iter().map(|path| path.value).collect())
}

fn domain(node: &Node, out: &mut Problems) -> Option<Domain> {
    if let Some(scalar) = node.scalar() {
        let help = format!("write `- name: {}`", shortened(&scalar.text));
        out.push(crate::diag::fields::wrong_type(node, "an item of `domains`", "a mapping").help(help));
        return None;
    }
    let keys = ["name", "roles", "mx", "ns", "dkim_selectors", "senders", "mta_sts_policy", "owner"];
    let fields = Fields::read(node, "a domain", &keys, out)?;
    let name = fields.text("name", "add the name of the domain", out);
    let name = name.and_then(|written| Some(Spanned::new(domain_name(&written, out)?, written.span)));
    let roles = roles(&fields, out);
    let domain = Domain {
        mx: names(&fields, "mx", out),
        ns: names(&fields, "ns", out),
        dkim_selectors: selectors(&fields, out),
        senders: senders(&fields, out),
        mta_sts_policy: fields.optional_text("mta_sts_policy", out).map(|path| path.value),
        owner: fields.optional_text("owner", out).map(|owner| owner.value),
        span: name.as_ref().map(|name| name.span),
        name: name?.value,
        roles,
    };
    if domain.roles == [Role::Parked] {
        parked_is_unused(&domain, &fields, out);
    }
    Some(domain)
}

/// A domain that has mail servers or senders of its own is not parked; which of both is true is not ours to guess.
fn parked_is_unused(domain: &Domain, fields: &Fields<'_>, out: &mut Problems) {
    let declared = [
        ("mx", domain.mx.as_ref().is_some_and(|mx| !mx.is_empty())),
        ("senders", !domain.senders.is_empty()),
        ("dkim_selectors", domain.dkim_selectors.as_ref().is_some_and(|selectors| !selectors.is_empty())),
    ];
    for (key, declared) in declared {
        if let (true, Some(entry)) = (declared, fields.entry(key)) {
            let message = format!("`{}` is parked, and yet has `{key}`", domain.name);
            let problem = Diagnostic::error("inventory-parked", message).at(entry.key_span);
            out.push(
                problem.help(format!("remove `{key}`, or declare what the domain does: `roles: [sends, receives]`")),
            );
        }
    }
}

fn roles(fields: &Fields<'_>, out: &mut Problems) -> Vec<Role> {
    let Some(node) = fields.get("roles") else { return Vec::new() };
    let mut roles: Vec<Role> = Vec::new();
    for item in list(node, "roles", out).unwrap_or(&[]) {
        let Some(role) = word(item, "roles", ROLES, out) else { continue };
        if roles.contains(&role.value) {
            out.push(Diagnostic::error("inventory-role", "the role is listed twice").at(role.span));
        } else {
            roles.push(role.value);
        }
    }
    if roles.contains(&Role::Parked) && roles.len() > 1 {
        out.push(
            Diagnostic::error("inventory-role", "`parked` excludes the other roles")
                .at(node.span)
                .help("a parked domain neither sends nor receives: write `[parked]`, or drop it"),
        );
    }
    roles
}

pub(super) fn names(fields: &Fields<'_>, key: &'static str, out: &mut Problems) -> Option<Vec<Name>> {
    let node = fields.get(key)?;
    let mut names = Vec::new();
    for written in texts(node, key, out) {
        let Some(name) = domain_name(&written, out) else { continue };
        if names.contains(&name) {
            out.push(Diagnostic::error("inventory-twice", format!("`{name}` is listed twice")).at(written.span));
        }
        names.push(name);
    }
    Some(names)
}

pub(super) fn domain_name(written: &Spanned<String>, out: &mut Problems) -> Option<Name> {
    let text = &written.value;
    let problem =
        |message: String, help: &str| Diagnostic::error("inventory-name", message).at(written.span).help(help);
    let shown = shortened(text);
    if let Some(host) = text.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest)) {
        out.push(problem(format!("`{shown}` is an address of the web, not a domain"), &format!("write `{host}`")));
        return None;
    }
    if let Some((_, host)) = text.split_once('@') {
        out.push(problem(format!("`{shown}` is a mailbox, not a domain"), &format!("write `{host}`")));
        return None;
    }
    if text.contains('*') {
        out.push(problem(format!("`{shown}` is a pattern, not a domain"), "list each domain with its own name"));
        return None;
    }
    if text.parse::<IpAddr>().is_ok() {
        out.push(problem(format!("`{shown}` is an address, not a domain"), "addresses go into `senders`"));
        return None;
    }
    if text.contains(|character: char| character.is_whitespace() || matches!(character, '/' | ':' | ',')) {
        out.push(problem(format!("`{shown}` is not a domain name"), "write one name, such as `example.org`"));
        return None;
    }
    match Name::parse(text) {
        Ok(name) if name.is_root() => {
            out.push(problem("the root `.` is not a mail domain".to_owned(), "write the name of a domain"));
            None
        }
        Ok(name) => Some(name),
        Err(error) => {
            out.push(problem(format!("`{shown}` is not a domain name: {error}"), "write it as in DNS"));
            None
        }
    }
}

fn selectors(fields: &Fields<'_>, out: &mut Problems) -> Option<Vec<String>> {
    let node = fields.get("dkim_selectors")?;
    let mut selectors = Vec::new();
    for written in texts(node, "dkim_selectors", out) {
        // RFC 6376 section 3.1: a selector is one or more labels below `_domainkey`; DNS does not see their case.
        let selector = written.value.to_ascii_lowercase();
        if selector.ends_with("_domainkey") || selector.contains("._domainkey.") || selector.contains("_domainkey.") {
            let message = format!("`{}` is a name below `_domainkey`, not a selector", shortened(&selector));
            let first = selector.split("._domainkey").next().unwrap_or(&selector);
            out.push(
                Diagnostic::error("inventory-selector", message).at(written.span).help(format!("write `{first}`")),
            );
        } else if Name::parse(&selector).is_err() || !selector.bytes().all(is_selector_byte) {
            let message = format!("`{}` is not a DKIM selector", shortened(&selector));
            out.push(Diagnostic::error("inventory-selector", message).at(written.span));
        } else if selectors.contains(&selector) {
            out.push(Diagnostic::error("inventory-twice", format!("`{selector}` is listed twice")).at(written.span));
        } else {
            selectors.push(selector);
        }
    }
    Some(selectors)
}

fn is_selector_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn senders(fields: &Fields<'_>, out: &mut Problems) -> Vec<Sender> {
    let mut senders: Vec<Sender> = Vec::new();
    for item in fields.items("senders", out) {
        let Some((sender, span)) = sender(item, out) else { continue };
        if senders.iter().any(|other| other.ip == sender.ip) {
            out.push(Diagnostic::error("inventory-twice", format!("`{}` is listed twice", sender.ip)).at(span));
        }
        senders.push(sender);
    }
    senders
}

fn sender(node: &Node, out: &mut Problems) -> Option<(Sender, Span)> {
    if let Some(scalar) = node.scalar() {
        let help = format!("write `- ip: {}`", shortened(&scalar.text));
        out.push(crate::diag::fields::wrong_type(node, "an item of `senders`", "a mapping").help(help));
        return None;
    }
    let fields = Fields::read(node, "a sender", &["ip", "name", "note"], out)?;
    let note = fields.optional_text("note", out).map(|note| note.value);
    let name = fields.optional_text("name", out).and_then(|name| hosts::host_name(&name, "it goes into `ip`", out));
    let written = text(fields.require("ip", "add the address that sends mail", out)?, "ip", out)?;
    let ip = address(&written, "networks are not supported; list each address that sends mail", out)?;
    Some((Sender { ip, name, note }, written.span))
}

/// An IP address; `no_network` says what to do instead of a network.
pub(super) fn address(written: &Spanned<String>, no_network: &str, out: &mut Problems) -> Option<IpAddr> {
    let address = written.value.parse().ok();
    if address.is_none() {
        let message = format!("`{}` is not an IP address", shortened(&written.value));
        let example = "write an address such as `192.0.2.25` or `2001:db8::25`";
        let help = if written.value.contains('/') { no_network } else { example };
        out.push(Diagnostic::error("inventory-address", message).at(written.span).help(help));
    }
    address
}

fn no_entry_twice<'e>(files: &Files, entries: impl Iterator<Item = (&'e Name, Option<Span>)>, out: &mut Problems) {
    let mut first: BTreeMap<&Name, Option<Span>> = BTreeMap::new();
    for (name, span) in entries {
        let Some(earlier) = first.insert(name, span) else { continue };
        let mut problem = Diagnostic::error("inventory-twice", format!("`{name}` is listed twice"));
        if let Some(span) = span {
            problem = problem.at(span).label("again here");
        }
        if let Some(earlier) = earlier {
            problem =
                problem.help(format!("it was first listed on line {}; merge both entries", files.place(earlier).line));
        }
        out.push(problem);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(text: &str) -> Result<Inventory, String> {
        let mut files = Files::default();
        Inventory::load(&mut files, "mailvet.yaml", text.as_bytes())
            .map_err(|problems| problems.iter().map(|problem| problem.render(&files)).collect())
    }

    #[test]
    fn a_full_inventory_loads() {
        let text = "\
format: 1
organisation: { name: Example Ltd }
dns: { files: [dns/] }
profile: profile.yaml
waivers: [waivers.yaml]
answers: [answers.yaml]
senders:
  - { ip: 192.0.2.25, note: relay }
domains:
  - name: Example.ORG.
    roles: [sends, receives]
    mx: [MX1.example.org]
    ns: [ns1.example.net]
    dkim_selectors: [S1, mail.2024]
    senders: [ { ip: \"2001:db8::25\" } ]
    mta_sts_policy: mta-sts.txt
    owner: postmaster team
  - { name: münchen.example, roles: [parked] }
";
        let inventory = load(text).unwrap();
        let first = &inventory.domains[0];
        assert_eq!(first.name.as_str(), "example.org");
        assert_eq!(first.roles, [Role::Sends, Role::Receives]);
        assert_eq!(first.mx.as_ref().unwrap()[0].as_str(), "mx1.example.org");
        assert_eq!(first.dkim_selectors.as_ref().unwrap(), &["s1", "mail.2024"]);
        assert_eq!(first.senders[0].ip.to_string(), "2001:db8::25");
        let span = first.span.unwrap();
        assert_eq!(&text[span.start as usize..span.end as usize], "Example.ORG.");
        let second = &inventory.domains[1];
        assert_eq!((second.name.as_str(), second.roles.as_slice()), ("xn--mnchen-3ya.example", &[Role::Parked][..]));
        assert_eq!((second.mx.as_ref(), second.ns.as_ref()), (None, None));
        assert_eq!(inventory.senders[0].note.as_deref(), Some("relay"));
    }

    #[test]
    fn mistakes_are_answered_with_place_and_help() {
        let cases = [
            (
                "domains:\n  - { nmae: example.org }\n",
                "error[missing-key]: a domain needs `name`\n  mailvet.yaml:2:5\n  2 |   - { nmae: example.org }\n          \
                 ^^^^^^^^^^^^^^^^^^^^^\n  help: add the name of the domain\nerror[unknown-key]: unknown key `nmae` in a domain\n  \
                 mailvet.yaml:2:7\n  2 |   - { nmae: example.org }\n            ^^^^\n  help: did you mean `name`?\n",
            ),
            (
                "domains:\n  - name: example.org\n  - name: EXAMPLE.org.\n",
                "error[inventory-twice]: `example.org` is listed twice\n  mailvet.yaml:3:11\n  3 |   - name: EXAMPLE.org.\n                \
                 ^^^^^^^^^^^^ again here\n  help: it was first listed on line 2; merge both entries\n",
            ),
            (
                "domains:\n  - { name: a.example, roles: [parked, sends] }\n",
                "error[inventory-role]: `parked` excludes the other roles\n  mailvet.yaml:2:31\n  2 |   - { name: a.example, roles: \
                 [parked, sends] }\n                                    ^^^^^^^^^^^^^^^\n  help: a parked domain neither sends nor \
                 receives: write `[parked]`, or drop it\n",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(load(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        let cases = [
            ("domains: [example.org]", "an item of `domains` must be a mapping, but is the text `example.org`"),
            (
                "domains: [ { name: a.example, roles: [recieves] } ]",
                "`recieves` is not a value of `roles` (sends, receives, parked)",
            ),
            ("domains: [ { name: a.example, roles: [sends, sends] } ]", "the role is listed twice"),
            ("domains: [ { name: a..example } ]", "`a..example` is not a domain name: the name has an empty label"),
            (
                "domains: [ { name: \"https://a.example/x\" } ]",
                "`https://a.example/x` is an address of the web, not a domain",
            ),
            ("domains: [ { name: postmaster@a.example } ]", "`postmaster@a.example` is a mailbox, not a domain"),
            ("domains: [ { name: \"*.a.example\" } ]", "`*.a.example` is a pattern, not a domain"),
            ("domains: [ { name: 192.0.2.1 } ]", "`192.0.2.1` is an address, not a domain"),
            ("domains: [ { name: \".\" } ]", "the root `.` is not a mail domain"),
            ("domains: [ { name: a.example, mx: [m.example, M.example.] } ]", "`m.example` is listed twice"),
            (
                "domains: [ { name: a.example, dkim_selectors: [s1._domainkey] } ]",
                "`s1._domainkey` is a name below `_domainkey`, not a selector",
            ),
            ("domains: [ { name: a.example, dkim_selectors: [s1, S1] } ]", "`s1` is listed twice"),
            (
                "domains: [ { name: a.example, roles: [parked], mx: [m.example] } ]",
                "`a.example` is parked, and yet has `mx`",
            ),
            ("senders: [ { ip: 192.0.2.0/24 } ]", "`192.0.2.0/24` is not an IP address"),
            ("senders: [ { ip: 192.0.2.1 }, { ip: 192.0.2.1 } ]", "`192.0.2.1` is listed twice"),
            ("senders: [ 192.0.2.1 ]", "an item of `senders` must be a mapping, but is the text `192.0.2.1`"),
            ("dns: {}", "`dns` needs `files`"),
            ("format: 2", "format 2 of inventories is not supported"),
            ("[]", "an inventory must be a mapping, but is a list"),
        ];
        for (text, expected) in cases {
            let mut files = Files::default();
            let problems = Inventory::load(&mut files, "mailvet.yaml", text.as_bytes()).unwrap_err();
            let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            assert_eq!(messages, [expected], "{text}");
            assert!(problems[0].span.is_some());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_input_panics(text in "(domains:|senders:|name: |roles: |ip: |mx: |- |\\n|  |\\{|\\}|\\[|\\]|, |parked|é\\.example|\\*|\\\\|\\.|@){0,40}") {
            let _ = load(&text);
        }
    }
}
