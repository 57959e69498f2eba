//! The protocol cases of SPF that need DNS data: evaluation, and the walk without a message.
