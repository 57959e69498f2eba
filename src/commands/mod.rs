//! One file per subcommand, each a readable pipeline from arguments to an exit code.

pub mod exit;
