//! Takes as many things out of a list as it can, in groups that become ever smaller.
//!
//! ```text
//!   a b c d e f g h      all? no. half? no.
//!   a b c d . . . .      the later half? yes. a quarter of what is left? no.
//!   a . . d . . . .      one by one
//! ```
//! It is the half of Zeller's delta debugging that takes things out: what is needed together is
//! kept together as long as the groups are large.

/// What is left of `items` when nothing more can be taken out, one by one. `fails` is asked whether
/// the failure is still there with only these.
pub(super) fn thin<T: Clone>(items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut left = items;
    let mut group = left.len();
    while group > 0 && !left.is_empty() {
        let before = left.len();
        // From the end: what comes late is seldom the cause.
        let mut end = left.len();
        while end > 0 {
            let start = end.saturating_sub(group);
            let rest = [&left[..start], &left[end..]].concat();
            if fails(&rest) {
                left = rest;
            }
            end = start;
        }
        let again = group == 1 && left.len() < before;
        group = if again { 1 } else { group.min(left.len()) / 2 };
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thins 0..100, of which some are needed together; also says how often it asked.
    fn thinned(needed: &[u32]) -> (Vec<u32>, usize) {
        let mut asked = 0;
        let left = thin((0..100).collect(), |rest| {
            asked += 1;
            needed.iter().all(|each| rest.contains(each))
        });
        (left, asked)
    }

    #[test]
    fn what_is_needed_is_left_and_nothing_else() {
        for needed in [&[][..], &[0], &[99], &[3, 4], &[0, 50, 99], &[7, 21, 22, 23, 80, 81]] {
            let (left, asked) = thinned(needed);
            assert_eq!(left, needed);
            assert!(asked <= 20 + 16 * needed.len(), "{asked} questions for {needed:?}");
        }
    }

    #[test]
    fn things_that_need_each_other_go_together() {
        // Either both of a pair or none: a single one cannot be taken out.
        let whole = |rest: &[u32]| rest.len().is_multiple_of(2);
        assert_eq!(thin((0..8).collect(), whole), Vec::<u32>::new());
    }
}
