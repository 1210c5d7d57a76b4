//! x
fn main() {
    use quorate_sim::*;
    let a: Vec<String> = std::env::args().collect();
    let seed: u64 = a[1].parse().unwrap();
    let n: u64 = a.get(2).map_or(1, |x| x.parse().unwrap());
    let engine: Engine = a.get(3).map_or("raw", |x| x).parse().unwrap();
    let t = std::time::Instant::now();
    let mut sim = 0;
    let mut all = counters::Counters::default();
    for s in seed..seed + n {
        let reader: Option<trace::Reader> =
            if n == 1 { Some(Box::new(|l: &str| println!("{l}"))) } else { None };
        let plan = Plan::draw(s);
        if n == 1 {
            print!("{plan}");
        }
        let o = run(plan, engine, None, reader);
        sim += o.simulated;
        all.merge(&o.counters);
        if let (1, Ok(f)) = (n, std::env::var("HIST")) {
            let h = o.history.as_ref().unwrap();
            h.write(std::fs::File::create(f).unwrap()).unwrap();
            println!("wgl: {}", quorate_checks::linearizable::wgl::judge(h, Default::default()));
        }
        if n == 1 {
            println!("{o}");
        } else if let Err(v) = &o.verdict {
            println!("seed {s}: {v}");
        }
    }
    println!("{all}");
    println!("{:.0} sim-s/s", sim as f64 / 1e6 / t.elapsed().as_secs_f64());
}
