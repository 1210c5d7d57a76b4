//! A run's page holds the whole run and needs nothing else.

use std::fs;
use std::path::Path;

use quorate_sim::page::Recorder;
use quorate_sim::{Engine, Invariant, Outcome, Plan, Violation, run};
use serde_json::Value;

const ORIGIN: &str = "make sim SEED=3 </script><b>";

/// The page of a seed, with a verdict that the correct core did not earn.
fn page(seed: u64, engine: Engine) -> (String, Outcome) {
    let recorder = Recorder::default();
    let plan = Plan::draw(seed);
    let mut outcome = run(plan.clone(), engine, None, Some(recorder.reader(None)));
    let what = "operation 2 was invoked after operation 1 (put \"</script>\") had returned";
    let what = what.to_owned();
    outcome.verdict = Err(Violation { invariant: Invariant::Linearizability, what });
    (recorder.page(&plan, ORIGIN, &outcome), outcome)
}

fn story(page: &str) -> Value {
    let begin = "<script id=\"story\" type=\"application/json\">";
    let (_, rest) = page.split_once(begin).expect("the data have an element");
    let (data, _) = rest.split_once("</script>").expect("and it ends");
    serde_json::from_str(data).expect("the data are JSON")
}

#[test]
fn it_holds_every_event_every_operation_and_the_verdict() {
    for engine in Engine::ALL {
        let (page, outcome) = page(3, engine);
        let story = story(&page);
        let length = |name: &str| story[name].as_array().map(Vec::len);
        let history = outcome.history.as_ref().expect("the record is well formed");
        assert_eq!(length("ops"), Some(history.operations().len()), "{engine}");
        assert_eq!(length("events").map(|events| events as u64), Some(outcome.lines), "{engine}");
        assert_eq!(story["verdict"]["invariant"], "linearizability");
        assert_eq!(story["verdict"]["ops"], serde_json::json!([2, 1]));
        assert_eq!(story["plan"], Plan::draw(3).to_string());
    }
}

#[test]
fn its_lives_and_faults_are_those_of_the_run() {
    let (page, outcome) = page(5, Engine::Raw);
    let story = story(&page);
    let spans = story["spans"].as_array().expect("a list");
    let leads = |span: &&Value| span[4] == "leader";
    let terms: Vec<u64> = spans.iter().filter(leads).filter_map(|span| span[3].as_u64()).collect();
    assert!(!terms.is_empty(), "somebody led");
    for lane in 0..story["members"].as_u64().expect("a number") {
        let own: Vec<&Value> = spans.iter().filter(|span| span[0] == lane).collect();
        assert!(own.windows(2).all(|pair| pair[0][2] == pair[1][1]), "lane {lane} has a gap");
        assert_eq!(own.last().map(|span| &span[2]), Some(&outcome.simulated.into()));
    }
    let begun = story["faults"].as_array().expect("a list").len();
    assert!((1..=Plan::draw(5).faults.len()).contains(&begun), "{begun} faults began");
}

#[test]
fn it_needs_nothing_else_and_its_elements_end() {
    let (page, _) = page(3, Engine::Raw);
    for foreign in ["http:", "https:", " src=", " href=", "@import", "url(", "import("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(!page.contains("@STORY@") && !page.contains("@ORIGIN@"));
    let mut open: Vec<String> = Vec::new();
    for tag in tags(&page) {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name)),
            None if ["meta", "input", "!doctype"].contains(&tag.as_str()) => {}
            None => open.push(tag),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn looking_changes_nothing() {
    let (_, seen) = page(3, Engine::Raw);
    let unseen = run(Plan::draw(3), Engine::Raw, None, None);
    assert_eq!((seen.hash, seen.lines), (unseen.hash, unseen.lines));
}

#[test]
fn the_page_on_the_shelf_shows_the_plan_of_its_name() {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces");
    let name = "a_cut_off_leader_serves_a_read";
    let read = |file: String| fs::read_to_string(traces.join(file)).expect("it is there");
    let page = read(format!("seen/{name}.html"));
    assert!(page.len() < 400_000, "{} bytes", page.len());
    let story = story(&page);
    let shown: Plan = story["plan"].as_str().expect("a text").parse().expect("a plan");
    let stored: Plan = read(format!("regressions/{name}.plan")).parse().expect("a plan");
    // A setting that a later simulator has on top makes no other story.
    let tells = |plan: &Plan| (plan.settings.seed, plan.faults.clone(), plan.ops.clone());
    assert_eq!(tells(&shown), tells(&stored));
    let broken = stored.expect.broken.expect("it names a bug").invariant;
    assert_eq!(story["verdict"]["invariant"], broken.name());
}

/// The names of all tags, without what is inside of scripts, styles and remarks.
fn tags(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some((_, inside)) = rest.split_once('<') {
        if let Some(remark) = inside.strip_prefix("!--") {
            rest = remark.split_once("-->").expect("a remark ends").1;
            continue;
        }
        let (tag, after) = inside.split_once('>').expect("a tag ends");
        let name = tag.split_whitespace().next().unwrap_or_default().to_owned();
        let end = format!("</{name}>");
        rest = match name.as_str() {
            "script" | "style" => &after[after.find(&end).expect("it ends")..],
            _ => after,
        };
        tags.push(name);
    }
    tags
}
