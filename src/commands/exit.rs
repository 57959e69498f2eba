//! Exit codes. They are part of the public interface.

/// Everything that was asked for was judged, and nothing failed at or above `--fail-on`.
pub const GOOD: u8 = 0;
/// A rule failed at or above `--fail-on`.
pub const FAILED: u8 = 1;
/// Wrong usage, or input that cannot be read.
pub const USAGE: u8 = 2;
/// Nothing failed, but evidence is incomplete: a verdict is `unknown` or `error`, a source has an error,
/// or nothing was judged at all.
pub const INCOMPLETE: u8 = 3;
