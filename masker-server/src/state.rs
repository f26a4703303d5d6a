use masker_core::{Error, Masker};

/// What every request shares.
#[derive(Clone, Debug)]
pub struct Server {
    pub(crate) masker: Masker,
}

impl Server {
    /// Makes a server with the policy `healthcare-default`, a vault in memory and a random key.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { masker: Masker::new()? })
    }
}
