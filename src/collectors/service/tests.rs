//! Facts of SMTP services: what servers say, through real sessions on loopback, to the facts.
