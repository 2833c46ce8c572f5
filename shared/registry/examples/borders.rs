//! Computes the borders of polygon files and compares them with a list of true ones:
//! `cargo xtask borders POLYGONS BORDERS`. Only pairs with both communes in one file are looked
//! at: what borders a commune of another province cannot be seen without its polygon.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a person at a terminal, and for the log of CI"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use domain::ids::CommuneCode;
use registry::boundaries::{Boundaries, MIN_BORDER_M, SNAP_M};

/// Precision and recall must both reach this.
const SHARE_MIN: f64 = 0.99;
/// In a folder, a file of which fewer communes than this share are known is of another year.
const KNOWN_SHARE_MIN: f64 = 0.9;
/// Wrong usage, as in `sysexits.h`; `keng` uses the same number.
const WRONG_USAGE: u8 = 64;

type Pair = (CommuneCode, CommuneCode);

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [polygons, borders] = arguments.as_slice() else {
        eprintln!("usage: borders POLYGONS BORDERS (a file or folder of GeoJSON, a CSV)");
        return ExitCode::from(WRONG_USAGE);
    };
    match compare_all(polygons, borders) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("borders: {why}");
            ExitCode::from(WRONG_USAGE)
        }
    }
}

fn compare_all(polygons: &Path, borders: &Path) -> Result<bool, String> {
    let unreadable = |why: std::io::Error| format!("{}: {why}", borders.display());
    let csv = fs::read_to_string(borders).map_err(unreadable)?;
    let truth = read_borders(&csv).map_err(|why| format!("{}: {why}", borders.display()))?;
    let known: BTreeSet<CommuneCode> = truth.iter().flat_map(|(a, b)| [*a, *b]).collect();
    let (mut total, mut compared) = (Comparison::default(), 0);
    for file in files(polygons)? {
        let boundaries = Boundaries::read(&file).map_err(|why| why.to_string())?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (communes, found) = (boundaries.codes().len(), boundaries.codes());
        let found = found.filter(|code| known.contains(code)).count();
        if polygons.is_dir() && share(found, communes) < KNOWN_SHARE_MIN {
            println!("{name}: left out, {found} of {communes} communes are in the list");
            continue;
        }
        let comparison = compare(&boundaries, &truth);
        println!("{name}: {communes} communes, {comparison}");
        comparison.tell_differences();
        total.add(&comparison);
        compared += 1;
    }
    if compared == 0 {
        return Err(format!("{}: no polygons of the communes listed", polygons.display()));
    }
    println!("all {compared} files: {total}");
    Ok(total.precision() >= SHARE_MIN && total.recall() >= SHARE_MIN)
}

/// The file itself, or what a folder has of GeoJSON, by name.
fn files(polygons: &Path) -> Result<Vec<PathBuf>, String> {
    if !polygons.is_dir() {
        return Ok(vec![polygons.to_owned()]);
    }
    let unreadable = |why: std::io::Error| format!("{}: {why}", polygons.display());
    let entries = fs::read_dir(polygons).map_err(unreadable)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "geojson") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The pairs of a CSV: a headline, and two codes at the head of each further line.
fn read_borders(csv: &str) -> Result<BTreeSet<Pair>, String> {
    let mut pairs = BTreeSet::new();
    for (number, line) in (1..).zip(csv.lines()) {
        if number == 1 {
            if !line.starts_with("a,b,") {
                return Err("line 1: is not the headline a,b,…".to_owned());
            }
            continue;
        }
        let mut columns = line.split(',').map(str::parse::<CommuneCode>);
        let (Some(Ok(a)), Some(Ok(b))) = (columns.next(), columns.next()) else {
            return Err(format!("line {number}: does not begin with two codes"));
        };
        pairs.insert((a.min(b), a.max(b)));
    }
    Ok(pairs)
}

/// Pairs that were computed, that are true, that are both.
#[derive(Debug, Default)]
struct Comparison {
    computed: usize,
    truth: usize,
    both: usize,
    /// With what was measured, if anything: metres.
    missing: Vec<(Pair, Option<f64>)>,
    extra: Vec<(Pair, Option<f64>)>,
}

fn compare(boundaries: &Boundaries, truth: &BTreeSet<Pair>) -> Comparison {
    let inside: BTreeSet<CommuneCode> = boundaries.codes().collect();
    let truth: BTreeSet<Pair> =
        truth.iter().filter(|(a, b)| inside.contains(a) && inside.contains(b)).copied().collect();
    let contacts = boundaries.contacts(SNAP_M);
    let is_border = |length_m: f64| length_m > MIN_BORDER_M;
    let measured = |pair: Pair| {
        contacts.iter().find(|contact| (contact.a, contact.b) == pair).map(|c| c.length_m)
    };
    let borders = contacts.iter().filter(|contact| is_border(contact.length_m));
    let computed: BTreeSet<Pair> = borders.map(|contact| (contact.a, contact.b)).collect();
    let with_length = |pair: &Pair| (*pair, measured(*pair));
    Comparison {
        computed: computed.len(),
        truth: truth.len(),
        both: computed.intersection(&truth).count(),
        missing: truth.difference(&computed).map(with_length).collect(),
        extra: computed.difference(&truth).map(with_length).collect(),
    }
}

impl Comparison {
    fn precision(&self) -> f64 {
        share(self.both, self.computed)
    }

    fn recall(&self) -> f64 {
        share(self.both, self.truth)
    }

    fn add(&mut self, other: &Self) {
        self.computed += other.computed;
        self.truth += other.truth;
        self.both += other.both;
    }

    fn tell_differences(&self) {
        for (what, pairs) in [("missing", &self.missing), ("extra", &self.extra)] {
            for ((a, b), length_m) in pairs {
                println!("  {what} {a}-{b}, measured {:.0} m", length_m.unwrap_or_default());
            }
        }
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { computed, truth, both, .. } = self;
        let (precision, recall) = (self.precision(), self.recall());
        write!(
            f,
            "{computed} borders computed, {truth} true, {both} in both: \
             precision {precision:.4}, recall {recall:.4}"
        )
    }
}

/// Of nothing, nothing is shown: that is no success.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","properties":{"code":"00001","name":"A","type":"xã"},"geometry":{"type":
        "Polygon","coordinates":[[[105,20],[105.1,20],[105.1,20.1],[105,20.1],[105,20]]]}},
        {"type":"Feature","properties":{"code":"00002","name":"B","type":"xã"},"geometry":{"type":
        "Polygon","coordinates":[[[105.1,20],[105.2,20],[105.2,20.1],[105.1,20.1],[105.1,20]]]}},
        {"type":"Feature","properties":{"code":"00003","name":"C","type":"xã"},"geometry":{"type":
        "Polygon","coordinates":[[[105.2,20],[105.3,20],[105.3,20.1],[105.2,20.1],[105.2,20]]]}}
    ]}"#;

    #[test]
    fn what_is_missing_and_what_is_too_much_is_counted_inside_the_file_only() {
        let truth = "a,b,border_m\n00001,00003,90\n00002,00001,70\n00003,00009,60\n";
        let truth = read_borders(truth).unwrap();
        let comparison = compare(&Boundaries::parse(ROW.as_bytes()).unwrap(), &truth);
        assert_eq!((comparison.computed, comparison.truth, comparison.both), (2, 2, 1));
        assert_eq!((comparison.precision(), comparison.recall()), (0.5, 0.5));
        let [(missing, None)] = comparison.missing.as_slice() else { panic!("{comparison:?}") };
        assert_eq!((missing.0.as_str(), missing.1.as_str()), ("00001", "00003"));
        let [(extra, Some(length_m))] = comparison.extra.as_slice() else { panic!("no extra") };
        assert_eq!((extra.0.as_str(), extra.1.as_str()), ("00002", "00003"));
        assert!((length_m - 11_072.0).abs() < 20.0, "{length_m}");
    }

    #[test]
    fn a_folder_of_another_year_is_no_success() {
        let folder = tempfile::tempdir().unwrap();
        let borders = folder.path().join("borders.csv");
        fs::write(&borders, "a,b,border_m\n00001,00002,90\n00008,00009,90\n").unwrap();
        let file = folder.path().join("row.geojson");
        fs::write(&file, ROW).unwrap();
        assert!(compare_all(folder.path(), &borders).unwrap_err().contains("no polygons"));
        // Told to look at this very file, it does: one of two borders is not in the list.
        assert_eq!(compare_all(&file, &borders), Ok(false));
        fs::write(&borders, "a,b,border_m\n00001,00002,90\n00002,00003,90\n").unwrap();
        assert_eq!(compare_all(folder.path(), &borders), Ok(true));
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for (csv, why) in
            [("x\n", "line 1"), ("a,b,c\n00001\n", "line 2"), ("a,b,c\nx,y,1\n", "line 2")]
        {
            assert!(read_borders(csv).unwrap_err().contains(why), "{csv}");
        }
    }
}
