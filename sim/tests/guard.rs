//! Flags from `.cargo/config.toml` are ignored when `RUSTFLAGS` is set. Say so, instead of passing
//! with nothing simulated.

#[test]
fn this_build_really_simulates() {
    assert!(
        quorate_sim::Engine::Madsim.is_built(),
        "the madsim engine is missing: {}",
        quorate_sim::engine::NO_MADSIM
    );
}
