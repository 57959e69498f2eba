//! The two organisations: their zones, their inventory, and the servers that play them.

use std::error::Error;
use std::net::SocketAddr;

use tokio_rustls::TlsAcceptor;

use super::dns::{NameServer, Zone};
use super::imap::{ImapServer, Tls};
use super::pop3::Pop3Server;
use super::smtp::SmtpServer;
use super::tls::{Authority, self_signed, serve_page};

type Failed = Box<dyn Error>;

/// Everything outside the two organisations: the root, two zones below it, and block lists for addresses and for domains
/// with the test entries that make a list believable (RFC 5782 section 5).
const WORLD: &[(&str, &str)] = &[
    (".", "@ SOA ns.isp.example. hostmaster.isp.example. 1\n@ NS ns.isp.example."),
    ("example.", EXAMPLE),
    ("com.", "@ SOA ns.isp.example. hostmaster.isp.example. 1\n@ NS ns.isp.example.\nexample A 192.0.2.80"),
    (
        "bl.example.",
        "@ SOA ns.isp.example. hostmaster.isp.example. 1
         @ NS ns.isp.example.
         2.0.0.127 A 127.0.0.2
         66.2.0.192 A 127.0.0.2
         66.2.0.192 TXT \"spam was seen from 192.0.2.66\"",
    ),
    (
        "dbl.example.",
        "@ SOA ns.isp.example. hostmaster.isp.example. 1
         @ NS ns.isp.example.
         test A 127.0.1.2
         careless.example A 127.0.1.2
         careless.example TXT \"seen in spam\"",
    ),
];

/// The zone above both organisations.
const EXAMPLE: &str = "@ SOA ns.isp.example. hostmaster.isp.example. 1\n@ NS ns.isp.example.\nns.isp A 127.0.0.1";

/// The zone of the well-run organisation.
const WELL_RUN: &str = r#"
    @ SOA ns1 hostmaster 2026112101
    @ NS ns1
    @ NS ns2
    @ MX 10 mail
    @ TXT "v=spf1 ip4:192.0.2.25 -all"
    @ CAA 0 issue "ca.example"
    @ CAA 0 issuemail "ca.example"
    _dmarc TXT "v=DMARC1; p=reject; sp=reject; np=reject; rua=mailto:dmarc@well-run.example"
    s2026._domainkey TXT "v=DKIM1; k=rsa; p=KEY"
    _mta-sts TXT "v=STSv1; id=20261121"
    _smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@well-run.example"
    mta-sts A 127.0.0.1
    mail A 127.0.0.1
    ns1 A 127.0.0.1
    ns2 A 127.0.0.1
    out A 192.0.2.25
"#;

/// `KEY` in the zone: an RSA key of 2048 bits, whose private half nobody kept.
const KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxMxaO2IVywsSWPiSTjWlS86Keb0D8bED1bANt2nVJMlK79aE5BG4c3SU\
    cf+E/75g0cYVHqJDfA9nLQVPosPjq1MFclyIB/wt4W3GCR8KoY9dx/gqe1YLTVLSpK17XN1sNy1N79Ccek7hY9l7PmFw6Odboa3x\
    QEv6S6ROZ969ck4woIC7t7eWgmOqqNQf7FI0jZ6q9P+pSt0GFPnKlgTMEzFjZTt3J7+TzTsZLp9o6V93icuBaVCNxYYU7qZ09avq\
    D/osJuC1cjUrKeV0qnczYyW24URhbZbGxvr4cQpXRHlE6idrKYUJ5Bgvdap7pBf1lpVP5JynwJjgn0SSGzICVwIDAQAB";

/// Its MTA-STS policy.
const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mail.well-run.example\nmax_age: 2419200\n";

/// The zone of the careless organisation.
const CARELESS: &str = r#"
    @ SOA ns1 hostmaster 2009010101
    @ NS ns1
    @ MX 10 mail
    @ TXT "v=spf1 ip4:192.0.2.0/24 ~all"
    _dmarc TXT "v=DMARC1; p=none"
    mail A 127.0.0.1
    ns1 A 127.0.0.1
"#;

/// One organisation, with its servers running.
pub(crate) struct Organisation {
    pub(crate) domain: &'static str,
    /// The host that plays everything.
    pub(crate) host: &'static str,
    /// An address that sends its mail; nothing connects to it.
    pub(crate) sender: &'static str,
    /// Where DNS is asked.
    pub(crate) resolver: SocketAddr,
    /// Where the name servers of zones are asked directly.
    pub(crate) name_server: SocketAddr,
    /// Where the MTA-STS policy is, if there is one.
    pub(crate) web: Option<SocketAddr>,
    /// Its mail services; the first is the mail exchanger.
    pub(crate) services: Vec<(&'static str, SocketAddr)>,
    /// What must be found, and where: a service, `domain`, `host` or `sender`. Where nothing must be, nothing may be.
    pub(crate) faults: &'static [(&'static str, &'static str)],
}

/// An organisation that does everything as it should.
pub(crate) async fn well_run(authority: &Authority) -> Result<Organisation, Failed> {
    let (domain, host) = ("well-run.example", "mail.well-run.example");
    let own = Zone::read("well-run.example.", &WELL_RUN.replace("KEY", KEY))?;
    let mut zones = world()?;
    zones.push(own.clone());
    zones.push(reverse("127.in-addr.arpa.", "1.0.0 PTR mail.well-run.example.")?);
    zones.push(reverse("2.0.192.in-addr.arpa.", "25 PTR out.well-run.example.")?);
    let resolver = NameServer { zones, recursion: true, transfer: false }.start().await?;
    // Its name server answers nobody about names of others. It stands in for the one of the zone above, too: both have the
    // same address here.
    let above = Zone::read("example.", EXAMPLE)?;
    let name_server = NameServer { zones: vec![own, above], recursion: false, transfer: false }.start().await?;

    let tls: TlsAcceptor = authority.good(&[host])?;
    let smtp = |submission| SmtpServer {
        host,
        software: "ESMTP",
        domain,
        starttls: Some(tls.clone()),
        submission,
        careful: true,
    };
    let imap = |tls| ImapServer { greeting: "ready", tls, careful: true };
    let pop3 = |tls| Pop3Server { greeting: "ready", tls, careful: true };
    let services = vec![
        ("smtp", smtp(false).start().await?),
        ("submission", smtp(true).start().await?),
        ("imap", imap(Tls::OnRequest(tls.clone())).start().await?),
        ("imaps", imap(Tls::First(tls.clone())).start().await?),
        ("pop3", pop3(Tls::OnRequest(tls.clone())).start().await?),
        ("pop3s", pop3(Tls::First(tls.clone())).start().await?),
    ];
    let certificate = authority.good(&["mta-sts.well-run.example"])?;
    let web = Some(serve_page(certificate, "/.well-known/mta-sts.txt", POLICY.to_owned()).await?);
    Ok(Organisation { domain, host, sender: "192.0.2.25", resolver, name_server, web, services, faults: &[] })
}

/// An organisation that does next to nothing as it should.
pub(crate) async fn careless(authority: &Authority) -> Result<Organisation, Failed> {
    let (domain, host) = ("careless.example", "mail.careless.example");
    let mut zones = world()?;
    zones.push(Zone::read("careless.example.", CARELESS)?);
    // Nobody wrote a PTR record.
    zones.push(reverse("127.in-addr.arpa.", "")?);
    zones.push(reverse("2.0.192.in-addr.arpa.", "")?);
    // One server for everything: it resolves for strangers and hands its zones to them.
    let name_server = NameServer { zones, recursion: true, transfer: true }.start().await?;

    let strange = self_signed(&["localhost.localdomain"])?;
    let smtp = |starttls, submission| SmtpServer {
        host,
        software: "ESMTP Postfix 2.11.0 (Debian/GNU)",
        domain,
        starttls,
        submission,
        careful: false,
    };
    let imap = |tls| ImapServer { greeting: "Dovecot 2.2.9 ready", tls, careful: false };
    let pop3 = |tls| Pop3Server { greeting: "Dovecot 2.2.9 ready", tls, careful: false };
    let services = vec![
        ("smtp", smtp(Some(strange.clone()), false).start().await?),
        ("submission", smtp(None, true).start().await?),
        ("imap", imap(Tls::OnRequest(strange.clone())).start().await?),
        ("imaps", imap(Tls::First(strange)).start().await?),
        ("pop3", pop3(Tls::Never).start().await?),
        ("pop3s", pop3(Tls::First(authority.expired(&[host])?)).start().await?),
    ];
    let (resolver, sender) = (name_server, "192.0.2.66");
    Ok(Organisation { domain, host, sender, resolver, name_server, web: None, services, faults: FAULTS })
}

/// What must be found at the careless organisation.
const FAULTS: &[(&str, &str)] = &[
    ("domain", "spoofing/spf-not-enforced"),
    ("domain", "spoofing/dmarc-not-enforced"),
    ("domain", "transport-dns/mta-sts-missing"),
    ("domain", "dns-health/ns-open-recursion"),
    ("domain", "dns-health/ns-open-transfer"),
    ("domain", "reputation/domain-listed"),
    ("sender", "reputation/sender-ptr-missing"),
    ("sender", "reputation/sender-address-listed"),
    ("host", "reputation/ptr-missing"),
    ("smtp", "smtp-service/open-relay-suspected"),
    ("smtp", "smtp-service/vrfy-confirms"),
    ("smtp", "smtp-service/greeting-discloses-version"),
    ("smtp", "mail-transport/mx-certificate-untrusted"),
    ("smtp", "mail-transport/mx-certificate-name-mismatch"),
    ("submission", "client-access/client-starttls-missing"),
    ("submission", "client-access/password-without-tls"),
    ("submission", "client-access/submission-without-authentication"),
    ("imap", "client-access/imap-login-without-tls"),
    ("imaps", "certificates/certificate-self-signed"),
    ("imaps", "certificates/certificate-name-mismatch"),
    ("pop3", "client-access/client-starttls-missing"),
    ("pop3", "client-access/password-without-tls"),
    ("pop3s", "certificates/certificate-expired"),
];

fn world() -> Result<Vec<Zone>, Failed> {
    WORLD.iter().map(|(name, text)| Zone::read(name, text)).collect()
}

/// A zone of PTR records.
fn reverse(name: &str, records: &str) -> Result<Zone, Failed> {
    Zone::read(name, &format!("@ SOA ns.isp.example. hostmaster.isp.example. 1\n{records}"))
}

impl Organisation {
    /// What mailvet is told about the organisation.
    pub(crate) fn inventory(&self) -> String {
        let Organisation { domain, host, sender, .. } = self;
        // The mail exchanger follows from the MX record.
        let service = |(protocol, address): &(&str, SocketAddr)| {
            format!("      - {{ protocol: {protocol}, port: {} }}\n", address.port())
        };
        let services: String = self.services.iter().skip(1).map(service).collect();
        format!(
            "format: 1
organisation: {{ name: {domain} }}
profile: profile.yaml
domains:
  - name: {domain}
    roles: [sends, receives]
    mx: [{host}]
    dkim_selectors: [s2026]
    senders: [{{ ip: {sender} }}]
hosts:
  - name: {host}
    addresses: [127.0.0.1]
    services:
{services}block_lists: {{ hosts: [bl.example], domains: [dbl.example] }}
probe: {{ ehlo: probe.example }}
"
        )
    }

    /// Name of the target at a place, as reports give it.
    pub(crate) fn target(&self, place: &str) -> String {
        let service = self.services.iter().find(|(name, _)| *name == place);
        match (place, service) {
            ("domain", _) => self.domain.to_owned(),
            ("sender", _) => format!("[{}]", self.sender),
            (_, Some((_, address))) => format!("{}[{}]:{}", self.host, address.ip(), address.port()),
            (_, None) => format!("{}[127.0.0.1]", self.host),
        }
    }
}
