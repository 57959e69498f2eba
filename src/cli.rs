//! What people type: the types of the command line, nothing else.
