//! Facts about a mail domain: what its DNS says, and what the inventory expects of it.
//!
//! Paths in rules follow the field names (`spf.all`, `dns.mx[].host`). Paths are a public interface: they are never
//! renamed within a major version of the fact catalogue.

use std::net::IpAddr;

use super::Fact;
use super::host::ListingFacts;
pub use super::value::{List, Seconds, Time};
use crate::mail::Name;

words! {
    /// The result that a qualifier of an SPF mechanism produces (RFC 7208 section 4.6.2), from the most to the least
    /// permissive.
    pub enum SpfQualifier ordered {
        /// `+`
        Pass = "pass",
        /// `?`
        Neutral = "neutral",
        /// `~`
        Softfail = "softfail",
        /// `-`
        Fail = "fail",
    }
}

words! {
    /// Result of an SPF evaluation (RFC 7208 section 2.6).
    pub enum SpfVerdict unordered {
        /// No record was found.
        None = "none",
        /// The domain makes no assertion.
        Neutral = "neutral",
        /// The client is authorised.
        Pass = "pass",
        /// The client is not authorised.
        Fail = "fail",
        /// The client is probably not authorised.
        Softfail = "softfail",
        /// A transient error.
        Temperror = "temperror",
        /// The records could not be interpreted.
        Permerror = "permerror",
    }
}

words! {
    /// DMARC policy (RFC 9989 section 4.7), from weakest to strongest.
    pub enum DmarcPolicy ordered {
        /// Monitoring only.
        None = "none",
        /// Treat as suspicious.
        Quarantine = "quarantine",
        /// Reject.
        Reject = "reject",
    }
}

words! {
    /// Identifier alignment mode (RFC 9989 section 4.7, `adkim` and `aspf`).
    pub enum Alignment unordered {
        /// Organisational domains must match.
        Relaxed = "relaxed",
        /// Domains must be equal.
        Strict = "strict",
    }
}

words! {
    /// Algorithm of a DKIM key (RFC 6376 section 3.6.1, RFC 8463).
    pub enum DkimKeyType unordered {
        /// RSA.
        Rsa = "rsa",
        /// Ed25519.
        Ed25519 = "ed25519",
        /// A value of `k=` that no RFC defines.
        Other = "other",
    }
}

words! {
    /// Mode of an MTA-STS policy (RFC 8461 section 5).
    pub enum MtaStsMode ordered {
        /// No policy is applied; used to withdraw a policy.
        None = "none",
        /// Failures are reported, mail is delivered.
        Testing = "testing",
        /// Mail is delivered only over authenticated TLS.
        Enforce = "enforce",
    }
}

words! {
    /// DNSSEC state of an answer, by our own validation (RFC 4033 section 5, RFC 4035 section 4.3).
    pub enum Security unordered {
        /// There is a chain of signatures from a trust anchor.
        Secure = "secure",
        /// It is proven that there is no such chain.
        Insecure = "insecure",
        /// There should be a chain, and it does not hold.
        Bogus = "bogus",
        /// Whether there should be a chain could not be found out.
        Indeterminate = "indeterminate",
    }
}

facts! {
    /// Everything that is known about one mail domain.
    pub struct DomainFacts {
        /// Whether the domain sends, receives or is parked; computed from DNS and the inventory.
        "mail use of the domain" mail: MailFacts,
        /// What the inventory declares about the domain.
        "inventory entry" inventory: InventoryFacts,
        /// MX, SOA, NS and address records.
        "DNS records" dns: DnsFacts,
        /// SPF (RFC 7208).
        "SPF" spf: SpfFacts,
        /// DMARC (RFC 9989, with notes for RFC 7489 receivers).
        "DMARC" dmarc: DmarcFacts,
        /// DKIM keys (RFC 6376).
        "DKIM" dkim: DkimFacts,
        /// MTA-STS (RFC 8461).
        "MTA-STS" mta_sts: MtaStsFacts,
        /// SMTP TLS reporting (RFC 8460).
        "TLS-RPT" tls_rpt: TlsRptFacts,
        /// DANE for SMTP (RFC 7672).
        "DANE" dane: DaneFacts,
        /// Brand indicators (BIMI draft).
        "BIMI" bimi: BimiFacts,
        /// Certification authority authorisation (RFC 8659).
        "CAA" caa: CaaFacts,
        /// DNSSEC of the domain (RFC 4033). Collected from live DNS only.
        "DNSSEC" dnssec: DnssecFacts,
        /// What the zone's own name servers and those of its parent say. Collected from live DNS only.
        "name servers asked directly" authority: AuthorityFacts,
        /// What a second resolver says. Collected when one is given.
        "second resolver" second_resolver: SecondResolverFacts,
        /// What block lists say about the domain's name. Collected from live DNS only.
        "reputation of the domain" reputation: ReputationFacts,
    }

    /// Whether the domain takes part in mail, computed once so that no rule derives it again.
    pub struct MailFacts {
        /// Whether the domain sends mail: declared in the inventory; otherwise false when SPF authorises nobody (`v=spf1 -all`), true when SPF authorises somebody or a usable DKIM key is published.
        "domain sends mail" sends: Fact<bool>,
        /// Whether the domain receives mail: declared in the inventory; otherwise from MX records, the null MX (RFC 7505) and the implicit MX (RFC 5321 section 5.1).
        "domain receives mail" receives: Fact<bool>,
        /// Whether the domain neither sends nor receives mail: declared `parked` in the inventory, or both of the above are false.
        "domain is parked" parked: Fact<bool>,
        /// Whether the domain is an organisational domain by the public suffix list.
        "domain is an organisational domain" organisational: Fact<bool>,
        /// Whether the domain name is an internationalised name, and so is used in its A-label form (RFC 5890).
        "domain is internationalised" internationalised: Fact<bool>,
    }

    /// What the inventory says about the domain. Absent where the inventory is silent or there is none.
    pub struct InventoryFacts {
        /// Whether an inventory was given and lists this domain.
        "domain is in the inventory" listed: Fact<bool>,
        /// Mail exchangers that the inventory expects.
        "MX hosts in the inventory" mx: Fact<Vec<Name>>,
        /// DKIM selectors that the inventory expects.
        "DKIM selectors in the inventory" dkim_selectors: Fact<Vec<String>>,
        /// Name servers that the inventory expects.
        "name servers in the inventory" ns: Fact<Vec<Name>>,
        /// Addresses that send mail for the domain, each with the SPF result it gets.
        "sending hosts in the inventory" senders: Fact<List<SenderFacts>>,
    }

    /// An address that the inventory says sends mail for the domain.
    pub struct SenderFacts label ip {
        /// The sending address.
        "sending address" ip: Fact<IpAddr>,
        /// Result of `check_host()` (RFC 7208 section 4) for this address with the domain as MAIL FROM.
        "SPF result" spf: Fact<SpfVerdict>,
    }

    /// DNS records that matter to mail beside the policy records.
    pub struct DnsFacts {
        /// MX records (RFC 5321 section 5.1), including a null MX. A record that cannot be read, or that may exist beside those that were read, is an element whose facts are unknown.
        "MX records" mx: Fact<List<MxFacts>>,
        /// Whether a null MX (RFC 7505) is published.
        "null MX" null_mx: Fact<bool>,
        /// Whether a null MX stands beside other MX records, which RFC 7505 section 3 forbids.
        "null MX beside other MX records" null_mx_mixed: Fact<bool>,
        /// Whether there is no MX record but an address record, so that the domain itself is the mail exchanger (RFC 5321 section 5.1).
        "implicit MX" implicit_mx: Fact<bool>,
        /// Addresses of the domain itself.
        "addresses of the domain" addresses: Fact<Vec<IpAddr>>,
        /// Target of a CNAME at the domain itself.
        "CNAME at the domain" cname: Fact<Name>,
        /// Whether a CNAME stands beside other records of the same name (RFC 1034 section 3.6.2).
        "CNAME beside other records" cname_mixed: Fact<bool>,
        /// Name servers of the zone that holds the domain.
        "name servers" ns: Fact<List<NsFacts>>,
        /// Start of authority of the zone that holds the domain.
        "SOA" soa: SoaFacts,
        /// Names in the mail records of the domain that seem to lack their final dot, such as `mail.example.com.example.com` (RFC 1035 section 5.1).
        "names that seem to lack the final dot" undotted: Fact<Vec<Name>>,
        /// Whether a wildcard (`*`) below the domain answers TXT questions, and so may answer for `_dmarc` and selectors (RFC 4592).
        "wildcard TXT record" wildcard_txt: Fact<bool>,
        /// Whether a wildcard (`*`) below the domain answers MX questions.
        "wildcard MX record" wildcard_mx: Fact<bool>,
        /// Smallest TTL among the MX, SPF and DMARC records of the domain.
        "smallest TTL of the mail records" mail_ttl: Fact<Seconds>,
    }

    /// One MX record.
    pub struct MxFacts label host {
        /// The mail exchanger.
        "MX host" host: Fact<Name>,
        /// Preference; lower is tried first (RFC 5321 section 5.1).
        "MX preference" preference: Fact<i64>,
        /// Whether the record is the null MX, `.` (RFC 7505).
        "record is a null MX" null: Fact<bool>,
        /// Whether the target is an IP address written as a name (RFC 1035 section 3.3.9).
        "MX target is an address" address_literal: Fact<bool>,
        /// Whether the target is an alias (RFC 2181 section 10.3, RFC 5321 section 5.1).
        "MX target is a CNAME" cname: Fact<bool>,
        /// Whether the target looks as if its final dot was forgotten (RFC 1035 section 5.1).
        "MX target seems to lack the final dot" undotted: Fact<bool>,
        /// Addresses of the target.
        "addresses of the MX host" addresses: Fact<Vec<IpAddr>>,
        /// Addresses of the target that cannot be reached from the Internet: private, loopback, documentation and other special-purpose ranges (RFC 6890).
        "special-purpose addresses of the MX host" special_addresses: Fact<Vec<IpAddr>>,
        /// DNSSEC state of the target's address records, the weaker of both families (RFC 7672 section 2.2.1).
        "DNSSEC state of the MX host's addresses" security: Fact<Security>,
    }

    /// One name server of the zone.
    pub struct NsFacts label host {
        /// The name server.
        "name server" host: Fact<Name>,
        /// Whether the target is an alias (RFC 2181 section 10.3).
        "name server is a CNAME" cname: Fact<bool>,
        /// Addresses of the name server.
        "addresses of the name server" addresses: Fact<Vec<IpAddr>>,
    }

    /// Start of authority (RFC 1035 section 3.3.13).
    pub struct SoaFacts {
        /// Primary name server.
        "SOA primary server" mname: Fact<Name>,
        /// Mailbox of the responsible person, as a domain name.
        "SOA contact" rname: Fact<Name>,
        /// Serial number. Its form is a habit, never an error (RFC 1982).
        "SOA serial" serial: Fact<i64>,
        /// Seconds between refreshes by secondaries (RFC 1912 section 2.2).
        "SOA refresh" refresh: Fact<Seconds>,
        /// Seconds before a failed refresh is tried again.
        "SOA retry" retry: Fact<Seconds>,
        /// Seconds until secondaries stop answering without refresh.
        "SOA expire" expire: Fact<Seconds>,
        /// Negative caching time (RFC 2308 section 5).
        "SOA minimum" minimum: Fact<Seconds>,
    }

    /// SPF records of the domain and what follows from them (RFC 7208).
    pub struct SpfFacts {
        /// How many TXT records begin with the version `v=spf1` (RFC 7208 section 4.5). More than one is a permanent error.
        "SPF records" record_count: Fact<i64>,
        /// Text of the record, character-strings joined without spaces (RFC 7208 section 3.3). Absent without a record; with several, the first.
        "SPF record" text: Fact<String>,
        /// Whether exactly one record was read and it follows the grammar (RFC 7208 section 4.6). A record that does not follow it is a permanent error wherever the error stands, so the facts about its effect (`all`, lookups, includes, networks, who is authorised) are absent. That there may be another record is said by `spf.record_count`.
        "SPF record is valid" valid: Fact<bool>,
        /// What is wrong with the record. Absent when it is valid.
        "SPF error" error: Fact<String>,
        /// TXT records that look like SPF but are not, for example with a leading space or `v=spf1;` (RFC 7208 section 4.5).
        "records that almost are SPF" near_misses: Fact<Vec<String>>,
        /// Qualifier of `all`, including through `redirect` (RFC 7208 sections 5.1 and 6.1). Absent when neither ends the record, and when the record is malformed, because receivers then evaluate nothing of it.
        "SPF `all` qualifier" all: Fact<SpfQualifier>,
        /// Target of `redirect` that applies (RFC 7208 section 6.1).
        "SPF redirect" redirect: Fact<Name>,
        /// Whether the record authorises no sender at all: nobody can get `pass`, and everybody else gets `fail` or `softfail`, as with `v=spf1 -all`. False when the evaluation can end in a permanent error (RFC 7208 section 2.6.7), for example at an include without record. Absent when the record itself is malformed.
        "SPF authorises nobody" none_authorised: Fact<bool>,
        /// Terms of the record itself that cause DNS lookups: include, a, mx, ptr, exists, redirect (RFC 7208 section 4.6.4).
        "SPF DNS lookups of the record itself" lookups_direct: Fact<i64>,
        /// Worst-case number of terms that cause DNS lookups, through all includes and the redirect; each occurrence counts (RFC 7208 section 4.6.4).
        "SPF DNS lookups" lookups: Fact<i64>,
        /// Lower bound of the worst-case number: what is certain although some included records could not be looked at. Equals `spf.lookups` where that is known.
        "SPF DNS lookups at the least" lookups_at_least: Fact<i64>,
        /// Number of lookups without answer (NXDOMAIN or NODATA) among those that do not depend on the message (RFC 7208 section 4.6.4).
        "SPF void lookups" void_lookups: Fact<i64>,
        /// Lower bound of the void lookups: what is certain although some names could not be looked at.
        "SPF void lookups at the least" void_lookups_at_least: Fact<i64>,
        /// Every domain reached by `include` and `redirect`, at any depth.
        "SPF includes" includes: Fact<List<SpfIncludeFacts>>,
        /// Shortest prefix length among `ip4` networks that can pass, own and included.
        "widest SPF IPv4 prefix" widest_ip4: Fact<i64>,
        /// Shortest prefix length among `ip6` networks that can pass, own and included.
        "widest SPF IPv6 prefix" widest_ip6: Fact<i64>,
        /// Shortest IPv4 prefix length that is certain although some included records could not be looked at; those may hold a wider network. Equals `spf.widest_ip4` where that is known.
        "widest SPF IPv4 prefix at the most" widest_ip4_at_most: Fact<i64>,
        /// Shortest IPv6 prefix length that is certain although some included records could not be looked at; those may hold a wider network. Equals `spf.widest_ip6` where that is known.
        "widest SPF IPv6 prefix at the most" widest_ip6_at_most: Fact<i64>,
        /// Whether `ptr` is used, which RFC 7208 section 5.5 says should not be.
        "SPF uses `ptr`" ptr: Fact<bool>,
        /// Whether terms stand after `all`, where they are ignored (RFC 7208 section 5.1).
        "terms after `all`" terms_after_all: Fact<bool>,
        /// Whether `redirect` stands beside `all`, where it is ignored (RFC 7208 section 6.1).
        "redirect beside `all`" redirect_ignored: Fact<bool>,
        /// Whether the record uses macros, so that its result depends on the message (RFC 7208 section 7).
        "SPF uses macros" macros: Fact<bool>,
        /// Whether a record of the obsolete type SPF (99) is published (RFC 7208 section 3.1).
        "SPF record of type 99" type99: Fact<bool>,
        /// Length of the record in octets (RFC 7208 section 3.4 suggests at most 450 to fit one UDP answer).
        "length of the SPF record" length: Fact<i64>,
    }

    /// A domain whose SPF record is reached from the assessed one.
    pub struct SpfIncludeFacts label domain {
        /// The included domain.
        "included domain" domain: Fact<Name>,
        /// Whether the included domain publishes exactly one valid SPF record; otherwise the include is a permanent error (RFC 7208 section 5.2).
        "included SPF record is valid" valid: Fact<bool>,
        /// How deep the include is nested; 1 for one in the record itself.
        "depth of the include" depth: Fact<i64>,
    }

    /// The DMARC record that applies to the domain and what it says.
    pub struct DmarcFacts {
        /// How many DMARC records stand at `_dmarc.<domain>` itself. With more than one, all are discarded (RFC 9989 section 4.10).
        "DMARC records at the domain itself" record_count: Fact<i64>,
        /// Text of the record that applies, own or inherited.
        "DMARC record" text: Fact<String>,
        /// Whether the record that applies is well-formed. Absent when there is none.
        "DMARC record is valid" valid: Fact<bool>,
        /// What is wrong with the record. Absent when it is valid.
        "DMARC error" error: Fact<String>,
        /// TXT records at `_dmarc` that look like DMARC but are not, for example `v=dmarc1` (RFC 9989 section 4.7).
        "records that almost are DMARC" near_misses: Fact<Vec<String>>,
        /// Policy in force for the domain: its own `p`, or the `sp` (then `p`) of the record it inherits (RFC 9989 section 4.10.1). Absent when no record applies.
        "DMARC policy" policy: Fact<DmarcPolicy>,
        /// Policy in force for existing subdomains without a record of their own.
        "DMARC policy for subdomains" subdomain_policy: Fact<DmarcPolicy>,
        /// Policy in force for subdomains that do not exist (`np`, then `sp`, then `p`; RFC 9989 section 4.7).
        "DMARC policy for non-existent subdomains" nonexistent_policy: Fact<DmarcPolicy>,
        /// Policy after `t=y`, which asks receivers to apply one level less (RFC 9989 section 4.7).
        "DMARC policy after test mode" effective_policy: Fact<DmarcPolicy>,
        /// Whether the record comes from a parent domain.
        "DMARC record is inherited" inherited: Fact<bool>,
        /// Domain whose record applies.
        "domain of the DMARC record" record_domain: Fact<Name>,
        /// Organisational domain by the DNS tree walk (RFC 9989 section 4.10.2).
        "organisational domain by tree walk" org_domain: Fact<Name>,
        /// Organisational domain by the public suffix list (RFC 7489 section 3.2).
        "organisational domain by public suffix list" org_domain_psl: Fact<Name>,
        /// Whether both ways of finding the organisational domain agree.
        "organisational domains agree" org_domains_agree: Fact<bool>,
        /// Whether `t=y` asks receivers for test mode (RFC 9989 section 4.7).
        "DMARC test mode" testing: Fact<bool>,
        /// Value of `pct`, which left the standard with RFC 9989 but is honoured by RFC 7489 receivers. Absent when not stated.
        "DMARC percentage (pct=)" percent: Fact<i64>,
        /// DKIM alignment mode.
        "DKIM alignment" adkim: Fact<Alignment>,
        /// SPF alignment mode.
        "SPF alignment" aspf: Fact<Alignment>,
        /// Whether `psd=y` marks a public suffix domain.
        "public suffix domain (psd=y)" psd: Fact<bool>,
        /// Addresses for aggregate reports.
        "aggregate report addresses" rua: Fact<List<ReportAddressFacts>>,
        /// Addresses for failure reports.
        "failure report addresses" ruf: Fact<List<ReportAddressFacts>>,
        /// Tags that RFC 9989 does not define, and obsolete ones, by name.
        "unknown or obsolete DMARC tags" unknown_tags: Fact<Vec<String>>,
        /// Whether `p` is the first tag after `v`, as RFC 7489 receivers expect.
        "`p` follows `v` directly" policy_second: Fact<bool>,
    }

    /// A report address of a DMARC record.
    pub struct ReportAddressFacts label uri {
        /// The address as published.
        "report address" uri: Fact<String>,
        /// Whether the address is a usable `mailto:` URI (RFC 9989 section 4.6).
        "report address is usable" valid: Fact<bool>,
        /// Domain of the mailbox.
        "domain of the report address" domain: Fact<Name>,
        /// Whether the mailbox lies in another organisational domain (RFC 9990 section 4).
        "report address is external" external: Fact<bool>,
        /// Whether the other organisation authorises reports with a `_report._dmarc` record (RFC 9990 section 4). True where none is needed.
        "external report address is authorised" authorised: Fact<bool>,
    }

    /// DKIM keys found under `_domainkey.<domain>` (RFC 6376 section 3.6).
    pub struct DkimFacts {
        /// All keys of the selectors that are known: those in the zone and those in the inventory. Where the files hide selectors, an element without name stands for them. Selectors cannot be discovered from outside (RFC 6376 section 3.1).
        "DKIM keys" keys: Fact<List<DkimKeyFacts>>,
        /// Whether at least one published key can protect mail: valid, not revoked, not in test mode, for e-mail, and alone at its selector (RFC 6376 section 3.6.2.2).
        "usable DKIM key" usable: Fact<bool>,
        /// Selectors that the inventory expects and DNS lacks. Absent where the inventory names none.
        "missing DKIM selectors" missing_selectors: Fact<Vec<String>>,
        /// Whether a wildcard below `_domainkey` answers for every selector (RFC 4592).
        "wildcard below `_domainkey`" wildcard: Fact<bool>,
    }

    /// One DKIM selector.
    pub struct DkimKeyFacts label selector {
        /// The selector.
        "DKIM selector" selector: Fact<String>,
        /// How many TXT records stand at the selector; more than one gives undefined results (RFC 6376 section 3.6.2.2).
        "DKIM records at the selector" record_count: Fact<i64>,
        /// Text of the key record.
        "DKIM key record" text: Fact<String>,
        /// Whether the record follows the grammar and its key can be decoded, or is empty.
        "DKIM record is valid" valid: Fact<bool>,
        /// What is wrong with the record. Absent when it is valid.
        "DKIM error" error: Fact<String>,
        /// Algorithm of the key.
        "DKIM key type" key_type: Fact<DkimKeyType>,
        /// Size of the key in bits, decoded from the key itself. Absent for revoked keys.
        "DKIM key size" bits: Fact<i64>,
        /// Whether `p=` is empty, which revokes the key (RFC 6376 section 3.6.1).
        "DKIM key is revoked" revoked: Fact<bool>,
        /// Whether `t=y` says that the domain tests DKIM (RFC 6376 section 3.6.1).
        "DKIM key is in test mode" testing: Fact<bool>,
        /// Whether `h=` allows SHA-1 and not SHA-256, or names SHA-1 at all (RFC 8301 section 3.1).
        "DKIM key names SHA-1" sha1: Fact<bool>,
        /// Whether `s=` includes e-mail.
        "DKIM key is for e-mail" email: Fact<bool>,
        /// Target of a CNAME at the selector.
        "CNAME at the selector" cname: Fact<Name>,
    }

    /// MTA-STS record and policy (RFC 8461).
    pub struct MtaStsFacts {
        /// How many TXT records at `_mta-sts.<domain>` begin with `v=STSv1`. Anything but one means no policy (RFC 8461 section 3.1).
        "MTA-STS records" record_count: Fact<i64>,
        /// Text of the record.
        "MTA-STS record" text: Fact<String>,
        /// Whether there is exactly one record and it follows the grammar.
        "MTA-STS record is valid" valid: Fact<bool>,
        /// What is wrong with the record. Absent when it is valid.
        "MTA-STS error" error: Fact<String>,
        /// Value of `id`.
        "MTA-STS policy id" id: Fact<String>,
        /// Whether `mta-sts.<domain>` has an address, its own or through an alias, so that the policy can be fetched (RFC 8461 section 3.3). Unknown where the alias leads to a name that was not looked at.
        "policy host exists" policy_host: Fact<bool>,
        /// How the policy was fetched over HTTPS (RFC 8461 section 3.3).
        "fetch of the MTA-STS policy" fetch: MtaStsFetchFacts,
        /// The policy itself; collected where a policy file or the network is available.
        "MTA-STS policy" policy: MtaStsPolicyFacts,
    }

    /// The fetch of `https://mta-sts.<domain>/.well-known/mta-sts.txt` (RFC 8461 section 3.3).
    pub struct MtaStsFetchFacts {
        /// Whether senders that follow RFC 8461 section 3.3 get a policy: status 200, no redirect, a certificate that is trusted and for the policy host. Unknown when the host could not be reached.
        "MTA-STS policy can be fetched" fetchable: Fact<bool>,
        /// Why the policy cannot be fetched. Absent when it can.
        "reason of the failed fetch" error: Fact<String>,
        /// HTTP status code.
        "HTTP status of the MTA-STS policy" status: Fact<i64>,
        /// Whether the server answers with a redirect, which senders must not follow.
        "MTA-STS policy is redirected" redirected: Fact<bool>,
        /// Whether the certificate is trusted and for `mta-sts.<domain>`.
        "certificate of the policy host is valid" certificate_valid: Fact<bool>,
        /// Media type; RFC 8461 section 3.2 asks for `text/plain`.
        "media type of the MTA-STS policy" media_type: Fact<String>,
        /// Length of the document in octets.
        "length of the MTA-STS policy" size: Fact<i64>,
    }

    /// The policy document of MTA-STS (RFC 8461 section 3.2).
    pub struct MtaStsPolicyFacts {
        /// Whether the document follows the grammar.
        "MTA-STS policy is valid" valid: Fact<bool>,
        /// What is wrong with the document. Absent when it is valid.
        "MTA-STS policy error" error: Fact<String>,
        /// Mode.
        "MTA-STS mode" mode: Fact<MtaStsMode>,
        /// How long senders may cache the policy.
        "MTA-STS max_age" max_age: Fact<Seconds>,
        /// Patterns of `mx`.
        "MTA-STS mx patterns" mx: Fact<Vec<String>>,
        /// MX hosts of the domain that no pattern matches (RFC 8461 section 4.1).
        "MX hosts that the MTA-STS policy does not cover" uncovered_mx: Fact<Vec<Name>>,
    }

    /// TLS-RPT record (RFC 8460 section 3).
    pub struct TlsRptFacts {
        /// How many TXT records at `_smtp._tls.<domain>` begin with `v=TLSRPTv1`. Anything but one means no reporting.
        "TLS-RPT records" record_count: Fact<i64>,
        /// Text of the record.
        "TLS-RPT record" text: Fact<String>,
        /// Whether there is exactly one record and it follows the grammar.
        "TLS-RPT record is valid" valid: Fact<bool>,
        /// What is wrong with the record. Absent when it is valid.
        "TLS-RPT error" error: Fact<String>,
        /// Where reports go.
        "TLS-RPT addresses" rua: Fact<Vec<String>>,
    }

    /// TLSA records of the MX hosts (RFC 7672).
    pub struct DaneFacts {
        /// TLSA records at `_25._tcp.<mx host>` of all MX hosts; where the host is an alias, at the end of the aliases first (RFC 7672 section 2.2.2). Unknown when those of one host are.
        "TLSA records" tlsa: Fact<List<TlsaFacts>>,
        /// MX hosts without a TLSA record.
        "MX hosts without TLSA records" hosts_without: Fact<Vec<Name>>,
        /// MX hosts with signed addresses for which the question for TLSA records ends in SERVFAIL or in a bogus answer. Senders that use DANE do not deliver to them (RFC 7672 section 2.1.1).
        "MX hosts whose TLSA records cannot be asked for" broken_hosts: Fact<Vec<Name>>,
        /// MX hosts with TLSA records to which DANE does not apply, because the MX records, the addresses or the TLSA records are not signed (RFC 7672 section 2.2.1).
        "MX hosts with TLSA records without effect" insecure_hosts: Fact<Vec<Name>>,
    }

    /// One TLSA record.
    pub struct TlsaFacts label owner {
        /// Name of the record, such as `_25._tcp.mx.example.org`.
        "name of the TLSA record" owner: Fact<Name>,
        /// Certificate usage, 0 to 3 (RFC 6698 section 2.1.1).
        "TLSA certificate usage" usage: Fact<i64>,
        /// Selector (RFC 6698 section 2.1.2).
        "TLSA selector" selector: Fact<i64>,
        /// Matching type (RFC 6698 section 2.1.3).
        "TLSA matching type" matching_type: Fact<i64>,
        /// Whether SMTP clients can use the record: usage 2 or 3, known selector and matching type, data of the right length (RFC 7672 section 3.1).
        "TLSA record is usable for SMTP" usable: Fact<bool>,
        /// What is wrong with the record. Absent when it is usable.
        "TLSA error" error: Fact<String>,
        /// DNSSEC state of the record.
        "DNSSEC state of the TLSA record" security: Fact<Security>,
    }

    /// BIMI assertion record at `default._bimi.<domain>`.
    pub struct BimiFacts {
        /// How many TXT records begin with `v=BIMI1`.
        "BIMI records" record_count: Fact<i64>,
        /// Text of the record.
        "BIMI record" text: Fact<String>,
        /// Whether there is exactly one record and it follows the grammar.
        "BIMI record is valid" valid: Fact<bool>,
        /// What is wrong with the record. Absent when it is valid.
        "BIMI error" error: Fact<String>,
        /// Whether the record declines to publish an indicator (`l=` and `a=` empty).
        "BIMI is declined" declined: Fact<bool>,
        /// Location of the indicator.
        "BIMI indicator" location: Fact<String>,
        /// Location of the evidence document.
        "BIMI evidence" evidence: Fact<String>,
    }

    /// CAA records that apply to the domain (RFC 8659 section 3: the closest ancestor that has any).
    pub struct CaaFacts {
        /// How many CAA records stand at the domain itself.
        "CAA records at the domain itself" record_count: Fact<i64>,
        /// The records.
        "CAA records" records: Fact<List<CaaRecordFacts>>,
        /// Name at which they stand.
        "name of the CAA records" record_domain: Fact<Name>,
        /// Whether `issuemail` (RFC 9495) restricts S/MIME certificates.
        "CAA restricts S/MIME" issuemail: Fact<bool>,
    }

    /// One CAA record.
    pub struct CaaRecordFacts label value {
        /// Property tag, in lower case.
        "CAA tag" tag: Fact<String>,
        /// Value as published.
        "CAA value" value: Fact<String>,
        /// Whether the record is marked critical.
        "CAA record is critical" critical: Fact<bool>,
        /// Whether the tag is one that RFC 8659, RFC 8657 or RFC 9495 defines.
        "CAA tag is known" known: Fact<bool>,
    }

    /// DNSSEC of the domain.
    pub struct DnssecFacts {
        /// DNSSEC state of the domain's records (RFC 4035 section 4.3): that of the SOA record of its zone.
        "DNSSEC state" status: Fact<Security>,
        /// Why the state is bogus or indeterminate. Absent otherwise.
        "DNSSEC error" error: Fact<String>,
        /// DNSSEC state of the MX records, or of their absence.
        "DNSSEC state of the MX records" mx: Fact<Security>,
        /// DNSSEC state of the TXT records that hold SPF, or of their absence.
        "DNSSEC state of the SPF record" spf: Fact<Security>,
        /// DNSSEC state of the DMARC record, or of its absence.
        "DNSSEC state of the DMARC record" dmarc: Fact<Security>,
        /// Whether the parent publishes a DS record for the zone.
        "DS record at the parent" ds: Fact<bool>,
        /// Algorithm numbers of the DNSKEY records (RFC 8624, RFC 9904).
        "DNSSEC algorithms" algorithms: Fact<Vec<i64>>,
        /// Digest types of the DS records; 1 is SHA-1 (RFC 8624 section 3.3).
        "DS digest types" digests: Fact<Vec<i64>>,
        /// Additional iterations of NSEC3 (RFC 9276 section 3.1 asks for zero). Absent when the zone uses NSEC or is not signed.
        "NSEC3 iterations" nsec3_iterations: Fact<i64>,
        /// Earliest end of validity among the signatures of SOA, MX and DNSKEY records (RFC 4034 section 3.1.5). Absent when the zone is not signed.
        "earliest expiry of a signature" signatures_expire: Fact<Time>,
    }

    /// What the name servers of the zone and of its parent say, asked directly.
    pub struct AuthorityFacts {
        /// Every address of every name server.
        "name servers asked" servers: Fact<List<NameServerFacts>>,
        /// Name servers that answer and are not authoritative for the zone (lame delegation, RFC 1912 section 2.8).
        "lame name servers" lame: Fact<Vec<Name>>,
        /// Name servers at the parent, which delegates to them.
        "name servers at the parent" parent_ns: Fact<Vec<Name>>,
        /// Whether parent and zone name the same servers (RFC 1034 section 4.2.2).
        "parent and zone name the same servers" parent_agrees: Fact<bool>,
        /// Name servers inside the zone whose addresses at the parent (glue) differ from those in the zone (RFC 1034 section 4.2.1). Absent when no server lies inside the zone.
        "name servers with stale glue" stale_glue: Fact<Vec<Name>>,
        /// Whether all servers have the same SOA serial.
        "SOA serials agree" serials_agree: Fact<bool>,
        /// Record sets that matter to mail (MX, SPF, DMARC) and differ between the zone's servers.
        "records that differ between name servers" differing: Fact<Vec<String>>,
        /// Number of networks the servers' addresses lie in: /24 for IPv4, /48 for IPv6 (RFC 2182 section 3.1).
        "networks of the name servers" networks: Fact<i64>,
        /// Name servers that answer recursive questions of strangers.
        "name servers open to recursion" open_recursion: Fact<Vec<Name>>,
        /// Name servers that hand the whole zone to strangers (AXFR, RFC 5936).
        "name servers open to zone transfer" open_transfer: Fact<Vec<Name>>,
    }

    /// One address of one name server, asked directly.
    pub struct NameServerFacts label host {
        /// The name server.
        "name server" host: Fact<Name>,
        /// Its address.
        "address of the name server" address: Fact<IpAddr>,
        /// Whether it answers authoritatively for the zone.
        "name server is authoritative" authoritative: Fact<bool>,
        /// SOA serial that it has.
        "SOA serial at the name server" serial: Fact<i64>,
        /// Whether it answers a recursive question about a foreign name.
        "name server recurses for strangers" recursion: Fact<bool>,
        /// Whether it hands over the whole zone.
        "name server allows zone transfer" transfer: Fact<bool>,
    }

    /// What a second resolver says. A difference shows split horizon, tampering or a change under way.
    pub struct SecondResolverFacts {
        /// Whether the second resolver gives the same answers about MX, SPF, DMARC and the MX hosts.
        "resolvers agree" agrees: Fact<bool>,
        /// Questions that both answer differently.
        "answers that differ" differing: Fact<List<DifferenceFacts>>,
    }

    /// One question that two resolvers answer differently.
    pub struct DifferenceFacts label question {
        /// Name and type asked.
        "question" question: Fact<String>,
        /// Answer of the first resolver.
        "answer of the first resolver" first: Fact<String>,
        /// Answer of the second resolver.
        "answer of the second resolver" second: Fact<String>,
    }

    /// What block lists say about the domain's name.
    pub struct ReputationFacts {
        /// Domain lists that were asked (RFC 5782 section 3).
        "domain block lists asked" lists: Fact<List<ListingFacts>>,
        /// Names of the lists that list the domain, of those that work: a list that fails its self-test says nothing. Unknown when no list lists it and one that may work could not be asked.
        "block lists that list the domain" listed_on: Fact<Vec<String>>,
    }
}
