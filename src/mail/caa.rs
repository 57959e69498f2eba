//! Certification authority authorisation: property tags and their values (RFC 8659, RFC 8657, RFC 9495).

/// Whether a property tag is one that an RFC defines; case does not matter (RFC 8659 section 4.1).
pub fn is_known_tag(tag: &str) -> bool {
    // RFC 8659 section 4, RFC 9495 section 3; `contactemail` and `contactphone` are registered for CA/Browser Forum use.
    ["issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"]
        .iter()
        .any(|known| tag.eq_ignore_ascii_case(known))
}

/// What a value of `issue`, `issuewild` or `issuemail` allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer {
    /// Nobody: the issuer domain is empty (RFC 8659 section 4.2).
    Nobody,
    /// The certification authority that goes by this domain.
    Domain(String),
    /// The value does not follow the grammar, which allows nobody (RFC 8659 section 4.2).
    Malformed(String),
}

/// Reads the value of `issue`, `issuewild` or `issuemail`: an issuer domain, then parameters after semicolons.
pub fn issuer(value: &str) -> Issuer {
    let mut parts = value.split(';');
    let domain = parts.next().unwrap_or("").trim_matches([' ', '\t']);
    for parameter in parts {
        let parameter = parameter.trim_matches([' ', '\t']);
        if parameter.is_empty() {
            continue;
        }
        let named = parameter.split_once('=').is_some_and(|(name, value)| {
            let name = name.trim_end_matches([' ', '\t']);
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && value.trim_start_matches([' ', '\t']).bytes().all(|byte| matches!(byte, 0x21..=0x3a | 0x3c..=0x7e))
        });
        if !named {
            return Issuer::Malformed(format!("`{parameter}` is not a parameter of the form name=value"));
        }
    }
    if domain.is_empty() {
        return Issuer::Nobody;
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if domain.split('.').all(label) {
        Issuer::Domain(domain.to_ascii_lowercase())
    } else {
        Issuer::Malformed(format!("`{domain}` is not the domain of a certification authority"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_150_issuemail_is_a_tag_of_its_own() {
        assert!(is_known_tag("issuemail") && is_known_tag("Issue") && !is_known_tag("isue"));
    }

    #[test]
    fn values_follow_rfc_8659_section_4_2() {
        for (value, expected) in [
            ("ca.example.net", Issuer::Domain("ca.example.net".into())),
            ("ca.example.net; account=230123", Issuer::Domain("ca.example.net".into())),
            (";", Issuer::Nobody),
            ("", Issuer::Nobody),
            ("%%%%%", Issuer::Malformed("`%%%%%` is not the domain of a certification authority".into())),
            ("ca.example.net; x", Issuer::Malformed("`x` is not a parameter of the form name=value".into())),
        ] {
            assert_eq!(issuer(value), expected, "{value}");
        }
    }
}
