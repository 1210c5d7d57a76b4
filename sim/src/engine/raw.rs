//! The plain engine: a heap of events, the earliest first, and in order of making among equals.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Due;
use crate::verdict::Outcome;
use crate::world::World;

/// Lets a world's events happen until its verdict is in.
#[must_use]
pub fn run(mut world: World) -> Outcome {
    let mut heap = BinaryHeap::new();
    let mut number = 0;
    while !world.is_over() {
        for (at, event) in world.take_agenda() {
            number += 1;
            heap.push(Reverse(Due { at, number, event }));
        }
        let Some(Reverse(due)) = heap.pop() else { break };
        world.turn(due.at, due.event);
    }
    world.close()
}
