//! The functions of `prelude.js`, once for every environment of Node.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use napi::Env;
use napi::bindgen_prelude::{FnArgs, Function, FunctionRef, JsObjectValue, Object, Unknown};

use crate::text::{Answer, Units};

type MaskedArgs = FnArgs<(Answer<String>, Units, u32)>;
type PayloadArgs = FnArgs<(Answer<String>, Units, u32, Vec<Answer<String>>)>;
type RestoredArgs = FnArgs<(Answer<String>, u32, u32, u32, u32, Units)>;
type ErrorArgs = FnArgs<(bool, String, String, Option<napi::Error>)>;

pub(crate) struct Prelude {
    env: usize,
    name: FunctionRef<String, u32>,
    /// Names that JavaScript knows by number.
    names: RefCell<HashMap<Box<str>, u16>>,
    /// Those of them that were asked for last, each at the place of its length and ends.
    recent: RefCell<[(Box<str>, u16); RECENT]>,
    findings: FunctionRef<Units, Unknown<'static>>,
    masked: FunctionRef<MaskedArgs, Unknown<'static>>,
    masked_payload: FunctionRef<PayloadArgs, Unknown<'static>>,
    restored: FunctionRef<RestoredArgs, Unknown<'static>>,
    restored_payload: FunctionRef<RestoredArgs, Unknown<'static>>,
    error: FunctionRef<ErrorArgs, Object<'static>>,
    random_id: FunctionRef<(), String>,
}

const RECENT: usize = 128;

thread_local! {
    static PRELUDE: RefCell<Option<Rc<Prelude>>> = const { RefCell::new(None) };
}

/// Works with the prelude of an environment, which is made at its first use.
pub(crate) fn with<T>(env: &Env, work: impl FnOnce(&Prelude) -> napi::Result<T>) -> napi::Result<T> {
    let id = env.raw() as usize;
    let known = PRELUDE.with_borrow(|prelude| prelude.clone().filter(|prelude| prelude.env == id));
    if let Some(prelude) = known {
        return work(&prelude);
    }
    let prelude = Rc::new(Prelude::new(env)?);
    PRELUDE.set(Some(prelude.clone()));
    work(&prelude)
}

impl Prelude {
    fn new(env: &Env) -> napi::Result<Self> {
        let made: Object<'_> = env.run_script(include_str!("prelude.js"))?;
        Ok(Self {
            env: env.raw() as usize,
            name: made.get_named_property::<Function<'_, _, _>>("name")?.create_ref()?,
            names: RefCell::default(),
            recent: RefCell::new(std::array::from_fn(|_| (Box::default(), 0))),
            findings: made.get_named_property::<Function<'_, _, _>>("findings")?.create_ref()?,
            masked: made.get_named_property::<Function<'_, _, _>>("masked")?.create_ref()?,
            masked_payload: made.get_named_property::<Function<'_, _, _>>("maskedPayload")?.create_ref()?,
            restored: made.get_named_property::<Function<'_, _, _>>("restored")?.create_ref()?,
            restored_payload: made
                .get_named_property::<Function<'_, _, _>>("restoredPayload")?
                .create_ref()?,
            error: made.get_named_property::<Function<'_, _, _>>("error")?.create_ref()?,
            random_id: made.get_named_property::<Function<'_, _, _>>("randomId")?.create_ref()?,
        })
    }

    /// The number of a name; 0 is none.
    pub(crate) fn number(&self, env: &Env, name: &str) -> napi::Result<u16> {
        let place = match name.as_bytes() {
            [first, .., last] => (name.len() * 31 + usize::from(*first) * 7 + usize::from(*last)) % RECENT,
            _ => 0,
        };
        {
            let (known, number) = &self.recent.borrow()[place];
            if &**known == name {
                return Ok(*number);
            }
        }
        let number = self.number_of(env, name)?;
        self.recent.borrow_mut()[place] = (name.into(), number);
        Ok(number)
    }

    fn number_of(&self, env: &Env, name: &str) -> napi::Result<u16> {
        if let Some(number) = self.names.borrow().get(name) {
            return Ok(*number);
        }
        let number = self.name.borrow_back(env)?.call(name.to_owned())?;
        let number = u16::try_from(number).map_err(|_| {
            napi::Error::from_reason("more than 65,535 kinds, recognisers and keys have been named")
        })?;
        self.names.borrow_mut().insert(name.into(), number);
        Ok(number)
    }

    pub(crate) fn findings<'env>(&self, env: &'env Env, units: Vec<u16>) -> napi::Result<Unknown<'env>> {
        self.findings.borrow_back(env)?.call(Units(units))
    }

    pub(crate) fn masked<'env>(
        &self,
        env: &'env Env,
        text: String,
        events: Vec<u16>,
        count: usize,
    ) -> napi::Result<Unknown<'env>> {
        self.masked.borrow_back(env)?.call((Answer(text), Units(events), count as u32).into())
    }

    pub(crate) fn masked_payload<'env>(
        &self,
        env: &'env Env,
        json: String,
        events: Vec<u16>,
        count: usize,
        paths: Vec<String>,
    ) -> napi::Result<Unknown<'env>> {
        let paths = paths.into_iter().map(Answer).collect();
        self.masked_payload.borrow_back(env)?.call((Answer(json), Units(events), count as u32, paths).into())
    }

    pub(crate) fn restored<'env>(
        &self,
        env: &'env Env,
        is_payload: bool,
        text: String,
        [restored, unknown, foreign, ambiguous]: [usize; 4],
        lost: Vec<u16>,
    ) -> napi::Result<Unknown<'env>> {
        let function = if is_payload { &self.restored_payload } else { &self.restored };
        let counts = (restored as u32, unknown as u32, foreign as u32, ambiguous as u32);
        let arguments = (Answer(text), counts.0, counts.1, counts.2, counts.3, Units(lost));
        function.borrow_back(env)?.call(arguments.into())
    }

    pub(crate) fn random_id(&self, env: &Env) -> napi::Result<String> {
        self.random_id.borrow_back(env)?.call(())
    }

    pub(crate) fn error<'env>(
        &self,
        env: &'env Env,
        is_type_error: bool,
        code: &str,
        message: &str,
        original: Option<napi::Error>,
    ) -> napi::Result<Object<'env>> {
        let arguments = (is_type_error, code.to_owned(), message.to_owned(), original);
        self.error.borrow_back(env)?.call(arguments.into())
    }
}
