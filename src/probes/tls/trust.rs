//! Whom we trust, and what can be said of a chain of certificates against it (RFC 5280 section 6).
//!
//! The verdict is about the path from the certificate to an authority at one point in time, whatever names and purposes the
//! certificate is for: those are facts of their own. A handshake never fails for it; the reason of distrust is kept in
//! words that an administrator can act on.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::facts::domain::Time;

/// Most certificates of a chain that are looked at; what servers send beyond it is not part of any path.
pub(super) const MOST_CERTIFICATES: usize = 20;

/// The certification authorities that are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    anchors: Vec<TrustAnchor<'static>>,
    /// The time at which chains are judged, when it is not the present.
    fixed: Option<Time>,
}

/// Why a trust store could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The text is not PEM.
    #[error("not PEM: {0}")]
    Pem(String),
    /// A certificate cannot be a trust anchor.
    #[error("certificate {0} of the file cannot be read")]
    Certificate(usize),
    /// There is no certificate.
    #[error("there is no certificate in it")]
    Empty,
    /// The system's store cannot be read.
    #[error("the system's certificates cannot be read: {0}")]
    System(String),
}

/// What a chain is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Why the chain is not trusted; `None` when it is.
    pub distrust: Option<String>,
    /// Whether what was sent leads up to a trusted authority or a root, by the names of issuers.
    pub complete: bool,
}

impl TrustStore {
    /// The authorities of Mozilla's programme, as compiled in: the same on every machine.
    pub fn bundled() -> TrustStore {
        TrustStore { anchors: webpki_roots::TLS_SERVER_ROOTS.to_vec(), fixed: None }
    }

    /// The authorities that this machine trusts. Certificates of the system that cannot be read are left out.
    ///
    /// # Errors
    /// The system has no store, or nothing in it can be read.
    pub fn system() -> Result<TrustStore, TrustError> {
        let found = rustls_native_certs::load_native_certs();
        let anchors: Vec<_> = found.certs.iter().filter_map(anchor).collect();
        match (anchors.is_empty(), found.errors.first()) {
            (false, _) => Ok(TrustStore { anchors, fixed: None }),
            (true, Some(error)) => Err(TrustError::System(error.to_string())),
            (true, None) => Err(TrustError::System("there are none".to_owned())),
        }
    }

    /// The authorities of a PEM file. A certificate that is no authority's is trusted itself.
    ///
    /// # Errors
    /// The text is not PEM, holds no certificate, or one that cannot be read.
    pub fn from_pem(text: &[u8]) -> Result<TrustStore, TrustError> {
        let mut anchors = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(text).enumerate() {
            let certificate = certificate.map_err(|error| TrustError::Pem(error.to_string()))?;
            anchors.push(anchor(&certificate).ok_or(TrustError::Certificate(index + 1))?);
        }
        if anchors.is_empty() { Err(TrustError::Empty) } else { Ok(TrustStore { anchors, fixed: None }) }
    }

    /// The authorities of both.
    #[must_use]
    pub fn and(mut self, other: TrustStore) -> TrustStore {
        self.anchors.extend(other.anchors);
        self
    }

    /// The same authorities, where chains are judged as of a fixed time.
    #[must_use]
    pub fn as_of(mut self, time: Time) -> TrustStore {
        self.fixed = Some(time);
        self
    }

    /// The time at which a chain is judged.
    pub(crate) fn now(&self) -> Time {
        self.fixed.unwrap_or_else(|| Time(jiff::Timestamp::now().as_second()))
    }

    /// Judges a chain as sent, the server's certificate first, at a time.
    pub(crate) fn judge(&self, chain: &[Vec<u8>], time: Time) -> Verdict {
        let Some(own) = chain.first() else {
            return Verdict { distrust: Some("no certificate was sent".to_owned()), complete: false };
        };
        let parsed: Vec<_> = chain
            .iter()
            .take(MOST_CERTIFICATES)
            .filter_map(|der| X509Certificate::from_der(der).ok())
            .map(|(_, certificate)| certificate)
            .collect();
        let Ok((_, certificate)) = X509Certificate::from_der(own) else {
            return Verdict { distrust: Some("the certificate cannot be read".to_owned()), complete: false };
        };
        let end = self.end_of(&certificate, &parsed);
        let complete = !matches!(end, End::Gap(_));
        match verify(own, chain.get(1..).unwrap_or_default(), &self.anchors, time) {
            Ok(()) => Verdict { distrust: None, complete: true },
            Err(_) if self.holds(&certificate) && validity(&certificate, time).is_none() => {
                Verdict { distrust: None, complete: true }
            }
            Err(error) => Verdict { distrust: Some(reason(&error, &certificate, &parsed, &end, self, time)), complete },
        }
    }

    /// Whether the certificate is a trusted one itself, by name and key.
    fn holds(&self, certificate: &X509Certificate<'_>) -> bool {
        self.anchors.iter().any(|anchor| {
            is_contents(certificate.subject().as_raw(), &anchor.subject)
                && is_contents(certificate.public_key().raw, &anchor.subject_public_key_info)
        })
    }

    /// Where the chain ends when it is followed from issuer to issuer.
    fn end_of(&self, own: &X509Certificate<'_>, sent: &[X509Certificate<'_>]) -> End {
        let mut at = own;
        // Each step takes another certificate; a chain that leads in circles ends as well.
        for _ in 0..=sent.len() {
            let issuer = at.issuer();
            if self.anchors.iter().any(|anchor| is_contents(issuer.as_raw(), &anchor.subject)) {
                return End::Anchor;
            }
            if at.subject().as_raw() == issuer.as_raw() {
                return if at.subject().as_raw() == own.subject().as_raw() { End::Itself } else { End::Root(name(at)) };
            }
            match sent.iter().find(|candidate| candidate.subject().as_raw() == issuer.as_raw()) {
                Some(next) => at = next,
                None => return End::Gap(issuer.to_string()),
            }
        }
        End::Gap(at.issuer().to_string())
    }
}

/// Where a chain ends.
enum End {
    /// At a certificate that a trusted authority issued, by its name.
    Anchor,
    /// At the server's certificate, which names itself as its issuer.
    Itself,
    /// At a root, by its name, that is not trusted.
    Root(String),
    /// At a certificate whose issuer, by its name, was not sent.
    Gap(String),
}

fn name(certificate: &X509Certificate<'_>) -> String {
    certificate.subject().to_string()
}

/// Whether `inner` is what stands inside the DER element `outer`. Trust anchors are kept without tag and length.
fn is_contents(outer: &[u8], inner: &[u8]) -> bool {
    outer.ends_with(inner) && (2..=5).contains(&(outer.len() - inner.len()))
}

fn anchor(certificate: &CertificateDer<'_>) -> Option<TrustAnchor<'static>> {
    webpki::anchor_from_trusted_cert(certificate).ok().map(|anchor| anchor.to_owned())
}

/// Any purpose will do: mail servers' certificates are used by clients and servers alike.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, _purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// Looks for a path from a certificate to an anchor over the certificates sent with it.
fn verify(own: &[u8], sent: &[Vec<u8>], anchors: &[TrustAnchor<'_>], time: Time) -> Result<(), webpki::Error> {
    let own = CertificateDer::from(own);
    let sent: Vec<CertificateDer<'_>> =
        sent.iter().take(MOST_CERTIFICATES).map(|der| CertificateDer::from(der.as_slice())).collect();
    let seconds = u64::try_from(time.0).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    EndEntityCert::try_from(&own)?
        .verify_for_usage(webpki::ALL_VERIFICATION_ALGS, anchors, &sent, now, AnyPurpose, None, None)
        .map(drop)
}

/// Whether a path leads from a certificate to one given authority at a time, as DANE-TA asks for (RFC 7672 section 3.1.2).
///
/// # Errors
/// Why there is no such path.
pub(crate) fn verify_against(own: &[u8], sent: &[Vec<u8>], authority: &[u8], time: Time) -> Result<(), String> {
    let authority = CertificateDer::from(authority);
    let anchor = webpki::anchor_from_trusted_cert(&authority)
        .map_err(|_| "the certificate of the authority cannot be read".to_owned())?;
    verify(own, sent, &[anchor], time).map_err(|error| match X509Certificate::from_der(own) {
        Ok((_, certificate)) => {
            validity(&certificate, time).unwrap_or_else(|| format!("no valid path leads to the authority: {error}"))
        }
        Err(_) => "the certificate cannot be read".to_owned(),
    })
}

/// Why a certificate is not valid at a time by its dates.
fn validity(certificate: &X509Certificate<'_>, time: Time) -> Option<String> {
    let validity = certificate.validity();
    // RFC 5280 section 4.1.2.5: both ends belong to the period.
    if time.0 < validity.not_before.timestamp() {
        Some(format!("not yet valid until {}", date(validity.not_before.timestamp())))
    } else if time.0 > validity.not_after.timestamp() {
        Some(format!("expired on {}", date(validity.not_after.timestamp())))
    } else {
        None
    }
}

fn date(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}

/// Why a chain is not trusted: first what is wrong with its end, then with its dates, then what else was found.
fn reason(
    error: &webpki::Error,
    own: &X509Certificate<'_>,
    sent: &[X509Certificate<'_>],
    end: &End,
    store: &TrustStore,
    time: Time,
) -> String {
    let mut reasons = Vec::new();
    match end {
        End::Itself if !store.holds(own) => reasons.push("self-signed".to_owned()),
        End::Root(root) => reasons.push(format!("no trusted authority issued it; the chain ends at {root}")),
        End::Gap(issuer) => {
            reasons.push(format!("issuer {issuer} was not sent and is no trusted authority (incomplete chain)"))
        }
        End::Itself | End::Anchor => {}
    }
    if let Some(dates) = validity(own, time) {
        reasons.push(dates);
    } else if let Some((above, dates)) =
        sent.iter().find_map(|certificate| Some((certificate, validity(certificate, time)?)))
        && matches!(error, webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. })
    {
        reasons.push(format!("{} above it {dates}", name(above)));
    }
    if reasons.is_empty() {
        reasons.push(other_reason(error));
    }
    reasons.join("; ")
}

fn other_reason(error: &webpki::Error) -> String {
    match error {
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            "no trusted authority issued it".to_owned()
        }
        webpki::Error::CaUsedAsEndEntity => "it is the certificate of an authority, not of a server".to_owned(),
        webpki::Error::NameConstraintViolation => "an authority above it may not issue for its names".to_owned(),
        webpki::Error::UnsupportedSignatureAlgorithmContext(_)
        | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a signature in the chain uses an algorithm or key that clients no longer accept".to_owned()
        }
        other => format!("no valid path to a trusted authority: {other}"),
    }
}
