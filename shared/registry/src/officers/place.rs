//! The lines of one place, put together as its roster.

use domain::{
    directory::{Listed, RosterFacts},
    ids::Home,
    roster::{CONTACTS_MAX, Contact, DUTIES_MAX, Duty, NotARoster, Roster},
};

use crate::fault::Collector;

/// What a file says of one place, each with the number of its line.
#[derive(Default)]
pub(super) struct Place {
    /// By their order.
    pub(super) contacts: Vec<(u32, usize, Listed)>,
    pub(super) duties: Vec<(usize, Duty)>,
}

impl Place {
    /// The roster; `None` where something was noted.
    pub(super) fn roster(mut self, home: Home, faults: &mut Collector) -> Option<RosterFacts> {
        self.contacts.sort_by_key(|(order, line, _)| (*order, *line));
        self.orders(faults);
        let last_line = self.contacts.iter().map(|(_, line, _)| *line).max();
        let line_of_duty = |officer: &_| {
            let lines = self.duties.iter().filter(|(_, duty)| duty.officer == *officer);
            lines.map(|(line, _)| *line).next()
        };
        let contacts = self.contacts.iter().map(|(_, _, listed)| Contact {
            officer: listed.officer.clone(),
            valid: listed.valid,
            reachable: true,
        });
        let duties = self.duties.iter().map(|(_, duty)| duty.clone()).collect();
        let not = match Roster::of(contacts.collect(), duties) {
            Ok(_) => {
                return Some(RosterFacts {
                    place: home,
                    contacts: self.contacts.into_iter().map(|(_, _, listed)| listed).collect(),
                    duties: self.duties.into_iter().map(|(_, duty)| duty).collect(),
                });
            }
            Err(not) => not,
        };
        let (line, field, reason) = match &not {
            NotARoster::TooManyContacts => {
                (last_line, "contact", format!("nơi này có hơn {CONTACTS_MAX} đầu mối / {not}"))
            }
            NotARoster::TooManyDuties => (
                self.duties.last().map(|(line, _)| *line),
                "duty",
                format!("nơi này có hơn {DUTIES_MAX} ca trực / {not}"),
            ),
            NotARoster::Twice(officer) => {
                let same = |(_, _, listed): &&(u32, usize, Listed)| listed.officer == *officer;
                let line = self.contacts.iter().filter(same).map(|(_, line, _)| *line).max();
                (line, "contact", format!("{officer} là đầu mối hai lần cùng lúc / {not}"))
            }
            NotARoster::NoContact(officer) => (
                line_of_duty(officer),
                "duty",
                format!("{officer} trực nhưng không phải đầu mối của nơi này / {not}"),
            ),
            NotARoster::NoHours(officer) => {
                (line_of_duty(officer), "from", format!("giờ không hợp lệ / {not}"))
            }
        };
        faults.add(line.unwrap_or(1), field, reason);
        None
    }

    /// Two who are asked at the same time must not have the same place in the order.
    fn orders(&self, faults: &mut Collector) {
        for (place, (order, line, listed)) in self.contacts.iter().enumerate() {
            let earlier =
                self.contacts.iter().take(place).find(|(other, _, before)| {
                    other == order && before.valid.overlaps(listed.valid)
                });
            if let Some((_, first, _)) = earlier {
                let reason = format!(
                    "thứ tự {order} đã có ở dòng {first} / order {order} stands in line {first} \
                     already"
                );
                faults.add(*line, "order", reason);
            }
        }
    }
}
