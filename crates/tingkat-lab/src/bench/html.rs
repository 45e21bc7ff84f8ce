//! The report as one page that needs nothing else: no network, no other file. Its tables are in the
//! page; a script draws the charts, by uPlot (MIT licence, html/uPlot-LICENSE.txt).

use std::fmt::{Display, Write as _};

use serde_json::{Value, json};

use super::number::{real, share};
use super::report::{CurvePoint, PhaseReport, Report, SubjectReport};
use super::subject::Tier;
use super::{beside, text, words};

const CSS: &str = include_str!("html/page.css");
const PLOT_CSS: &str = include_str!("html/uPlot-1.6.32.min.css");
const PLOT: &str = include_str!("html/uPlot-1.6.32.min.js");
const PLOT_LICENCE: &str = include_str!("html/uPlot-LICENSE.txt");
const SCRIPT: &str = include_str!("html/page.js");

/// More curves are not told apart.
const MOST_CURVES: usize = 8;

/// The page.
pub fn page(report: &Report) -> String {
    let workload = &report.workload;
    let title = format!("tingkat bench: {}", workload.name);
    let body = [
        head(report),
        verdicts(report),
        charts(report),
        report.subjects.iter().map(subject).collect(),
        beside(report),
        comparison(report),
        environment(report),
    ]
    .concat();
    // What is between script tags must not end them.
    let data = data(report).to_string().replace('<', "\\u003c");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{PLOT_CSS}\n{CSS}</style>\n</head>\n<body>\n{body}\
         <script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>/*\n{PLOT_LICENCE}*/\n{PLOT}</script>\n<script>{SCRIPT}</script>\n\
         </body>\n</html>\n",
        Text(&title)
    )
}

/// A text in which nothing is markup.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn paragraph(class: &str, line: &str) -> String {
    format!("<p class=\"{class}\">{}</p>\n", Text(line))
}

fn head(report: &Report) -> String {
    let workload = &report.workload;
    let runs = report.first().map_or(0, |it| it.runs.len());
    let mut html = format!("<h1>{}</h1>\n", Text(&workload.name));
    html.push_str(&paragraph("", &workload.about));
    html.push_str(&paragraph("soft", &text::loop_of(report)));
    let line = format!(
        "{runs} run{} of {} after {} of warm-up, seed {}; {}",
        if runs == 1 { "" } else { "s" },
        super::span::shown(workload.duration),
        super::span::shown(workload.warm_up),
        report.seed,
        report.environment.at
    );
    html.push_str(&paragraph("soft", &line));
    if let Some(trace) = &report.trace {
        html.push_str(&paragraph("soft", &text::replayed(trace)));
    }
    let invalid = report.invalid();
    if report.interrupted || !invalid.is_empty() {
        let word = if report.interrupted {
            "INTERRUPTED"
        } else {
            "INVALID"
        };
        let reasons: String = invalid.iter().map(|why| paragraph("", why)).collect();
        let _ = writeln!(
            html,
            "<div class=\"banner\" role=\"alert\"><b>{word}</b>: the numbers mean nothing.{reasons}</div>"
        );
    }
    html
}

fn verdicts(report: &Report) -> String {
    let mut html = String::new();
    if !report.advice.is_empty() {
        html.push_str("<h2>No grade: the target did not keep up with the rate</h2>\n");
    }
    for advice in &report.advice {
        html.push_str(&paragraph("", &format!("→ {advice}")));
    }
    if let Some(grades) = &report.grades {
        let _ = write!(
            html,
            "<h2>Grade</h2>\n<p><span class=\"grade\">{}</span>",
            grades.overall.letter()
        );
        let each = grades.objectives.iter().map(|it| {
            let line = format!("{} {}: {}", it.grade.letter(), it.objective, it.measured);
            Text(&line).to_string()
        });
        html.push_str(&each.collect::<Vec<_>>().join(" · "));
        html.push_str("</p>\n");
        for advice in &grades.recommendations {
            html.push_str(&paragraph("", &format!("→ {advice}")));
        }
    }
    if !report.objectives.is_empty() {
        html.push_str("<h2>Objectives</h2>\n");
    }
    for verdict in &report.objectives {
        let (class, mark) = if verdict.is_kept {
            ("kept", "√ kept")
        } else {
            ("missed", "× missed")
        };
        let measured = verdict.measured.as_deref();
        let measured = measured.unwrap_or("nothing was measured");
        let _ = writeln!(
            html,
            "<p><span class=\"{class}\">{mark}</span> {}: {}</p>",
            Text(&verdict.objective),
            Text(measured)
        );
    }
    html
}

fn charts(report: &Report) -> String {
    let mut html = "<h2>Latency and course</h2>\n<div class=\"cards\">\n".to_owned();
    let card = |title: &str, id: &str| {
        format!(
            "<div class=\"card\"><h3>{}</h3><div class=\"chart\" id=\"{id}\"></div></div>\n",
            Text(title)
        )
    };
    html.push_str(&card("How many are faster than what", "curve"));
    for (number, subject) in report.subjects.iter().enumerate() {
        let name = &subject.name;
        html.push_str(&card(
            &format!("{name}: answers a second"),
            &format!("rates-{number}"),
        ));
        if subject
            .runs
            .iter()
            .any(|run| run.phases.iter().any(|phase| !phase.tiers.is_empty()))
        {
            html.push_str(&card(
                &format!("{name}: how many are faster, by who answered"),
                &format!("tiers-{number}"),
            ));
        }
        html.push_str(&card(
            &format!("{name}: latency over time"),
            &format!("times-{number}"),
        ));
    }
    html.push_str("</div>\n");
    html
}

fn subject(subject: &SubjectReport) -> String {
    let mut html = format!("<h2>{}</h2>\n", Text(&subject.name));
    html.push_str(&paragraph("soft", &subject.about));
    for phases in text::phases_of(subject) {
        let phase = phases.middle;
        let _ = writeln!(html, "<h3>{}</h3>", Text(&text::summary(phase)));
        if let Some(why) = text::invalid(&phases.runs) {
            html.push_str(&paragraph("missed", &format!("INVALID: {why}")));
        }
        let over_runs = text::over_runs(&phases.runs);
        for line in over_runs.into_iter().chain([text::used(phase)]) {
            html.push_str(&paragraph("soft", &line));
        }
        html.push_str(&tiers(phase));
        html.push_str(&table(&text::rows(phase), 3));
        for line in text::seen(phase) {
            html.push_str(&paragraph("", &line));
        }
    }
    for why in &subject.skipped {
        html.push_str(&paragraph("soft", &format!("skipped {why}")));
    }
    html
}

/// Who answered, as a bar, with the shares in words.
fn tiers(phase: &PhaseReport) -> String {
    let mut bar = String::new();
    let mut legend = String::new();
    let all = [Tier::Memory, Tier::Redis, Tier::Database, Tier::Unknown];
    for (number, tier) in all.into_iter().enumerate() {
        let classes = phase.classes.iter().filter(|it| it.tier == tier);
        let part = share(classes.map(|it| it.operations).sum(), phase.operations);
        if part <= 0.0 {
            continue;
        }
        let _ = write!(
            bar,
            "<span style=\"width:{:.3}%;background:var(--c{number})\"></span>",
            part * 100.0
        );
        let word = match tier {
            Tier::Unknown => "no answer",
            Tier::Memory | Tier::Redis | Tier::Database => words::tier(tier),
        };
        let _ = write!(
            legend,
            "<span><span class=\"key\" style=\"background:var(--c{number})\"></span>{word} {}</span>",
            words::percent(part)
        );
    }
    format!(
        "<div class=\"bar\" aria-hidden=\"true\">{bar}</div>\n<div class=\"legend\">{legend}</div>\n"
    )
}

fn table(rows: &[Vec<String>], words: usize) -> String {
    let mut html = "<div class=\"scroll\"><table>\n".to_owned();
    for (number, row) in rows.iter().enumerate() {
        let cell = if number == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        for (column, text) in row.iter().enumerate() {
            let class = if column < words {
                " class=\"word\""
            } else {
                ""
            };
            let _ = write!(html, "<{cell}{class}>{}</{cell}>", Text(text));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    html
}

fn beside(report: &Report) -> String {
    let rows = beside::ratio_rows(report);
    match report.first().filter(|_| rows.len() > 1) {
        Some(first) => format!(
            "<h2>{} beside the others, in the same run</h2>\n{}",
            Text(&first.name),
            table(&rows, 2)
        ),
        None => String::new(),
    }
}

fn comparison(report: &Report) -> String {
    let Some(comparison) = &report.comparison else {
        return String::new();
    };
    let mut html = format!("<h2>Beside {}</h2>\n", Text(&comparison.baseline));
    if !comparison.caveats.is_empty() {
        let line = format!("hard to compare: {}", comparison.caveats.join(", "));
        html.push_str(&paragraph("missed", &line));
    }
    if let Some(missing) = beside::missing(comparison) {
        html.push_str(&paragraph("missed", &missing));
    }
    html.push_str(&table(&beside::comparison_rows(comparison), 2));
    html
}

fn environment(report: &Report) -> String {
    let environment = &report.environment;
    let generator = report.generator;
    let mut rows = vec![
        ("machine".to_owned(), text::machine(report)),
        ("build".to_owned(), environment.build.clone()),
    ];
    let details = environment.details.iter();
    rows.extend(details.map(|(name, value)| (name.clone(), value.clone())));
    rows.push(("generator".to_owned(), text::costs(generator)));
    let mut list = String::new();
    for (name, value) in &rows {
        let _ = writeln!(list, "<dt>{}</dt><dd>{}</dd>", Text(name), Text(value));
    }
    format!("<h2>Where</h2>\n<dl>\n{list}</dl>\n")
}

/// What the charts are drawn from.
fn data(report: &Report) -> Value {
    let several = report.subjects.len() > 1;
    let mut all = Curves::default();
    for subject in &report.subjects {
        for phase in text::middles(subject) {
            let name = if several {
                format!("{}: {}", subject.name, phase.name)
            } else {
                phase.name.clone()
            };
            all.add(name, &phase.curve, phase.operations);
        }
    }
    json!({
        "nines": ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999%"],
        "curve": all.data(),
        "tiers": report.subjects.iter().map(by_tier).collect::<Vec<_>>(),
        "courses": report.subjects.iter().map(course).collect::<Vec<_>>(),
    })
}

/// The curves of a subject by who answered.
fn by_tier(subject: &SubjectReport) -> Value {
    let phases = text::middles(subject);
    let mut curves = Curves::default();
    for phase in &phases {
        for of in &phase.tiers {
            let tier = words::tier(of.tier);
            let name = if phases.len() > 1 {
                format!("{}: {tier}", phase.name)
            } else {
                tier.to_owned()
            };
            curves.add(name, &of.curve, of.operations);
        }
    }
    curves.data()
}

/// Curves of one chart.
#[derive(Default)]
struct Curves {
    names: Vec<String>,
    nines: Vec<f64>,
    micros: Vec<Vec<Option<f64>>>,
}

impl Curves {
    fn add(&mut self, name: String, points: &[CurvePoint], operations: u64) {
        // The slowest of all is in the table: on this axis it would be infinitely far away.
        let points = points.iter().filter(|point| point.quantile < 1.0);
        // Of a thousand operations there is no slowest of ten thousand.
        let is_known = |quantile: f64| (1.0 - quantile) * real(operations) >= 1.0;
        let time = |point: &CurvePoint| {
            let micros = point.micros.max(0.001);
            (point.quantile, is_known(point.quantile).then_some(micros))
        };
        let (quantiles, micros): (Vec<f64>, Vec<Option<f64>>) = points.map(time).unzip();
        if micros.is_empty() || self.micros.len() >= MOST_CURVES {
            return;
        }
        self.nines = quantiles.iter().map(|it| -(1.0 - it).log10()).collect();
        self.names.push(name);
        self.micros.push(micros);
    }

    fn data(self) -> Value {
        json!({ "names": self.names, "nines": self.nines, "micros": self.micros })
    }
}

/// The phases of a subject one after the other.
fn course(subject: &SubjectReport) -> Value {
    let mut begins = 0.0;
    let mut phases = Vec::new();
    let (mut seconds, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    let (mut tiers, mut errors) = ([const { Vec::new() }; 4], Vec::new());
    for phase in text::middles(subject) {
        phases.push(json!({ "name": phase.name, "at": begins }));
        let mut end = 0.0;
        for point in &phase.course {
            end = point.seconds;
            seconds.push(begins + end);
            // A logarithm has no zero; a part in which nothing ended has no time.
            let time = |micros: f64| (micros > 0.0).then_some(micros);
            p50.push(time(point.p50));
            p99.push(time(point.p99));
            errors.push(point.error_rate);
            for (tier, rate) in tiers.iter_mut().zip(point.by_tier) {
                tier.push(rate);
            }
        }
        begins += f64::max(end, 0.001);
    }
    json!({
        "phases": phases, "seconds": seconds, "p50": p50, "p99": p99, "tiers": tiers, "errors": errors,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    /// The page without what is the same in all of them.
    fn own(page: &str) -> String {
        [CSS, PLOT_CSS, PLOT, PLOT_LICENCE, SCRIPT]
            .iter()
            .fold(page.to_owned(), |page, part| page.replace(part, "…"))
    }

    #[test]
    fn the_page_is_as_reviewed() {
        insta::assert_snapshot!(own(&page(&samples::full_report())));
    }

    #[test]
    fn it_asks_nobody_for_anything() {
        let page = own(&page(&samples::full_report()));
        for word in ["http://", "https://", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn names_are_texts_and_never_markup() {
        let mut report = samples::full_report();
        let evil = "</script><script>alert(1)</script>";
        evil.clone_into(&mut report.subjects[0].name);
        evil.clone_into(&mut report.subjects[0].runs[0].phases[0].name);
        evil.clone_into(&mut report.workload.name);
        let page = own(&page(&report));
        assert!(!page.contains("<script>alert"), "{page}");
    }
}
