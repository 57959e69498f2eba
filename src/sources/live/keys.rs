//! What answers are remembered by, owned and borrowed: a view looks up without copying names.

use std::net::IpAddr;

use hashbrown::Equivalent;

use super::resolve::Route;
use crate::mail::Name;
use crate::sources::record::{Ask, RecordType};

/// A question to resolvers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Questioned {
    name: Name,
    rtype: RecordType,
    route: Route,
}

/// The same, borrowed. It hashes like [`Questioned`]: the fields stand in the same order.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct QuestionKey<'a> {
    pub(super) name: &'a Name,
    pub(super) rtype: RecordType,
    pub(super) route: Route,
}

impl QuestionKey<'_> {
    pub(super) fn to_owned(self) -> Questioned {
        Questioned { name: self.name.clone(), rtype: self.rtype, route: self.route }
    }
}

impl Equivalent<Questioned> for QuestionKey<'_> {
    fn equivalent(&self, key: &Questioned) -> bool {
        *self.name == key.name && self.rtype == key.rtype && self.route == key.route
    }
}

/// A question to one server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    server: IpAddr,
    name: Name,
    rtype: RecordType,
    mode: Ask,
}

/// The same, borrowed. It hashes like [`Asked`]: the fields stand in the same order.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct AskKey<'a> {
    pub(super) server: IpAddr,
    pub(super) name: &'a Name,
    pub(super) rtype: RecordType,
    pub(super) mode: Ask,
}

impl AskKey<'_> {
    pub(super) fn to_owned(self) -> Asked {
        Asked { server: self.server, name: self.name.clone(), rtype: self.rtype, mode: self.mode }
    }
}

impl Equivalent<Asked> for AskKey<'_> {
    fn equivalent(&self, key: &Asked) -> bool {
        self.server == key.server && *self.name == key.name && self.rtype == key.rtype && self.mode == key.mode
    }
}
