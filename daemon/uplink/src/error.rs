//! Why a call to the relay failed, by what the caller must do about it.

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UplinkError {
    /// Try again later.
    #[error("the relay cannot be reached")]
    Unreachable,
    /// Never try again by yourself: someone else answers in the relay's stead, or it changed its keys unannounced.
    #[error("the relay's TLS key is not a pinned one")]
    PinMismatch,
    #[error("the relay's certificate is not valid")]
    CertificateInvalid,
    #[error("the relay asks to wait")]
    RateLimited { retry_after_ms: u64 },
    /// The relay does not know the signer, or no longer.
    #[error("the relay does not accept the signature")]
    Unauthorized,
    /// The clocks are more than a day apart (D30).
    #[error("the clocks are too far apart")]
    ClockSkew,
    #[error("the relay refused the request (HTTP {0})")]
    Refused(u16),
    #[error("the relay's answer makes no sense")]
    BadAnswer,
    /// TLS or HTTP could not be set up at all.
    #[error("the connection cannot be set up")]
    Setup,
}
