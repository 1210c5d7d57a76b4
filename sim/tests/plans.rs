//! Plans are text that can be kept, edited and shortened.

use std::sync::{Arc, Mutex};

use quorate_sim::plan::When;
use quorate_sim::{Engine, Plan, run};

#[test]
fn a_plan_reads_back_as_itself() {
    for seed in 0..300 {
        let plan = Plan::draw(seed);
        assert_eq!(plan.to_string().parse::<Plan>(), Ok(plan), "seed {seed}");
    }
}

#[test]
fn a_plan_says_what_is_wrong_with_it() {
    let good = Plan::draw(1).to_string();
    let refusals = [
        (String::new(), "a plan begins with the line"),
        (good.replace("members", "membres"), "no such setting"),
        (good.clone() + "fault 99 at 1s for 1s flood 1\n", "no fault is called flood"),
        (good.clone() + "op 9999 client 31 think 1s put k1 size 3\n", "has no client"),
        (good.clone() + "fault 99 at soon for 1s crash 1\n", "is no span"),
        (good.clone() + "fault 99 at 1s for 1s crash 1 2\n", "does not belong here"),
    ];
    for (text, why) in refusals {
        let error = text.parse::<Plan>().expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn remarks_and_empty_lines_are_free() {
    let plan = Plan::draw(1);
    let text = plan.to_string().replace('\n', "   # why\n\n");
    assert_eq!(text.parse::<Plan>(), Ok(plan));
}

#[test]
fn without_its_last_fault_a_run_is_the_same_until_then() {
    for seed in 1..40 {
        let plan = Plan::draw(seed);
        let time = |when| if let When::At(time) = when { Some(time) } else { None };
        let times = plan.faults.iter().filter_map(|fault| Some((time(fault.when)?, fault.id)));
        let Some((at, last)) = times.max() else { continue };
        let mut shorter = plan.clone();
        shorter.faults.retain(|fault| fault.id != last);
        assert_eq!(lines(plan, at), lines(shorter, at), "seed {seed} without fault {last}");
    }
}

/// What happens before a time.
fn lines(plan: Plan, before: u64) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let reader = move |line: &str| kept.lock().expect("nobody panics").push(line.to_owned());
    let _ = run(plan, Engine::Raw, None, Some(Box::new(reader)));
    let lines = lines.lock().expect("nobody panics");
    let end = format!("{:>4}.{:06}", before / 1_000_000, before % 1_000_000);
    lines.iter().take_while(|line| **line < end).cloned().collect()
}

#[test]
fn every_form_of_every_request_reads_back() {
    let forms = "put k1 size 8
        put k1 ignore-value lease l-3 prev
        put k1 size 0 ignore-lease
        delete k1..k4 prev
        range k0.. serializable limit 3 keys-only mark 1
        txn end
        txn if version k1 = 0 and value k1..k4 != seen-1 then put k1 size 8 ; delete k2 else range k0.. end
        txn then txn if mod k1 < seen+2 else put k3 size 1 end ; range k1 tombstone 0 end
        compact ahead 2 physical
        grant own ttl 2
        revoke l-7
        keep-alive own
        keep l1 every 300ms times 8
        time-to-live l1 keys
        leases
        watch s1 k0.. from back 2 id 7 no-put prev fragment progress
        watch s0 k3
        cancel 17
        progress s1
        pace s1 20ms
        close s1
        move-leader 2";
    let head = Plan { ops: Vec::new(), ..Plan::draw(1) }.to_string();
    for (number, form) in forms.lines().map(str::trim).enumerate() {
        let text = format!("{head}op {number} client 0 think 1ms {form}\n");
        let plan = text.parse::<Plan>().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.to_string(), text);
    }
}

#[test]
fn plans_of_version_1_still_read() {
    let plan = Plan::draw(1);
    let old = plan.to_string().replacen("quorate plan 2", "quorate plan 1", 1);
    assert_eq!(old.parse::<Plan>(), Ok(plan));
}
