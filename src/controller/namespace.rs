//! tmp
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Facts {
    pub(super) registered: bool,
    pub(super) leaving: bool,
    pub(super) message: String,
}
