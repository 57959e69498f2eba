//! Conversations with servers, well behaved and not, through to what a probe makes of them.
