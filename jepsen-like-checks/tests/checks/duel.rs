//! Both judges on the same random histories: where both are sure, they must agree.
//!
//! The two share no idea, so a mistake of one shows as a disagreement. Legal histories must be found
//! legal by the guided judge without exception; the search may run out of budget.

use quorate_checks::history::History;
use quorate_checks::linearizable::{Budget, Verdict, guided, wgl};

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
    took_effect: usize,
}

impl Tally {
    fn add(&mut self, history: &History, what: &str) {
        let budget = Budget { steps: 20_000, states: 20_000 };
        let one = guided::judge(history, budget);
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
            (Verdict::Linearizable(_) | Verdict::Illegal(_), _) => {
                let text = String::from_utf8(history.write(Vec::new()).unwrap()).unwrap();
                panic!("{what}:\nguided: {one}\nwgl: {two}\n{text}");
            }
        } += 1;
    }
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
    };
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
    ]
}

#[test]
fn judges_agree_on_legal_histories() {
    let mut tally = Tally::default();
    for (number, shape) in shapes().into_iter().enumerate() {
        for seed in 0..300 {
            let history = generate::history(shape, seed);
            tally.add(&history, &format!("legal, shape {number}, seed {seed}"));
        }
    }
    println!("{tally:?}");
    assert_eq!(tally.both_illegal, 0, "a legal history was found illegal: {tally:?}");
    assert_eq!(tally.only_wgl_sure + tally.none_sure, 0, "the guided judge gave up: {tally:?}");
    assert!(tally.both_legal > 1_500 && tally.took_effect > 1_000, "{tally:?}");
}

#[test]
fn judges_agree_on_corrupted_histories() {
    let mut tally = Tally::default();
    for (number, shape) in shapes().into_iter().enumerate() {
        for seed in 0..1_000 {
            let history = generate::history(shape, seed);
            let history = mutate::corrupted(&history, seed);
            tally.add(&history, &format!("corrupted, shape {number}, seed {seed}"));
        }
    }
    println!("{tally:?}");
    assert!(tally.both_illegal > 3_000 && tally.both_legal > 500, "{tally:?}");
}

#[test]
#[ignore = "temporary"]
fn soak() {
    let from: u64 = std::env::var("FROM").map_or(0, |from| from.parse().unwrap());
    let to: u64 = std::env::var("TO").map_or(3000, |from| from.parse().unwrap());
    for (number, shape) in shapes().into_iter().enumerate() {
        let mut tally = Tally::default();
        let mut wrong = Tally::default();
        for seed in from..to {
            let history = generate::history(shape, seed);
            tally.add(&history, &format!("legal, shape {number}, seed {seed}"));
            let history = mutate::corrupted(&history, seed);
            wrong.add(&history, &format!("corrupted, shape {number}, seed {seed}"));
        }
        println!("{number} {tally:?} {wrong:?}");
    }
}

#[test]
#[ignore = "temporary"]
fn big_soak() {
    for (keys, unknown, deletes, ranges, writes, clients) in [
        (5, 200, 200, 300, 500, 20),
        (5, 200, 200, 300, 500, 20),
        (10, 100, 300, 100, 700, 20),
        (5, 200, 200, 300, 500, 20),
        (100, 100, 100, 20, 800, 50),
        (100, 300, 300, 20, 900, 50),
        (3, 300, 300, 500, 950, 10),
    ] {
        let shape = Shape {
            clients,
            operations: 3_000,
            keys,
            writes,
            deletes,
            ranges,
            serializable: 100,
            unknown,
            refused: 20,
            values: u64::MAX,
            pause: 60,
        };
        let mut tally = [0; 6];
        let mut worst = std::time::Duration::ZERO;
        for seed in 0..20 {
            eprintln!("SEED {seed}");
            for corrupt in [false, true] {
                let mut history = generate::history(shape, seed);
                if corrupt {
                    history = mutate::corrupted(&history, seed);
                }
                let start = std::time::Instant::now();
                let verdict = guided::judge(&history, Budget { steps: 20_000_000, states: 0 });
                worst = worst.max(start.elapsed());
                let at = match verdict {
                    Verdict::Linearizable(_) => 0,
                    Verdict::Illegal(_) => 1,
                    Verdict::Unknown(_) => 2,
                };
                tally[at + usize::from(corrupt) * 3] += 1;
            }
        }
        println!(
            "{keys} {unknown} {deletes} {writes}: legal {:?} corrupted {:?} worst {worst:?}",
            &tally[..3],
            &tally[3..]
        );
    }
}
