//! Detecting, masking and restoring a text.

use crate::input::Input;
use crate::promises;
use crate::world::World;

thread_local! {
    static WORLD: World = World::of_texts();
}

pub(crate) fn run(data: &[u8]) {
    WORLD.with(|world| {
        let mut input = Input::new(data);
        let masker = input.pick(world.begin());
        promises::hold(masker, &input.text());
    });
}
