//! Followers of a log whose records are all at hand in this process: the order of their steps,
//! the places of reactors, and the moment when all reactors have reached the head.
//!
//! No storage: a log lends its shelf. Not for brokers, which keep places themselves.

use std::{
    collections::{BTreeMap, HashMap},
    iter::Peekable,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    follower::{Cursor, Follow, Follower, Following, Role, Step},
    log::FollowError,
    place::Place,
    record::{Class, Position, Recorded},
};

/// After this long a record that was given back comes again.
pub const GIVEN_BACK_MS: u64 = 1_000;

/// What a log lends to its followers. Its methods may be called while [`Places`] is locked: they
/// must not call into it.
pub trait Shelf: Send + Sync + 'static {
    /// Records of one class that were read together, one behind the other.
    type Run: Iterator<Item = Arc<Recorded>> + Send;

    /// The places of this log's followers.
    fn places(&self) -> &Places;
    /// The first record of a class behind a position. Knows at least every record up to the
    /// head that [`Places::advance`] was told last.
    fn next_of(&self, class: Class, after: Position) -> Option<Position>;
    /// The record at a position, and those of its class right behind it that come cheaply.
    fn read(&self, position: Position) -> Result<(Arc<Recorded>, Self::Run), FollowError>;
    /// SHA-256 of the open part there, where there is a record.
    fn hash_at(&self, position: Position) -> Result<Option<[u8; 32]>, FollowError>;
    /// All reactors of this process have seen the head, and ask for more.
    fn rest(&self) {}
    /// A reactor has acknowledged something.
    fn moved(&self) {}
}

type Name = (String, Class);

/// Where the followers of one log stand, and where its head is.
#[derive(Debug)]
pub struct Places {
    state: Mutex<State>,
    head: watch::Sender<Position>,
    /// Wakes the projections of a class: what comes in another is nothing to them.
    grown: BTreeMap<Class, watch::Sender<()>>,
    /// Wakes followers for another reason than a new head.
    stir: watch::Sender<()>,
    given_back: Duration,
}

#[derive(Debug, Default)]
struct State {
    places: HashMap<Name, Place>,
    /// The instances of reactors in this process: up to where each has seen the log when it last
    /// found nothing more.
    instances: HashMap<u64, Position>,
    instances_made: u64,
    closed: bool,
}

impl State {
    fn all_have_seen(&self, head: Position) -> bool {
        self.instances.values().all(|seen| *seen >= head)
    }
}

impl Places {
    /// For a log whose last record is at `head`.
    #[must_use]
    pub fn new(head: Position, given_back: Duration) -> Self {
        Self {
            state: Mutex::default(),
            head: watch::Sender::new(head),
            grown: Class::ALL.into_iter().map(|class| (class, watch::Sender::new(()))).collect(),
            stir: watch::Sender::new(()),
            given_back,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position of the last record that followers were told of.
    #[must_use]
    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// The log has grown by records of this class: wakes their followers, and the reactors of the
    /// others, who say when all have seen the head. Says whether nobody is waited for, because
    /// there is no reactor in this process.
    pub fn advance(&self, head: Position, class: Class) -> bool {
        self.head.send_if_modified(|old| {
            let grown = *old < head;
            *old = head.max(*old);
            grown
        });
        // Behind the head, so that whoever is woken sees it.
        if let Some(grown) = self.grown.get(&class) {
            grown.send_replace(());
        }
        self.lock().instances.is_empty()
    }

    /// Ends every follower with `Unavailable`.
    pub fn close(&self) {
        self.lock().closed = true;
        self.stir.send_replace(());
    }

    /// Takes up a place that was kept.
    pub fn restore(&self, name: String, class: Class, position: Position) {
        self.lock().places.insert((name, class), Place::behind(position));
    }

    /// The places to be kept: name, class, up to where nothing needs to be seen again.
    #[must_use]
    pub fn done(&self) -> Vec<(String, Class, Position)> {
        let state = self.lock();
        state
            .places
            .iter()
            .map(|((name, class), place)| (name.clone(), *class, place.done()))
            .collect()
    }
}

/// Follows a log through its shelf. A reactor whose place is known goes on from it.
pub fn follow<S: Shelf>(shelf: Arc<S>, following: &Following) -> Result<Follower, FollowError> {
    let places = shelf.places();
    let head = places.head();
    let who = match following.role {
        Role::Projection => Who::Projection { asked: behind(&*shelf, following.from, head)? },
        Role::Reactor(name) => {
            let place = (name.to_owned(), following.class);
            let known = places.lock().places.contains_key(&place);
            let asked = if known { 0 } else { behind(&*shelf, following.from, head)? };
            let mut state = places.lock();
            state.places.entry(place.clone()).or_insert_with(|| Place::behind(asked));
            state.instances_made += 1;
            let instance = state.instances_made;
            state.instances.insert(instance, 0);
            Who::Instance { place, instance }
        }
    };
    let grown = match who {
        Who::Projection { .. } => places.grown.get(&following.class).map(watch::Sender::subscribe),
        Who::Instance { .. } => None,
    };
    let wake = grown.map_or_else(|| Wake::Head(places.head.subscribe()), Wake::Class);
    Ok(Follower::new(LocalFollower {
        class: following.class,
        who,
        wake,
        stir: places.stir.subscribe(),
        until: head,
        caught_up: false,
        run: None,
        shelf,
    }))
}

/// The position that a cursor stands on, if it fits.
fn behind(
    shelf: &impl Shelf,
    from: Option<Cursor>,
    head: Position,
) -> Result<Position, FollowError> {
    match from {
        Some(Cursor { position, hash }) if position > 0 => {
            let fits = position <= head && shelf.hash_at(position)? == Some(hash);
            if fits { Ok(position) } else { Err(FollowError::CursorDoesNotFit) }
        }
        _ => Ok(0),
    }
}

struct LocalFollower<S: Shelf> {
    shelf: Arc<S>,
    class: Class,
    who: Who,
    wake: Wake,
    stir: watch::Receiver<()>,
    /// The head as it was when following began.
    until: Position,
    caught_up: bool,
    /// What was read with an earlier record; may hold what another instance has taken.
    run: Option<Peekable<S::Run>>,
}

enum Who {
    Projection { asked: Position },
    Instance { place: Name, instance: u64 },
}

/// What a follower is woken by.
enum Wake {
    Head(watch::Receiver<Position>),
    Class(watch::Receiver<()>),
}

impl Wake {
    /// What comes from now on wakes.
    fn begin(&mut self) {
        match self {
            Self::Head(head) => drop(head.borrow_and_update()),
            Self::Class(grown) => drop(grown.borrow_and_update()),
        }
    }

    async fn changed(&mut self) {
        // The senders live as long as the shelf, which the follower holds.
        let _ = match self {
            Self::Head(head) => head.changed().await,
            Self::Class(grown) => grown.changed().await,
        };
    }
}

/// What a follower finds when it looks.
enum Found {
    At(Position),
    CaughtUp,
    /// Nothing yet; the time when something comes again.
    Nothing(Option<Instant>),
}

impl<S: Shelf> LocalFollower<S> {
    async fn step(&mut self) -> Result<Step, FollowError> {
        loop {
            // Taken before looking: what comes after wakes the wait below.
            self.wake.begin();
            let head = self.shelf.places().head();
            self.stir.borrow_and_update();
            let due = match self.look(head)? {
                Found::At(position) => return self.read(position).map(Step::Record),
                Found::CaughtUp => return Ok(Step::CaughtUp),
                Found::Nothing(due) => due,
            };
            tokio::select! {
                () = self.wake.changed() => {}
                _ = self.stir.changed() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    /// Looks once. From here to the record's return nothing waits, so that a dropped future
    /// takes no record with it.
    fn look(&mut self, head: Position) -> Result<Found, FollowError> {
        let Self { shelf, class, who, until, caught_up, .. } = self;
        let mut state = shelf.places().lock();
        if state.closed {
            return Err(FollowError::Unavailable("the log is closed".to_owned()));
        }
        let asked = match who {
            Who::Projection { asked } => *asked,
            Who::Instance { place, instance } => {
                let place = state.places.entry(place.clone()).or_default();
                if let Some(position) = place.take_again(*instance, Instant::now()) {
                    return Ok(Found::At(position));
                }
                place.asked()
            }
        };
        let next = shelf.next_of(*class, asked);
        if !*caught_up && next.is_none_or(|next| next > *until) {
            *caught_up = true;
            return Ok(Found::CaughtUp);
        }
        let (place, instance) = match who {
            Who::Projection { asked } => {
                *asked = next.unwrap_or_else(|| head.max(*asked));
                return Ok(next.map_or(Found::Nothing(None), Found::At));
            }
            Who::Instance { place, instance } => (&*place, *instance),
        };
        let place = state.places.entry(place.clone()).or_default();
        if let Some(position) = next {
            place.take(instance, position);
            return Ok(Found::At(position));
        }
        place.pass(head);
        let due = place.next_due();
        state.instances.insert(instance, head);
        let rest = state.all_have_seen(shelf.places().head());
        drop(state);
        if rest {
            shelf.rest();
        }
        Ok(Found::Nothing(due))
    }

    /// The next record of a projection, where it was read with an earlier one: nothing of its class
    /// lies between those.
    fn read_ahead(&mut self) -> Option<Arc<Recorded>> {
        let Who::Projection { asked } = &mut self.who else { return None };
        let (until, caught_up) = (self.until, self.caught_up);
        let read = self.run.as_mut()?.next_if(|next| caught_up || next.position <= until)?;
        *asked = read.position;
        Some(read)
    }

    fn read(&mut self, position: Position) -> Result<Arc<Recorded>, FollowError> {
        if let Some(run) = &mut self.run {
            while run.next_if(|recorded| recorded.position < position).is_some() {}
            if let Some(recorded) = run.next_if(|recorded| recorded.position == position) {
                return Ok(recorded);
            }
        }
        let read = self.shelf.read(position).map(|(first, run)| {
            self.run = Some(run.peekable());
            first
        });
        if read.is_err() {
            self.give_back(position);
        }
        read
    }
}

impl<S: Shelf> Follow for LocalFollower<S> {
    fn next(&mut self) -> BoxFuture<'_, Result<Step, FollowError>> {
        Box::pin(self.step())
    }

    fn at_hand(&mut self) -> Option<Step> {
        self.read_ahead().map(Step::Record)
    }

    fn acknowledge(&mut self, position: Position) {
        let Who::Instance { place, .. } = &self.who else { return };
        if let Some(place) = self.shelf.places().lock().places.get_mut(place) {
            place.acknowledge(position);
        }
        self.shelf.moved();
    }

    fn give_back(&mut self, position: Position) {
        let Who::Instance { place, instance } = &self.who else { return };
        let places = self.shelf.places();
        let due = Instant::now() + places.given_back;
        let mut state = places.lock();
        let had =
            state.places.get_mut(place).map(|place| place.give_back(*instance, position, due));
        drop(state);
        if had == Some(true) {
            places.stir.send_replace(());
        }
    }
}

impl<S: Shelf> Drop for LocalFollower<S> {
    fn drop(&mut self) {
        let Who::Instance { place, instance } = &self.who else { return };
        let places = self.shelf.places();
        let mut state = places.lock();
        state.instances.remove(instance);
        let left = state.places.get_mut(place).map(|place| place.leave(*instance, Instant::now()));
        let rest = state.all_have_seen(places.head());
        drop(state);
        if left == Some(true) {
            places.stir.send_replace(());
        }
        if rest {
            self.shelf.rest();
        }
    }
}
