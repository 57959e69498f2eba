//! The `mailvet` program.

fn main() {}
