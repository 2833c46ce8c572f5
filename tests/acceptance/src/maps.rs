//! Maps: those of the real cases, as closed sets of communes, and a made-up province.

use serde_json::json;

/// Đạ Tẻh (25126) and around it, as of 2022.
pub const DA_TEH: &str = include_str!("../maps/da-teh-2021.jsonl");
/// Hoằng Thịnh (15958) and around it.
pub const HOANG_THINH: &str = include_str!("../maps/hoang-thinh-2025.jsonl");
/// Trung Lương (18121), on both sides of the river La.
pub const TRUNG_LUONG: &str = include_str!("../maps/trung-luong-2024.jsonl");
/// The station of Thanh Hóa (14797), a ward beside it, and the stations south to Vinh (16681).
pub const NORTH_SOUTH: &str = include_str!("../maps/north-south-2026.jsonl");

/// A province of so many communes in a chain, 50001, 50002, …, each bordering on the next.
#[must_use]
pub fn chain(communes: u32) -> String {
    let code = |n: u32| (50_000 + n).to_string();
    let line = |n: u32| {
        let before = (n > 1).then(|| code(n - 1));
        let after = (n < communes).then(|| code(n + 1));
        let neighbours: Vec<String> = before.into_iter().chain(after).collect();
        let commune = json!({
            "code": code(n),
            "name": format!("Xã {n}"),
            "type": "xã",
            "province_code": "99",
            "province": "Tỉnh Dài",
            "lat": 10.0 + f64::from(n) / 100.0,
            "lon": 107.0,
            "area_geo_km2": 10.0,
            "neighbours": neighbours,
        });
        format!("{commune}\n")
    };
    (1..=communes).map(line).collect()
}
