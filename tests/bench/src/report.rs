//! What was measured, beside its floor and its target: a table for people, a line of JSON for
//! programs.

use std::time::Duration;

use serde_json::{Value, json};

/// What a ratio must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At most so many times the floor.
    AtMost(f64),
    /// At least so many times the floor.
    AtLeast(f64),
    /// It is only shown.
    Shown,
}

/// One figure beside its floor; both in `unit`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What, as `raise → accepted`.
    pub what: String,
    /// On which disk, as `as it is`.
    pub disk: String,
    /// The median.
    pub measured: f64,
    /// What it is compared with, in words.
    pub floor_is: String,
    /// The median of that.
    pub floor: f64,
    /// Of both.
    pub unit: &'static str,
    /// Of the ratio.
    pub target: Target,
    /// How many rounds were counted.
    pub rounds: usize,
}

impl Row {
    /// How many times the floor.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.measured / self.floor
    }

    /// `ok`, `OVER`, `UNDER`, or nothing where there is no target.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match self.target {
            Target::AtMost(most) if self.ratio() > most => "OVER",
            Target::AtLeast(least) if self.ratio() < least => "UNDER",
            Target::AtMost(_) | Target::AtLeast(_) => "ok",
            Target::Shown => "",
        }
    }

    fn target_text(&self) -> String {
        match self.target {
            Target::AtMost(most) => format!("≤ {most:.2}"),
            Target::AtLeast(least) => format!("≥ {least:.2}"),
            Target::Shown => String::new(),
        }
    }

    fn json(&self) -> Value {
        let target = match self.target {
            Target::AtMost(most) => json!({ "at_most": most }),
            Target::AtLeast(least) => json!({ "at_least": least }),
            Target::Shown => Value::Null,
        };
        json!({
            "what": self.what, "disk": self.disk, "unit": self.unit, "rounds": self.rounds,
            "measured": self.measured, "floor_is": self.floor_is, "floor": self.floor,
            "ratio": self.ratio(), "target": target, "verdict": self.verdict(),
        })
    }
}

/// The table's lines, head first.
#[must_use]
pub fn table(rows: &[Row]) -> Vec<String> {
    let head = ["what", "disk", "measured", "ratio", "target", "", "floor", "which is", "rounds"];
    let mut cells: Vec<[String; 9]> = vec![head.map(str::to_owned)];
    for row in rows {
        cells.push([
            row.what.clone(),
            row.disk.clone(),
            format!("{:.2} {}", row.measured, row.unit),
            format!("{:.2}", row.ratio()),
            row.target_text(),
            row.verdict().to_owned(),
            format!("{:.2} {}", row.floor, row.unit),
            row.floor_is.clone(),
            row.rounds.to_string(),
        ]);
    }
    let width = |column: usize| {
        let texts = cells.iter().filter_map(|row| row.get(column));
        texts.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &[String; 9]| {
        let padded = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

/// All rows as one line.
#[must_use]
pub fn json_line(rows: &[Row]) -> String {
    json!({ "bench": rows.iter().map(Row::json).collect::<Vec<_>>() }).to_string()
}

/// The middle one, in milliseconds; 0 of none.
#[must_use]
pub fn median_ms(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |middle| middle.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(measured: f64, target: Target) -> Row {
        let text = |text: &str| text.to_owned();
        Row {
            what: text("đến"),
            disk: text("as it is"),
            measured,
            floor_is: text("one"),
            floor: 2.0,
            unit: "ms",
            target,
            rounds: 3,
        }
    }

    #[test]
    fn what_is_over_its_target_is_said_to_be() {
        assert_eq!(row(3.0, Target::AtMost(1.5)).verdict(), "ok");
        assert_eq!(row(3.1, Target::AtMost(1.5)).verdict(), "OVER");
        assert_eq!(row(9.0, Target::AtLeast(5.0)).verdict(), "UNDER");
        let lines = table(&[row(3.0, Target::AtMost(1.5)), row(30.0, Target::Shown)]);
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("đến   as it is  3.00 ms   1.50   ≤ 1.50  ok"), "{lines:?}");
        assert!(json_line(&[row(3.1, Target::AtMost(1.5))]).contains("\"verdict\":\"OVER\""));
    }

    #[test]
    fn the_median_is_the_middle_one() {
        let times = [9, 1, 2].map(Duration::from_millis);
        assert!((median_ms(&times) - 2.0).abs() < 1e-9);
        assert!(median_ms(&[]).abs() < 1e-9);
    }
}
