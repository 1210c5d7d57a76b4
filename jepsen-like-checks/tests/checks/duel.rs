//! Both judges on the same random histories: where both are sure, they must agree.
//!
//! The two share no idea, so a mistake of one shows as a disagreement. Legal histories must be
//! found legal by the guided judge without exception; the search may run out of budget.

use quorate_checks::history::{History, Outcome, Record};
use quorate_checks::linearizable::guided::Passes;
use quorate_checks::linearizable::{Budget, Undecided, Verdict, guided, wgl};
use quorate_checks::revision;

use crate::generate::{self, Shape};
use crate::mutate;

/// How often the judges said what.
#[derive(Default, Debug)]
struct Tally {
    both_legal: usize,
    both_illegal: usize,
    only_guided_sure: usize,
    only_wgl_sure: usize,
    none_sure: usize,
    /// Only the search sees that refusals contradict each other.
    only_refusals: usize,
    took_effect: usize,
}

impl Tally {
    fn add(&mut self, history: &History, what: &str) {
        let budget = Budget { steps: 20_000, states: 20_000 };
        let one = guided::judge(history, budget);
        if let Err(fault) = revision::real_time(history) {
            assert!(matches!(one, Verdict::Illegal(_)), "{what}: {fault}, but guided: {one}");
        }
        let two = wgl::judge(history, budget);
        *match (&one, &two) {
            (Verdict::Linearizable(counters), Verdict::Linearizable(_)) => {
                self.took_effect += counters.took_effect;
                &mut self.both_legal
            }
            (Verdict::Illegal(_), Verdict::Illegal(_)) => &mut self.both_illegal,
            (Verdict::Unknown(_), Verdict::Unknown(_)) => &mut self.none_sure,
            (_, Verdict::Unknown(_)) => &mut self.only_guided_sure,
            (Verdict::Unknown(_), _) => &mut self.only_wgl_sure,
            (Verdict::Linearizable(_), Verdict::Illegal(_)) if explained(history, budget) => {
                &mut self.only_refusals
            }
            (Verdict::Linearizable(_) | Verdict::Illegal(_), _) => {
                let text = history.write(Vec::new()).expect("memory");
                let text = String::from_utf8_lossy(&text);
                panic!("{what}:\nguided: {one}\nwgl: {two}\n{text}");
            }
        } += 1;
    }
}

/// Whether the search finds the history legal when refusals that tell of compactions and leases are
/// taken out: they have no place among the revisions, and the guided judge holds each against what
/// is sure, but not all of them against each other.
fn explained(history: &History, budget: Budget) -> bool {
    let mut records = history.clone().into_records();
    records.retain(|record| match record {
        Record::Operation(operation) => !matches!(
            (&operation.request, &operation.outcome),
            (_, Outcome::Refused { refusal, .. }) if !refusal.message.contains("future")
        ),
        _ => true,
    });
    let without = History::of(records).expect("well formed");
    !matches!(wgl::judge(&without, budget), Verdict::Illegal(_))
}

fn shapes() -> Vec<Shape> {
    let calm = Shape {
        clients: 4,
        operations: 40,
        keys: 3,
        writes: 500,
        deletes: 250,
        ranges: 400,
        serializable: 200,
        unknown: 0,
        refused: 50,
        values: u64::MAX,
        pause: 60,
        ..Shape::default()
    };
    let txns = Shape { txns: 400, ..calm };
    let leases = Shape { leases: 250, expiries: 100, told: 300, keys: 4, ..calm };
    let all = Shape { txns: 250, compactions: 80, ..leases };
    vec![
        calm,
        Shape { unknown: 120, ..calm },
        Shape { unknown: 120, values: 2, keys: 2, ..calm },
        Shape { unknown: 300, operations: 20, deletes: 400, values: 3, ..calm },
        Shape { unknown: 250, operations: 25, writes: 800, keys: 4, ..calm },
        Shape { clients: 8, operations: 60, unknown: 60, pause: 10, ..calm },
        Shape { clients: 2, operations: 14, unknown: 300, keys: 1, values: 1, ..calm },
        Shape { unknown: 400, operations: 16, writes: 700, keys: 2, ..calm },
        Shape { unknown: 350, operations: 18, writes: 700, keys: 3, deletes: 500, ..calm },
        txns,
        Shape { unknown: 150, operations: 25, ..txns },
        Shape { unknown: 250, operations: 15, values: 2, keys: 2, ..txns },
        Shape { compactions: 150, ranges: 200, refused: 0, ..calm },
        Shape { compactions: 150, unknown: 150, operations: 25, ..calm },
        leases,
        Shape { told: 1000, ..leases },
        Shape { told: 0, operations: 25, expiries: 150, ..leases },
        Shape { unknown: 120, operations: 20, ..leases },
        all,
        Shape { unknown: 100, operations: 22, ..all },
    ]
}

/// Lost answers among leases and transactions: what fills a gap may depend on any key.
fn tangles() -> Vec<Shape> {
    let leases = Shape { leases: 300, expiries: 150, told: 500, unknown: 200, ..shapes()[0] };
    let leases = Shape { operations: 18, clients: 4, keys: 2, ranges: 200, ..leases };
    let txns = Shape { txns: 400, unknown: 300, operations: 16, keys: 2, ..shapes()[0] };
    let both = Shape { txns: 250, ..leases };
    vec![
        leases,
        Shape { told: 0, expiries: 250, writes: 800, ..leases },
        Shape { told: 1000, expiries: 250, serializable: 0, ..leases },
        Shape { leases: 500, unknown: 300, keys: 1, values: 1, ..leases },
        txns,
        Shape { txns: 800, values: 2, deletes: 400, ..txns },
        Shape { txns: 500, keys: 4, clients: 8, pause: 10, ..txns },
        both,
        Shape { unknown: 400, operations: 14, writes: 800, ..both },
        Shape { keys: 4, compactions: 100, operations: 25, unknown: 120, ..both },
        Shape { told: 0, values: 2, deletes: 400, unknown: 300, ..both },
    ]
}

/// Both judges on legal histories of some shapes, and on corrupted ones.
fn duel(shapes: Vec<Shape>, seeds: std::ops::Range<u64>) -> (Tally, Tally) {
    let (mut legal, mut corrupted) = (Tally::default(), Tally::default());
    for (number, shape) in shapes.into_iter().enumerate() {
        for seed in seeds.clone() {
            let history = generate::history(shape, seed);
            let what = format!("shape {number}, seed {seed}");
            legal.add(&history, &what);
            assert!(revision::sessions(&history).is_ok(), "{what}");
            // Mostly one to three corruptions, now and then so many that little is left.
            let most = if seed % 10 == 0 { 30 } else { 3 };
            corrupted.add(&mutate::corrupted(&history, seed, most), &format!("corrupted {what}"));
        }
    }
    println!("legal: {legal:?}\ncorrupted: {corrupted:?}");
    assert_eq!(legal.both_illegal, 0, "a legal history was found illegal");
    assert_eq!(legal.only_wgl_sure + legal.none_sure, 0, "the guided judge gave up");
    assert_eq!(corrupted.only_wgl_sure, 0, "the guided judge gave up");
    (legal, corrupted)
}

#[test]
fn judges_agree() {
    let (legal, corrupted) = duel(shapes(), 0..700);
    assert!(legal.both_legal > 6_000 && legal.took_effect > 3_500, "too easy: {legal:?}");
    assert!(corrupted.both_illegal > 2_500 && corrupted.both_legal > 1_500, "{corrupted:?}");
}

#[test]
fn judges_agree_where_lost_answers_meet_leases_and_transactions() {
    let (legal, corrupted) = duel(tangles(), 0..500);
    assert!(legal.both_legal > 4_000 && legal.took_effect > 1_500, "too easy: {legal:?}");
    assert!(corrupted.both_illegal > 1_500 && corrupted.both_legal > 1_000, "{corrupted:?}");
}

/// `SEEDS=100000 cargo test -p quorate-checks --release -- --ignored --nocapture soak`; a part of
/// it with `FROM=50000`, too.
#[test]
#[ignore = "takes as long as it is told to"]
fn soak() {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let all = shapes().into_iter().chain(tangles()).collect();
    duel(all, number("FROM").unwrap_or(700)..number("SEEDS").unwrap_or(10_000));
}

/// Histories that the search could never finish, with as many lost answers as a run full of faults
/// has: the guided judge must be sure of the legal ones, and of one acknowledged write taken away.
#[test]
fn the_guided_judge_is_sure_of_large_histories() {
    let shape = Shape {
        clients: 20,
        operations: 3_000,
        keys: 10,
        writes: 500,
        deletes: 200,
        ranges: 300,
        serializable: 100,
        unknown: 80,
        refused: 20,
        values: u64::MAX,
        pause: 60,
        ..Shape::default()
    };
    for seed in 0..12 {
        let history = generate::history(shape, seed);
        let verdict = guided::judge(&history, Budget::default());
        let Verdict::Linearizable(counters) = verdict else { panic!("seed {seed}: {verdict}") };
        assert!(counters.took_effect > 20 && counters.steps < 1_000_000, "seed {seed}: {counters}");
        let verdict = guided::judge(&mutate::forgetful(&history), Budget::default());
        assert!(matches!(verdict, Verdict::Illegal(_)), "seed {seed}: {verdict}");
    }
}

/// The same, where leases end and transactions choose: a choice at one gap may be found wrong only
/// many gaps later.
#[test]
fn the_guided_judge_is_sure_of_large_histories_with_leases_and_transactions() {
    let shape = Shape {
        clients: 20,
        operations: 20_000,
        keys: 200,
        writes: 500,
        deletes: 100,
        ranges: 20,
        serializable: 100,
        unknown: 10,
        refused: 5,
        values: u64::MAX,
        pause: 60,
        txns: 150,
        leases: 50,
        expiries: 5,
        told: 1000,
        compactions: 1,
    };
    for seed in 0..6 {
        let history = generate::history(shape, seed);
        let verdict = guided::judge(&history, Budget::default());
        let Verdict::Linearizable(counters) = verdict else { panic!("seed {seed}: {verdict}") };
        println!("seed {seed}: {counters}");
        assert!(counters.took_effect > 20 && counters.steps < 1_000_000, "seed {seed}: {counters}");
    }
}

/// However passes are made, the verdict is the same, down to which of several faults is told.
#[test]
fn passes_made_at_once_find_what_passes_made_in_turn_find() {
    let budget = Budget { steps: 20_000, states: 0 };
    let (mut legal, mut illegal) = (0, 0);
    let mut compare = |history: &History| {
        let in_turn = guided::judge_with(history, budget, Passes::InTurn);
        let at_once = guided::judge_with(history, budget, Passes::AtOnce);
        assert_eq!(in_turn, at_once);
        match in_turn {
            Verdict::Linearizable(_) => legal += 1,
            Verdict::Illegal(_) => illegal += 1,
            Verdict::Unknown(why) => panic!("{why}"),
        }
    };
    for shape in shapes().into_iter().chain(tangles()) {
        for seed in 0..60 {
            let history = generate::history(shape, seed);
            compare(&history);
            // Many faults at once: which of them is told is the question.
            compare(&mutate::corrupted(&history, seed, 8));
        }
    }
    assert!(legal > 2_000 && illegal > 1_000, "too easy: {legal} legal, {illegal} illegal");
}

#[test]
fn the_search_is_fast_where_little_overlaps() {
    let shape = Shape { operations: 20_000, clients: 3, ..shapes()[0] };
    let verdict = wgl::judge(&generate::history(shape, 1), Budget::default());
    let Verdict::Linearizable(counters) = verdict else { panic!("{verdict}") };
    assert!(counters.steps < 100_000, "{counters}");
}

#[test]
fn judges_that_run_out_say_so() {
    let history = generate::history(shapes()[1], 1);
    let few = Budget { steps: 10, states: 1_000 };
    assert_eq!(guided::judge(&history, few), Verdict::Unknown(Undecided::Steps(10)));
    assert_eq!(wgl::judge(&history, few), Verdict::Unknown(Undecided::Steps(10)));
    let forgetful = Budget { steps: 1_000, states: 10 };
    assert_eq!(wgl::judge(&history, forgetful), Verdict::Unknown(Undecided::States(10)));
}
