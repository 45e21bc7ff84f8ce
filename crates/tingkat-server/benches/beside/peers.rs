//! Over HTTP: the service beside those of `bench/peers`, which do the same by hand.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_lab::bench::PhaseReport;
use tingkat_testkit::figures;

use crate::asking::{Shown, bench, flag, line, median};
use crate::contender::Contender;
use crate::store::Store;
use crate::{Result, Size};

const WORKLOAD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../bench/peers/product-pages.toml"
);

/// Requests a second that any of them can answer, for the times that customers notice.
const RATE: &str = "1000";

/// Callers of one cold product at the same moment.
const CROWD: usize = 300;

/// Products that nobody has asked for before.
const COLD: std::ops::Range<usize> = 101..121;

/// How long a changed price is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn measure(store: &Store, size: Size) -> Result<()> {
    let contenders = Contender::start_all(store).await?;
    println!("\nover HTTP");
    for contender in &contenders {
        crowds(store, contender).await?;
    }
    // So that all products are where a service keeps them.
    for contender in &contenders {
        run(store, contender, &["--duration", "2s"]).await?;
    }
    let closed = as_fast_as_they_can(store, &contenders, size).await?;
    tell_ratios(&contenders, &closed);
    at_a_rate(store, &contenders, size).await?;
    for contender in &contenders {
        changed_price(store, contender).await?;
    }
    Ok(())
}

/// One run of one service.
struct Run {
    phase: PhaseReport,
    /// Microseconds of processor for an answer.
    micros: Option<f64>,
}

async fn run(store: &Store, contender: &Contender, more: &[&str]) -> Result<Run> {
    let before = contender.busy();
    let url = contender.url();
    let usual = ["--workload", WORKLOAD, "--url", &url, "--warm-up", "0s"];
    let mut report = bench(store.tingkat(), &[&usual[..], more].concat()).await?;
    let after = contender.busy();
    let run = report.subjects.pop().and_then(|mut it| it.runs.pop());
    let phase = run.and_then(|mut run| run.phases.pop());
    let phase = phase.ok_or("a report without a phase")?;
    #[expect(clippy::cast_precision_loss, reason = "no run has so many")]
    let micros = after
        .zip(before)
        .map(|(after, before)| (after - before) * 1e6 / phase.operations as f64);
    Ok(Run { phase, micros })
}

/// Rounds of all contenders, in turn.
async fn rounds(
    store: &Store,
    contenders: &[Contender],
    runs: usize,
    more: &[&str],
) -> Result<Vec<Vec<Run>>> {
    let mut all: Vec<Vec<Run>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for (contender, runs) in contenders.iter().zip(&mut all) {
            runs.push(run(store, contender, more).await?);
        }
    }
    Ok(all)
}

async fn as_fast_as_they_can(
    store: &Store,
    contenders: &[Contender],
    size: Size,
) -> Result<Vec<Vec<Run>>> {
    let length = flag(size.length);
    let all = rounds(store, contenders, size.runs, &["--duration", &length]).await?;
    for (contender, runs) in contenders.iter().zip(&all) {
        let mut cells = cells(runs);
        let micros: Option<Vec<f64>> = runs.iter().map(|run| run.micros).collect();
        let micros = micros.map_or("?".to_owned(), |it| format!("{:.0} µs", median(it)));
        cells.push(("processor for an answer", micros));
        println!("{}", line(contender.name, &cells));
        let table = "over HTTP, 32 callers, as fast as they are answered";
        figures::row(table, contender.name, &cells);
    }
    Ok(all)
}

/// What Tingkat does beside each of the others, in the same round.
fn tell_ratios(contenders: &[Contender], all: &[Vec<Run>]) {
    let Some((own, others)) = all.split_first() else {
        return;
    };
    for (contender, runs) in contenders.iter().skip(1).zip(others) {
        let pairs = || own.iter().zip(runs);
        let rates = pairs().map(|(own, it)| own.phase.achieved_rate / it.phase.achieved_rate);
        let tails = pairs().map(|(own, it)| own.phase.service.p99 / it.phase.service.p99);
        let micros: Option<Vec<f64>> = pairs()
            .map(|(own, it)| Some(own.micros? / it.micros?))
            .collect();
        let cells = [
            ("answers a second", shown(median(rates.collect()))),
            ("p99", shown(median(tails.collect()))),
            (
                "processor for an answer",
                micros.map_or("?".to_owned(), |it| shown(median(it))),
            ),
        ];
        let name = format!("tingkat serve / {}", contender.name);
        println!("{}", line(&name, &cells));
        figures::row("over HTTP, as ratios of the same round", &name, &cells);
    }
}

fn shown(ratio: f64) -> String {
    format!("{ratio:.2}")
}

async fn at_a_rate(store: &Store, contenders: &[Contender], size: Size) -> Result<()> {
    let length = flag(size.length);
    let more = ["--duration", &length, "--rate", RATE];
    let all = rounds(store, contenders, size.runs, &more).await?;
    for (contender, runs) in contenders.iter().zip(&all) {
        let cells = cells(runs);
        println!("{}", line(contender.name, &cells));
        let table = format!("over HTTP, {RATE} requests a second");
        figures::row(&table, contender.name, &cells);
    }
    Ok(())
}

fn cells(runs: &[Run]) -> Vec<(&'static str, String)> {
    let phases: Vec<&PhaseReport> = runs.iter().map(|run| &run.phase).collect();
    Shown::of(&phases).cells()
}

/// How often the database is asked when many want one product that nobody has, of several one after the
/// other: one crowd may have luck.
async fn crowds(store: &Store, contender: &Contender) -> Result<()> {
    let (mut right, mut loads) = (0, Vec::new());
    for product in COLD {
        store.sql("SELECT pg_stat_statements_reset()").await?;
        let path = format!("/v1/products/{product}");
        let answers = join_all((0..CROWD).map(|_| contender.target.get(&path))).await;
        let is_right = |it: &std::result::Result<tingkat_lab::Answer, _>| {
            it.as_ref().is_ok_and(|answer| answer.status == 200)
        };
        right += answers.iter().filter(|it| is_right(it)).count();
        let count = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
                     WHERE query LIKE '%product_variant.regular_price%'";
        let statements = store.sql(count).await?;
        loads.push(statements.trim().parse::<u64>()?);
    }
    let worst = loads.iter().max().copied().unwrap_or_default();
    let all = CROWD * COLD.count();
    let cells = [
        ("answered", format!("{right} of {all}")),
        ("statements", loads.iter().sum::<u64>().to_string()),
        ("most for one product", worst.to_string()),
    ];
    println!("{}", line(contender.name, &cells));
    let table = format!(
        "{CROWD} callers at the same moment for one product that is nowhere kept, {} times",
        COLD.count()
    );
    figures::row(&table, contender.name, &cells);
    Ok(())
}

/// How long a price that somebody changes in the database is answered wrongly.
async fn changed_price(store: &Store, contender: &Contender) -> Result<()> {
    let path = "/v1/products/78";
    contender.target.get(path).await?;
    let change = "UPDATE product SET regular_price = regular_price + 1 WHERE id = '78' \
                  RETURNING regular_price";
    let changed = store.sql(change).await?;
    let price = changed.lines().next().unwrap_or_default().trim().to_owned();
    let begun = SystemClock.now();
    let cell = loop {
        let answer = contender.target.get(path).await?.json()?;
        let shown = answer.pointer("/regular_price/amount");
        let waited = SystemClock.now().since(begun);
        if shown.map(Value::to_string).as_ref() == Some(&price) {
            break format!("{} ms", waited.as_millis());
        }
        if waited > PATIENCE {
            break format!("not within {} s", PATIENCE.as_secs());
        }
        SystemClock.sleep(Duration::from_millis(1)).await;
    };
    let cells = [("shown after", cell)];
    println!("{}", line(contender.name, &cells));
    figures::row(
        "a price that is changed in the database",
        contender.name,
        &cells,
    );
    Ok(())
}
