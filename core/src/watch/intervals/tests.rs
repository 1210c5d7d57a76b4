//! Look-ups against a look at every interval, and the depth of a large tree.

use alloc::vec::Vec;

use super::*;
use crate::random::Random;

fn key(number: u64) -> Arc<[u8]> {
    Arc::from(&number.to_be_bytes()[6..])
}

fn invent(random: &mut Random) -> Interval {
    let (start, len) = (random.below(300), 1 + random.below(80));
    let end = if random.below(9) == 0 { End::Never } else { End::Before(key(start + len)) };
    Interval { start: key(start), end }
}

#[test]
fn a_look_up_finds_what_a_look_at_everything_finds() {
    let mut random = Random::new(5);
    let (mut tree, mut list) = (Intervals::default(), Vec::<(Interval, InterestId)>::new());
    for number in 0..20_000 {
        let interval = invent(&mut random);
        match list.iter().position(|(known, _)| *known == interval) {
            Some(place) => {
                assert_eq!(tree.get(&interval), Some(list[place].1));
                tree.remove(&interval);
                list.swap_remove(place);
            }
            None if list.len() < 200 || random.below(2) == 0 => {
                assert_eq!(tree.get(&interval), None);
                tree.insert(interval.clone(), InterestId(number));
                list.push((interval, InterestId(number)));
            }
            None => {}
        }
        let asked = key(random.below(400));
        let mut found = Vec::new();
        tree.holding(&asked, &mut |interest| found.push(interest));
        let holds = |(interval, _): &&(Interval, InterestId)| {
            interval.start <= asked && interval.end.is_beyond(&asked)
        };
        let mut due: Vec<&(Interval, InterestId)> = list.iter().filter(holds).collect();
        due.sort();
        assert_eq!(found, due.into_iter().map(|(_, interest)| *interest).collect::<Vec<_>>());
    }
    assert!(list.len() > 150, "most of it was empty");
}

#[test]
fn intervals_in_order_make_no_deep_tree() {
    let mut tree = Intervals::default();
    for number in 0..20_000_u64 {
        let start = Arc::from(number.to_be_bytes());
        tree.insert(Interval { start, end: End::Never }, InterestId(number));
    }
    fn depth(link: &Link) -> usize {
        link.as_ref().map_or(0, |node| 1 + depth(&node.lower).max(depth(&node.upper)))
    }
    assert!(depth(&tree.root) < 60, "{} levels", depth(&tree.root));
}
