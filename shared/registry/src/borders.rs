//! The map as the domain asks for it.

use domain::{
    ids::{CommuneCode, Home, ProvinceCode},
    reach::Borders,
};

use crate::map::Map;

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
}
