//! Assessment in, bytes out; one file per format.
//!
//! A report decides nothing and loses nothing: every finding that goes in comes out, and untrusted text reaches each
//! sink only through that sink's escaping.
