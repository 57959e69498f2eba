//! Unpredictable numbers for message ids and source ports (RFC 5452 section 4), drawn from the system in portions.

use std::sync::{Mutex, PoisonError};

use rustls::crypto::SecureRandom;

/// Octets drawn at once.
const PORTION: usize = 512;

/// A store of random octets.
#[derive(Debug)]
pub(super) struct Random {
    source: &'static dyn SecureRandom,
    store: Mutex<Store>,
}

#[derive(Debug)]
struct Store {
    octets: [u8; PORTION],
    used: usize,
}

impl Random {
    pub(super) fn new() -> Random {
        let source = rustls::crypto::ring::default_provider().secure_random;
        Random { source, store: Mutex::new(Store { octets: [0; PORTION], used: PORTION }) }
    }

    /// Two random octets as a number.
    ///
    /// # Errors
    /// The system gives no random octets.
    pub(super) fn number(&self) -> std::io::Result<u16> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if store.used + 2 > PORTION {
            let drawn = self.source.fill(&mut store.octets);
            drawn.map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
            store.used = 0;
        }
        let at = store.used;
        store.used += 2;
        Ok(u16::from_be_bytes([store.octets[at], store.octets[at + 1]]))
    }
}
