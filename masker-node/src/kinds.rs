use masker_core::kinds::specs;
use napi_derive::napi;

/// A kind of PHI.
#[napi(object, object_from_js = false)]
pub struct KindInfo {
    /// Its name.
    #[napi(ts_type = "Kind")]
    pub kind: String,
    /// Its letter in the Safe Harbor list, 45 CFR 164.514(b)(2)(i); `-` where it has none.
    pub letter: String,
    /// What it is, in words.
    pub title: String,
}

/// The built-in kinds.
#[napi]
pub fn kinds() -> Vec<KindInfo> {
    specs()
        .map(|spec| KindInfo {
            kind: spec.kind.as_str().to_owned(),
            letter: spec.letter.to_string(),
            title: spec.title.to_owned(),
        })
        .collect()
}
