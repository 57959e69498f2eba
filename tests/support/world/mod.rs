//! Two organisations on loopback, a careful and a careless one, looked at as a live run looks at them: signed zones
//! behind a resolver and name servers, mail services, a policy host. Everything can be told to fail.
//!
//! The addresses 127.0.0.1 to 127.0.0.6 are different servers, which only some systems allow without asking.

#![allow(dead_code, clippy::unwrap_used, reason = "a world that does not stand leaves a test nothing to go on with")]

pub(crate) mod mail;
pub(crate) mod names;
pub(crate) mod zones;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailvet::collectors::{self, Cache, Context, HostInput, ServiceInput};
use mailvet::diag::Files;
use mailvet::engine::assess_target;
use mailvet::facts::service::Protocol;
use mailvet::facts::{Method, Recorder, TargetFacts};
use mailvet::findings::Verdict;
use mailvet::inventory::Inventory;
use mailvet::mail::Name;
use mailvet::policy::{Policy, Selection, build_policy, embedded_packs, load_profile};
use mailvet::probes::https::{PolicyFetch, fetch_policy};
use mailvet::probes::tls::TrustStore;
use mailvet::probes::{self, Endpoint, ServiceProbe, Settings};
use mailvet::sources::{Live, live};

use self::mail::{Certificates, Server, Speaks};
use self::names::{Names, Role};
use self::zones::Zone;

/// Domains of the world.
pub(crate) const DOMAINS: [&str; 4] = ["good.org", "parked.org", "bad.org", "sub.bad.org"];

const PROTOCOLS: [Protocol; 7] = [
    Protocol::Smtp,
    Protocol::Submission,
    Protocol::Submissions,
    Protocol::Imap,
    Protocol::Imaps,
    Protocol::Pop3,
    Protocol::Pop3s,
];

const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx1.good.org\r\nmax_age: 1209600\r\n";

pub(crate) const INVENTORY: &str = "format: 1
networks: [127.0.0.0/30]
senders: [{ ip: 127.0.0.1, name: mx1.good.org }]
hosts:
  - { name: mx1.good.org, addresses: [127.0.0.1] }
  - { name: mx.bad.org, addresses: [127.0.0.4] }
block_lists: { hosts: [bl.test, other.test], domains: [dl.test] }
domains:
  - { name: good.org, roles: [sends, receives], mx: [mx1.good.org], ns: [ns1.good.org, ns2.good.org], dkim_selectors: [s1] }
  - { name: parked.org, roles: [parked] }
  - { name: bad.org, mx: [mx1.good.org], ns: [ns1.good.org], dkim_selectors: [s1, gone] }
";

/// Everything that runs.
pub(crate) struct World {
    pub(crate) names: Names,
    pub(crate) services: Vec<(&'static str, Protocol, Server)>,
    pub(crate) web: Server,
    anchor: String,
    trust: Arc<TrustStore>,
    inventory: Inventory,
    policy: Policy,
}

/// How a run waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) dns: Duration,
    pub(crate) attempts: u32,
    pub(crate) session: Duration,
}

impl Patience {
    /// Long enough for a busy machine.
    pub(crate) const LONG: Patience =
        Patience { dns: Duration::from_secs(10), attempts: 3, session: Duration::from_secs(20) };
    /// For servers that are expected to say nothing.
    pub(crate) const SHORT: Patience =
        Patience { dns: Duration::from_millis(150), attempts: 1, session: Duration::from_millis(300) };
}

/// What sessions showed.
pub(crate) struct Sessions {
    pub(crate) services: Vec<ServiceProbe>,
    pub(crate) fetches: Vec<PolicyFetch>,
}

/// The verdict of every rule on every target.
pub(crate) type Verdicts = BTreeMap<(String, String), Verdict>;

fn ip(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

impl World {
    /// Starts everything.
    pub(crate) async fn start() -> World {
        let certificates = Certificates::new();
        let good = certificates.leaf("mx1.good.org", true);
        let bad = certificates.leaf("elsewhere.example", false);
        let mut services = Vec::new();
        for protocol in PROTOCOLS {
            for (host, address, careless, leaf) in
                [("mx1.good.org", ip(1), false, &good), ("mx.bad.org", ip(4), true, &bad)]
            {
                services.push((host, protocol, Server::start(address, Speaks::Mail(protocol), careless, leaf).await));
            }
        }
        let host = certificates.leaf("mta-sts.good.org", true);
        let web = Server::start(ip(1), Speaks::Web(POLICY), false, &host).await;
        let ports: Vec<String> = services.iter().map(|(_, _, server)| server.address.port().to_string()).collect();
        let zones = zones(&good.tlsa(), &ports);
        let anchor = zones[0].anchor();
        let names = Names::start(zones, roles()).await;
        let mut files = Files::default();
        let inventory = Inventory::load(&mut files, "mailvet.yaml", INVENTORY.as_bytes()).unwrap();
        let trust = Arc::new(TrustStore::from_pem(certificates.pem.as_bytes()).unwrap());
        World { names, services, web, anchor, trust, inventory, policy: every_rule() }
    }

    /// The number of rules.
    pub(crate) fn rules(&self) -> usize {
        self.policy.rules.len()
    }

    /// DNS as a run asks it. Every run begins without memory.
    pub(crate) async fn live(&self, patience: Patience, recorder: &Arc<Recorder>) -> Live {
        Live::new(self.options(patience), Arc::clone(recorder)).await.unwrap()
    }

    /// How DNS is asked.
    pub(crate) fn options(&self, patience: Patience) -> live::Options {
        live::Options {
            resolvers: vec![self.names.resolver()],
            compare: Some((ip(6), self.names.port).into()),
            authority_port: self.names.port,
            timeout: patience.dns,
            attempts: patience.attempts,
            concurrency: 64,
            trust_anchors: Some(self.anchor.clone()),
            ..live::Options::default()
        }
    }

    /// The authorities that are trusted.
    pub(crate) fn trust(&self) -> &TrustStore {
        &self.trust
    }

    /// Holds all sessions.
    pub(crate) async fn sessions(&self, patience: Patience, recorder: &Recorder) -> Sessions {
        let mut settings = Settings::new(Arc::clone(&self.trust));
        settings.connect_timeout = patience.session;
        settings.reply_timeout = patience.session;
        settings.service_timeout = patience.session * 30;
        settings.active = true;
        let endpoints: Vec<Endpoint> = self
            .services
            .iter()
            .map(|(host, protocol, server)| Endpoint {
                host: Name::parse(host).unwrap(),
                address: server.address,
                protocol: *protocol,
                claimed: true,
                domains: vec![Name::parse(host.split_once('.').unwrap().1).unwrap()],
            })
            .collect();
        let probes = endpoints.iter().map(|endpoint| probes::probe(endpoint, &settings, recorder));
        let services = futures_util::future::join_all(probes).await;
        let domain = Name::parse("good.org").unwrap();
        let fetches = vec![fetch_policy(&domain, &[self.web.address], &settings, recorder).await];
        Sessions { services, fetches }
    }

    /// The facts of every target, with the name of the target.
    pub(crate) async fn facts(&self, live: &Live, sessions: &Sessions) -> Vec<(String, TargetFacts)> {
        let mut found = Vec::new();
        for domain in DOMAINS {
            let name = Name::parse(domain).unwrap();
            let mut facts = self.settle(live, &[], |context| collectors::domain(context, &name)).await;
            if facts.mta_sts.valid.observed.present() == Some(&true) {
                facts = self.settle(live, &sessions.fetches, |context| collectors::domain(context, &name)).await;
            }
            found.push((domain.to_owned(), TargetFacts::Domain(facts)));
        }
        for (host, address, outbound) in [("mx1.good.org", ip(1), true), ("mx.bad.org", ip(4), false)] {
            let host = Some(Name::parse(host).unwrap());
            let input = HostInput { host, address, claimed: true, inbound: true, outbound };
            let facts = self.settle(live, &[], |context| collectors::host(context, &input)).await;
            found.push((input.name(), TargetFacts::Host(Box::new(facts))));
        }
        for probe in &sessions.services {
            let input = ServiceInput { probe, mx_for: &probe.endpoint.domains };
            let facts = self.settle(live, &[], |context| collectors::service(context, &input)).await;
            let name = format!("{} {}", probe.endpoint.host, probe.endpoint.protocol);
            found.push((name, TargetFacts::Service(Box::new(facts))));
        }
        found
    }

    async fn settle<T>(&self, live: &Live, fetches: &[PolicyFetch], collect: impl Fn(&Context<'_>) -> T) -> T {
        let run = |view: &live::View<'_>| {
            collect(&Context {
                source: view,
                method: Method::Dns,
                inventory: Some(&self.inventory),
                policies: &[],
                fetches,
                cache: Cache::default(),
            })
        };
        live::settle(live, run).await.value
    }

    /// Judges.
    pub(crate) fn judge(&self, facts: &[(String, TargetFacts)]) -> Verdicts {
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let mut verdicts = Verdicts::new();
        for (name, facts) in facts {
            let judged = assess_target(&self.policy, facts.kind(), name, None, facts.group(), today);
            for (rule, verdict) in self.policy.rules.iter().zip(judged.verdicts.iter()) {
                if let Some(verdict) = verdict {
                    verdicts.insert((name.clone(), rule.id.clone()), *verdict);
                }
            }
        }
        verdicts
    }

    /// Asks DNS, and judges what came with what sessions showed.
    pub(crate) async fn verdicts(&self, patience: Patience, sessions: &Sessions) -> Verdicts {
        let recorder = Arc::new(Recorder::new(Files::default(), false));
        let live = self.live(patience, &recorder).await;
        self.judge(&self.facts(&live, sessions).await)
    }
}

/// Every rule of every pack.
fn every_rule() -> Policy {
    let mut files = Files::default();
    let packs = embedded_packs(&mut files).unwrap();
    let used: String =
        packs.iter().map(|pack| format!("  - {{ pack: {}, version: \"^1.0\" }}\n", pack.name.value)).collect();
    let text = format!("profile: every-rule\nuse:\n{used}select: {{ severity_at_least: info }}\n");
    let profile = load_profile(&mut files, "every-rule.yaml", text.as_bytes()).unwrap();
    build_policy(&packs, &profile, &Selection::default()).unwrap()
}

fn roles() -> HashMap<IpAddr, Role> {
    let careful = || Role { zones: vec!["good.org", "parked.org"], ..Role::default() };
    let careless = Role { resolves: true, zones: vec!["bad.org"], transfers: true };
    let above = Role { zones: vec![".", "org", "com", "test", "in-addr.arpa", "example"], ..Role::default() };
    let resolver = Role { resolves: true, ..Role::default() };
    HashMap::from([(ip(1), resolver), (ip(2), careful()), (ip(3), careful()), (ip(5), above), (ip(6), careless)])
}

/// The root first.
fn zones(tlsa: &str, ports: &[String]) -> Vec<Zone> {
    let associations = |host: &str, data: &str| -> String {
        let ports = ports.iter().map(String::as_str).chain(["25"]);
        ports.map(|port| format!("_{port}._tcp.{host} TLSA {data}\n")).collect()
    };
    let key = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let good = Zone::new(
        "good.org",
        true,
        &format!(
            "good.org SOA 1
        good.org NS ns1.good.org
        good.org NS ns2.good.org
        ns1.good.org A 127.0.0.2
        ns2.good.org A 127.0.0.3
        good.org MX 10 mx1.good.org
        mx1.good.org A 127.0.0.1
        good.org TXT v=spf1 mx include:_spf.good.org -all
        _spf.good.org TXT v=spf1 ip4:127.0.0.1 ?all
        _dmarc.good.org TXT v=DMARC1; p=reject; rua=mailto:d@good.org
        s1._domainkey.good.org TXT {key}
        _mta-sts.good.org TXT v=STSv1; id=1
        mta-sts.good.org A 127.0.0.1
        _smtp._tls.good.org TXT v=TLSRPTv1; rua=mailto:t@good.org
        default._bimi.good.org TXT v=BIMI1; l=; a=
        good.org CAA issue ca.test
        good.org CAA issuemail ;
        {}",
            associations("mx1.good.org", tlsa)
        ),
    );
    let parked = Zone::new(
        "parked.org",
        true,
        "parked.org SOA 1
        parked.org NS ns1.good.org
        parked.org NS ns2.good.org
        parked.org MX 0 .
        parked.org TXT v=spf1 -all
        _dmarc.parked.org TXT v=DMARC1; p=reject; rua=mailto:d@parked.org
        parked.org CAA issue ;
        parked.org CAA issuemail ;",
    );
    let bad = Zone::new(
        "bad.org",
        false,
        &format!(
            "bad.org SOA 1
        bad.org NS ns.bad.org
        bad.org NS ns1.good.org
        ns.bad.org A 127.0.0.6
        bad.org MX 10 mx.bad.org
        bad.org MX 10 alias.bad.org
        bad.org MX 20 gone.bad.org
        mx.bad.org A 127.0.0.4
        alias.bad.org CNAME mx.bad.org
        bad.org TXT v=spf1 include:gone.bad.org ptr ip4:9.0.0.0/8 exists:x.bad.org ?all
        _dmarc.bad.org TXT v=DMARC1; p=none; pct=10; rua=mailto:d@elsewhere.com
        s1._domainkey.bad.org TXT v=DKIM1; t=y; h=sha1; p=
        _mta-sts.bad.org TXT v=STSv1; id=-
        _smtp._tls.bad.org TXT v=TLSRPTv1; rua=x
        default._bimi.bad.org TXT v=BIMI1; l=x
        sub.bad.org MX 10 mx.bad.org
        sub.bad.org TXT v=spf1 +all
        {}",
            associations("mx.bad.org", "3 0 1 00")
        ),
    );
    let mut org = Zone::new(
        "org",
        true,
        "org SOA 1
        org NS ns.test
        good.org NS ns1.good.org
        good.org NS ns2.good.org
        ns1.good.org A 127.0.0.2
        ns2.good.org A 127.0.0.3
        parked.org NS ns1.good.org
        parked.org NS ns2.good.org
        bad.org NS ns.bad.org
        ns.bad.org A 127.0.0.9",
    );
    org.trust(&good);
    org.trust(&parked);
    let mut root = Zone::new(
        ".",
        true,
        ". SOA 1
        . NS ns.test
        org NS ns.test
        com NS ns.test
        test NS ns.test
        in-addr.arpa NS ns.test",
    );
    root.trust(&org);
    let com = Zone::new(
        "com",
        false,
        "com SOA 1
        com NS ns.test
        example.com A 9.9.9.9
        elsewhere.com TXT x",
    );
    let test = Zone::new(
        "test",
        false,
        "test SOA 1
        test NS ns.test
        ns.test A 127.0.0.5
        2.0.0.127.bl.test A 127.0.0.2
        4.0.0.127.bl.test A 127.0.0.4
        4.0.0.127.bl.test TXT listed
        2.0.0.127.other.test A 127.0.0.2
        test.dl.test A 127.0.1.2
        bad.org.dl.test A 127.0.1.2",
    );
    let reverse = Zone::new(
        "in-addr.arpa",
        false,
        "in-addr.arpa SOA 1
        in-addr.arpa NS ns.test
        1.0.0.127.in-addr.arpa PTR mx1.good.org
        4.0.0.127.in-addr.arpa PTR 4-0-0-127.gone.test
        4.0.0.127.in-addr.arpa PTR 127-0-0-4.bad.org",
    );
    vec![root, org, good, parked, bad, com, test, reverse]
}
