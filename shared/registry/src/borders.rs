//! The map as the domain asks for it.

use domain::{
    alert::MilliPoint,
    ids::{CommuneCode, Home, ProvinceCode},
    reach::{
        Borders,
        distance::{DistanceM, Located},
    },
};

use crate::map::{CommuneKind, Map};

impl Borders for Map {
    fn home(&self, commune: CommuneCode) -> Option<Home> {
        Map::home(self, commune)
    }

    fn neighbours(&self, commune: CommuneCode) -> &[CommuneCode] {
        Map::neighbours(self, commune)
    }

    fn of_province(&self, province: ProvinceCode) -> Vec<CommuneCode> {
        Map::of_province(self, province).map(|commune| commune.code).collect()
    }

    fn distance_m(&self, from: MilliPoint, to: CommuneCode) -> Option<DistanceM> {
        Map::distance_m(self, from, to)
    }

    fn located(&self, point: MilliPoint) -> Option<Located> {
        Map::located(self, point)
    }

    fn is_urban(&self, commune: CommuneCode) -> bool {
        self.commune(commune).is_some_and(|commune| commune.kind == CommuneKind::Ward)
    }
}
