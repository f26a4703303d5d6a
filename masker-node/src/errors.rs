use masker_core::Error;

/// The JavaScript error for an error of the core: `code` is the core's, and the message holds no text of the input.
pub(crate) fn to_js(error: &Error) -> napi::Error<&'static str> {
    napi::Error::new(error.code(), error.to_string())
}
