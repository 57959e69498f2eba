//! The families of facts about one mail domain, collected until each is settled.
//!
//! A live source answers in rounds: what it does not know yet is asked for, and the collectors run again. A family whose
//! questions were all answered gives the same facts in every later round, so it is kept and not collected again. A family
//! that reads the facts of another is settled only when that one is.

use super::{
    Context, authority, dane, dkim, dmarc, dns, dnssec, inventory, mail_use, reputation, second_resolver, spf,
    transport,
};
use crate::facts::domain::{
    AuthorityFacts, BimiFacts, CaaFacts, DaneFacts, DkimFacts, DmarcFacts, DnsFacts, DnssecFacts, InventoryFacts,
    MailFacts, MtaStsFacts, ReputationFacts, SecondResolverFacts, Seconds, SpfFacts, TlsRptFacts,
};
use crate::facts::{DomainFacts, Fact};
use crate::mail::Name;

/// What is known of a domain so far.
#[derive(Debug, Default)]
pub struct Families {
    mail: Family<MailFacts>,
    inventory: Family<InventoryFacts>,
    dns: Family<DnsFacts>,
    dns_settled: dns::Settled,
    mail_ttl: Family<Fact<Seconds>>,
    spf: Family<SpfFacts>,
    dmarc: Family<DmarcFacts>,
    dkim: Family<DkimFacts>,
    mta_sts: Family<MtaStsFacts>,
    tls_rpt: Family<TlsRptFacts>,
    dane: Family<DaneFacts>,
    bimi: Family<BimiFacts>,
    caa: Family<CaaFacts>,
    dnssec: Family<DnssecFacts>,
    authority: Family<AuthorityFacts>,
    second_resolver: Family<SecondResolverFacts>,
    reputation: Family<ReputationFacts>,
}

/// One family: its facts as they were last collected.
#[derive(Debug, Default)]
struct Family<T> {
    facts: T,
    /// Whether no later round changes them.
    settled: bool,
}

impl<T> Family<T> {
    /// Brings the facts up to date unless they are settled.
    fn update(&mut self, context: &Context<'_>, update: impl FnOnce(&mut T)) {
        if !self.settled {
            let missed = context.source.missed();
            update(&mut self.facts);
            self.settled = context.source.missed() == missed;
        }
    }

    /// Collects the facts unless they are settled. `others` is whether all other facts that they follow from are.
    fn collect(&mut self, context: &Context<'_>, others: bool, collect: impl FnOnce() -> T) {
        self.update(context, |facts| *facts = collect());
        self.settled &= others;
    }
}

impl Families {
    /// Collects what is not settled yet. All families are named here, so that one that is not collected is an unused
    /// variable.
    pub fn collect(&mut self, context: &Context<'_>, name: &Name) {
        let Families {
            mail,
            inventory,
            dns,
            dns_settled,
            mail_ttl,
            spf,
            dmarc,
            dkim,
            mta_sts,
            tls_rpt,
            dane,
            bimi,
            caa,
            dnssec,
            authority,
            second_resolver,
            reputation,
        } = self;
        dns.update(context, |facts| dns::collect(context, name, facts, dns_settled));
        spf.collect(context, true, || spf::collect(context, name));
        dmarc.collect(context, true, || dmarc::collect(context, name));
        dkim.collect(context, true, || dkim::collect(context, name));
        mail_ttl.collect(context, true, || dns::mail_ttl(context, name));
        let known = dns.settled && spf.settled && dkim.settled;
        mail.collect(context, known, || mail_use::collect(context, name, &dns.facts, &spf.facts, &dkim.facts));
        inventory.collect(context, true, || inventory::collect(context, name));
        mta_sts.collect(context, dns.settled, || transport::mta_sts(context, name, &dns.facts));
        tls_rpt.collect(context, true, || transport::tls_rpt(context, name));
        dane.collect(context, dns.settled, || dane::collect(context, name, &dns.facts));
        bimi.collect(context, true, || transport::bimi(context, name));
        caa.collect(context, true, || transport::caa(context, name));
        dnssec.collect(context, true, || dnssec::collect(context, name));
        authority.collect(context, true, || authority::collect(context, name));
        second_resolver.collect(context, dns.settled, || second_resolver::collect(context, name, &dns.facts));
        reputation.collect(context, true, || reputation::collect(context, name));
    }

    /// The facts as they were last collected.
    ///
    /// The struct literal is the registry of families: a family that is not there does not compile.
    pub fn facts(self) -> Box<DomainFacts> {
        Box::new(DomainFacts {
            mail: self.mail.facts,
            inventory: self.inventory.facts,
            dns: DnsFacts { mail_ttl: self.mail_ttl.facts, ..self.dns.facts },
            spf: self.spf.facts,
            dmarc: self.dmarc.facts,
            dkim: self.dkim.facts,
            mta_sts: self.mta_sts.facts,
            tls_rpt: self.tls_rpt.facts,
            dane: self.dane.facts,
            bimi: self.bimi.facts,
            caa: self.caa.facts,
            dnssec: self.dnssec.facts,
            authority: self.authority.facts,
            second_resolver: self.second_resolver.facts,
            reputation: self.reputation.facts,
        })
    }
}
