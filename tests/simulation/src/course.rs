//! The course of one seed: the town is built in calm, then people ask and things go wrong by the
//! script, then the faults end and everything must come to rest.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use axum::http::Method;
use chassis::Clock;
use domain::ids::AlertId;
use event_log::Class;
use tokio::{
    runtime::Builder,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    auditor::Auditor,
    broker::{Broker, Entry},
    chance::Chance,
    digest,
    faults::{Fault, Faults, Mutation, Setting},
    invariants::{self, Left},
    machine::{classes_that_lose, healable},
    reading::Reading,
    script::{Asked, Doing, PROVINCE, Script},
    target::Targets,
    time::Stillness,
    town::{Answered, Routers, Town, ask, groups},
};

/// The client of a script waits so long for an answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(8);
/// And asks so often, before it gives up.
const ASKED_TIMES_MAX: u32 = 8;
/// Nothing stirs for so long before the hours are passed in which nothing is due.
const QUIET: Duration = Duration::from_secs(3);
/// What is due must have been done by then, in calm.
const REST_PATIENCE: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(500);

/// What came of one run of a seed.
#[derive(Debug, Clone)]
pub struct Course {
    /// A line for each record and call.
    pub lines: Vec<String>,
    /// Every record.
    pub entries: Vec<Entry>,
    /// What does not hold.
    pub broken: Vec<String>,
}

/// How a seed is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// What is broken on purpose.
    pub mutation: Option<Mutation>,
    /// Some checks at the end are left out: for a run that is only compared with another.
    pub unchecked: bool,
}

/// Runs a seed once.
///
/// # Errors
/// The machine that simulates is in trouble; nothing is known of the seed.
pub fn run(seed: u64, manner: Manner) -> Result<Course> {
    let stillness = Arc::new(Stillness::default());
    let rests = Arc::clone(&stillness);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(move || rests.runtime_rests())
        .build()?;
    runtime.block_on(async {
        tokio::spawn(Arc::clone(&stillness).keep());
        live(seed, manner, &stillness).await
    })
}

async fn live(seed: u64, manner: Manner, stillness: &Arc<Stillness>) -> Result<Course> {
    let mutation = manner.mutation;
    let faults = Faults::of(seed);
    let broker = Broker::new(seed, &faults, mutation);
    let mut targets = Targets::start(seed, &broker, &faults, stillness, mutation).await?;
    let mut town = Town::build(seed, &broker, (&faults, mutation), &targets).await?;
    broker.begin_to_mutate();
    let chance = Chance::of(seed, "illness");
    groups().filter(|_| chance.once_in(2)).for_each(|group| targets.sicken(group));
    let auditor = Auditor::default();
    // It takes a tenth of the time, and what it may find is found by few seeds as well as by many.
    let survives = faults.setting == Setting::Broker || !faults.ever(Fault::Crashes);
    let follows = survives && chance.once_in(4);
    if follows {
        tokio::spawn(auditor.clone().follow(town.reader()));
    }

    let script = Script::of(seed, &faults, town.machines.len(), town.walls.true_clock().now().0);
    faults.switch(true);
    let asking = play(&script, &mut town).await?;
    faults.switch(false);
    targets.come_up()?;
    town.walls.right();
    for machine in 0..town.machines.len() {
        town.away(machine, false);
        town.start(machine)?;
    }
    broker.stir_all();
    let accepted: Vec<AlertId> = asking.join_all().await.into_iter().flatten().collect();

    let mut reading = Reading::default();
    let mut broken = targets.wrong();
    if let Err(why) = rest(&town, &targets, &mut reading).await {
        broken.push(format!("{why:#}"));
    }
    if mutation == Some(Mutation::ForgottenCommit) {
        broker.forget_a_commit();
        reading = Reading::default();
        reading.read(&broker)?;
    }
    let arrivals = targets.arrivals();
    broken.extend(invariants::broken(&Left {
        broker: &broker,
        reading: &reading,
        arrivals: &arrivals,
        script: &script,
        accepted: &accepted,
    }));
    let entries = broker.entries();
    let lines = digest::lines(&entries, &arrivals);
    // What was forgotten behind everybody's back fits nobody's cursor: no audit reads it.
    if !manner.unchecked && mutation != Some(Mutation::ForgottenCommit) {
        broken.extend(audited(&mut town, follows.then_some(auditor)).await?);
        broken.extend(boards(&mut town, &script).await?);
    }
    if town.running.iter().flatten().any(|running| running.host.drain.token().is_cancelled()) {
        broken.push("a process ended by itself".to_owned());
    }
    if stillness.is_stuck() {
        broken.push("a call was under way for ever".to_owned());
    }
    Ok(Course { lines, entries, broken })
}

/// Plays the script. Answers with those who still wait for an answer.
async fn play(script: &Script, town: &mut Town) -> Result<JoinSet<Option<AlertId>>> {
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for (at_ms, doing) in &script.doings {
        sleep_until(began + Duration::from_millis(*at_ms)).await;
        match doing {
            Doing::Ask(asked) => {
                let (asked, routers) = (asked.clone(), town.routers.clone());
                asking.spawn(insist(asked, routers, town.machines.len()));
            }
            Doing::Jump(machine, wrong_ms) => town.walls.jump(*machine, *wrong_ms),
            Doing::Kill(machine) => town.kill(*machine),
            Doing::Start(machine) => town.start(*machine)?,
            Doing::Away(machine, away) => town.away(*machine, *away),
            Doing::Lose(class, many) => lose(town, *class, *many),
            Doing::Pass(ms) => town.walls.pass_ms(*ms),
        }
    }
    Ok(asking)
}

fn lose(town: &Town, class: Class, many: usize) {
    let losing = classes_that_lose(&town.broker);
    if losing.iter().any(|(of, head)| *of == class && *head > 0) {
        town.broker.lose(class, many, healable(&town.machines));
    }
}

/// Asks until there is an answer that says something. Answers with the alert that was raised.
async fn insist(asked: Asked, routers: Routers, machines: usize) -> Option<AlertId> {
    let chance = Chance::of(asked.luck, "client");
    for _ in 0..ASKED_TIMES_MAX {
        let number = usize::try_from(chance.below(machines as u64)).unwrap_or(0);
        if let Some(router) = routers.at(number) {
            let who = (asked.officer.as_str(), Method::POST);
            let what = (asked.key.as_str(), Some(&asked.body));
            let answer = timeout(ANSWER_PATIENCE, ask(router, who, &asked.path, what)).await;
            match answer {
                Ok(Ok(Answered { status: 200..=202, .. })) => {
                    return asked.raises.then_some(asked.alert);
                }
                // A process that has not read the log yet knows neither tokens nor alerts.
                Ok(Ok(Answered { status: 401 | 404 | 500.., .. })) | Ok(Err(_)) | Err(_) => {}
                Ok(Ok(_refused)) => return None,
            }
        }
        sleep(Duration::from_millis(chance.between(300, 3_000))).await;
    }
    None
}

/// In calm everything that is due is done, and what is due later is done when its time has come.
async fn rest(town: &Town, targets: &Targets, reading: &mut Reading) -> Result<()> {
    let clock = town.walls.true_clock();
    let mut still_since = Instant::now();
    let mut due_since = Instant::now();
    let mut before = (0, 0);
    loop {
        sleep(STEP).await;
        let now = (town.broker.count(), targets.count());
        if now != before {
            (before, still_since) = (now, Instant::now());
        }
        if still_since.elapsed() < QUIET {
            if due_since.elapsed() > 4 * REST_PATIENCE {
                bail!("it does not come to rest");
            }
            continue;
        }
        reading.read(&town.broker)?;
        let held = town.machines.iter().any(|machine| !machine.held().is_empty());
        let held = held.then(|| "a command that is held".to_owned());
        if let Some(due) = held.or_else(|| reading.unsettled(clock.now())) {
            if due_since.elapsed() > REST_PATIENCE {
                bail!("still to come: {due}");
            }
            continue;
        }
        let Some(next) = reading.next_due(clock.now()) else { return Ok(()) };
        let ms = i64::try_from(next.since_ms(clock.now())).context("a time that comes")?;
        town.walls.pass_ms(ms);
        (still_since, due_since) = (Instant::now(), Instant::now());
    }
}

/// The audit has everything in its order, whether it followed all the time or reads it now.
async fn audited(town: &mut Town, live: Option<Auditor>) -> Result<Vec<String>> {
    let standing = town.broker.standing();
    let anew = Auditor::default();
    let reader = town.reader();
    anew.read(reader).await?;
    let mut broken = anew.broken(&standing);
    if let Some(live) = live {
        let began = Instant::now();
        while live.missing(&standing) > 0 && began.elapsed() < REST_PATIENCE {
            sleep(STEP).await;
        }
        broken.extend(live.broken(&standing));
    }
    Ok(broken)
}

/// 7: local state is a cache. Whoever begins without it shows the same alerts.
async fn boards(town: &mut Town, script: &Script) -> Result<Vec<String>> {
    let newcomer = timeout(REST_PATIENCE, town.newcomer()).await;
    let Ok(newcomer) = newcomer else { return Ok(vec!["a newcomer never catches up".to_owned()]) };
    let mut broken = Vec::new();
    for alert in &script.alerts {
        let path = format!("/v1/alerts/{}", alert.id);
        let who = || (PROVINCE, Method::GET);
        let anew = ask(newcomer.clone(), who(), &path, ("", None)).await?;
        for number in 0..town.machines.len() {
            let Some(router) = town.routers.at(number) else { continue };
            let before = ask(router, who(), &path, ("", None)).await?;
            // KNOWN: the warning about an officer without a drill depends on the order in which
            // commands came, which a healed log does not have (21, 830).
            let shown = |body: &serde_json::Value| {
                let mut shown = body.clone();
                shown.as_object_mut().map(|fields| fields.remove("warnings"));
                shown
            };
            if (before.status, shown(&before.body)) != (anew.status, shown(&anew.body)) {
                broken.push(format!(
                    "machine {number} shows {} {}, a newcomer {} {}",
                    before.status, before.body, anew.status, anew.body
                ));
            }
        }
    }
    Ok(broken)
}
