//! Majorities, against a table and against what they are meant to be.

use quorate_core::raft::quorum::{agreed, majority};

#[test]
fn a_majority_is_more_than_half() {
    let table = [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4), (8, 5), (9, 5)];
    for (voters, quorum) in table {
        assert_eq!(majority(voters), quorum, "of {voters}");
    }
}

/// What all of Raft leans on (paper §5.2): sets of voters are numbers, a bit per voter.
#[test]
fn any_two_majorities_share_a_voter_and_smaller_sets_need_not() {
    for voters in 1..=7 {
        let sets =
            |size: usize| (0_u32..1 << voters).filter(move |set| set.count_ones() as usize == size);
        let quorum = majority(voters);
        for one in sets(quorum) {
            assert!(sets(quorum).all(|other| one & other != 0), "{one:b} of {voters} voters");
        }
        let apart = |one: u32| sets(quorum - 1).any(|other| one & other == 0);
        assert!(sets(quorum - 1).any(apart), "fewer than {quorum} of {voters} would do");
    }
}

#[test]
fn agreed_is_what_a_majority_reaches() {
    let table: [(&[u64], u64); 9] = [
        (&[5], 5),
        (&[5, 3], 3),
        (&[7, 4, 9], 7),
        (&[0, 0, 9], 0),
        (&[9, 9, 0], 9),
        (&[4, 3, 2, 1], 2),
        (&[4, 4, 1, 1], 1),
        (&[5, 4, 3, 2, 1], 3),
        (&[1, 9, 1, 9, 1], 1),
    ];
    for (values, expected) in table {
        assert_eq!(agreed(&mut values.to_vec()), expected, "{values:?}");
    }
}

/// By its definition: the largest value that enough voters reach. The order must not matter.
#[test]
fn agreed_is_right_for_every_small_cluster() {
    const VALUES: usize = 4;
    for voters in 1..=6_u32 {
        for case in 0..VALUES.pow(voters) {
            let values: Vec<usize> =
                (0..voters).map(|voter| case / VALUES.pow(voter) % VALUES).collect();
            let reached = |value| values.iter().filter(|other| **other >= value).count();
            let expected = (0..VALUES).rev().find(|v| reached(*v) >= majority(values.len()));
            assert_eq!(Some(agreed(&mut values.clone())), expected, "{values:?}");
        }
    }
}

#[test]
#[should_panic(expected = "without voters")]
fn nobody_agrees_on_nothing() {
    let _ = agreed::<u64>(&mut []);
}
