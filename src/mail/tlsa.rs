//! TLSA records for SMTP (RFC 6698, RFC 7671, RFC 7672): which of them an SMTP client can use.

/// Whether SMTP clients can use a record; otherwise why not, without a final full stop.
pub fn check(usage: u8, selector: u8, matching_type: u8, data: &[u8]) -> Result<(), String> {
    match usage {
        // RFC 7672 section 3.1.3: PKIX-TA(0) and PKIX-EE(1) are not used for SMTP; clients treat them as unusable.
        0 | 1 => return Err(format!("certificate usage {usage} is unusable for SMTP; use 3 (DANE-EE) or 2 (DANE-TA)")),
        2 | 3 => {}
        other => return Err(format!("certificate usage {other} is not defined")),
    }
    // RFC 6698 section 2.1.2.
    if selector > 1 {
        return Err(format!("selector {selector} is not defined"));
    }
    // RFC 6698 section 2.1.3.
    let expected = match matching_type {
        0 => None,
        1 => Some(32),
        2 => Some(64),
        other => return Err(format!("matching type {other} is not defined")),
    };
    match expected {
        _ if data.is_empty() => Err("the association data are empty".to_owned()),
        Some(length) if data.len() != length => {
            Err(format!("a digest of matching type {matching_type} has {length} octets, this one {}", data.len()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_104_usages_0_and_1_are_unusable_for_smtp() {
        for usage in [0, 1] {
            assert!(check(usage, 1, 1, &[0; 32]).is_err());
        }
        for (usage, selector, matching, length, good) in [
            (3, 1, 1, 32, true),
            (2, 0, 1, 32, true),
            (3, 1, 2, 64, true),
            (3, 0, 0, 500, true),
            (3, 1, 1, 31, false),
            (3, 1, 2, 32, false),
            (3, 2, 1, 32, false),
            (3, 1, 3, 32, false),
            (4, 1, 1, 32, false),
            (3, 1, 0, 0, false),
        ] {
            assert_eq!(
                check(usage, selector, matching, &vec![0; length]).is_ok(),
                good,
                "{usage} {selector} {matching}"
            );
        }
    }
}
