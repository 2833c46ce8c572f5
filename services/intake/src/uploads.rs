//! Uploads on their way in: how many at once, how many of one officer, and how slow they may be.
//!
//! Nothing of what they hold: see `photos`.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use bytes::Bytes;
use chassis::Problem;
use domain::{
    ids::{Home, Millis, OfficerId},
    limits::{Act, RateLimit},
    rights::Asker,
};
use futures::{Stream, StreamExt};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

use crate::http::{DRAINED_BYTES_MAX, invalid};

/// Pictures a minute, of one officer and of one commune.
const PER_MINUTE_MAX: u32 = 60;
/// Uploads that are read, drawn or stored at once, each with up to 10 MiB in memory.
const AT_ONCE_MAX: usize = 16;
/// Of those, so many of one officer: nobody alone keeps the others out.
const AT_ONCE_OF_OFFICER_MAX: usize = 2;
/// So long a place among the uploads is waited for.
const PLACE_PATIENCE: Duration = Duration::from_secs(4);
const RETRY_AFTER_S: u64 = 5;
/// How long an upload may take to get going.
const BEGIN_PATIENCE: Duration = Duration::from_secs(10);
/// From then on so many bytes a second come on average: less is no line that a picture gets over.
const BYTES_PER_S_MIN: u32 = 32 << 10;
/// Ten megabytes by a bad line from a village; whoever is slower sends a smaller one.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(180);

/// The uploads of this process.
pub(crate) struct Uploads {
    places: Semaphore,
    limit: Mutex<RateLimit>,
    under_way: Mutex<HashMap<OfficerId, usize>>,
}

/// A place among the uploads. It is held until its picture is stored.
pub(crate) struct Place<'a> {
    _place: SemaphorePermit<'a>,
    _of_officer: OfOfficer<'a>,
}

/// One of the places that an officer may have.
struct OfOfficer<'a> {
    uploads: &'a Uploads,
    officer: OfficerId,
}

impl Uploads {
    pub(crate) fn new() -> Self {
        Self {
            places: Semaphore::new(AT_ONCE_MAX),
            limit: Mutex::new(RateLimit::new(PER_MINUTE_MAX)),
            under_way: Mutex::default(),
        }
    }

    /// A place for an upload, which counts from here on, whatever comes of it: whoever sends too
    /// many is refused before anything is read.
    ///
    /// # Errors
    /// `too-many` of the asker or the commune, or `busy`: no place became free in time.
    pub(crate) async fn place(&self, asker: &Asker, now: Millis) -> Result<Place<'_>, Problem> {
        let of_officer = self.of_officer(&asker.officer)?;
        self.count(asker, now)?;
        let place = timeout(PLACE_PATIENCE, self.places.acquire()).await;
        let place = place.map_err(|_| busy())?.map_err(|_| busy())?;
        Ok(Place { _place: place, _of_officer: of_officer })
    }

    fn count(&self, asker: &Asker, now: Millis) -> Result<(), Problem> {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        // A province's desk has no commune, and counts as one.
        let commune = asker.standing.commune().unwrap_or(Home::NATION.commune);
        limit.take(Act::Raise, &asker.officer, commune, now).map_err(|many| {
            let detail = "Quá nhiều ảnh trong một phút; hãy thử lại sau. / \
                          Too many pictures a minute; try again later.";
            too_many(detail, many.retry_after_ms.div_ceil(1_000))
        })
    }

    fn of_officer(&self, officer: &OfficerId) -> Result<OfOfficer<'_>, Problem> {
        let mut under_way = self.under_way();
        let count = under_way.entry(officer.clone()).or_default();
        if *count >= AT_ONCE_OF_OFFICER_MAX {
            let detail = "Ảnh gửi trước chưa xong; hãy chờ rồi thử lại. / \
                          Your pictures before this one are still on their way; wait for them.";
            return Err(too_many(detail, RETRY_AFTER_S));
        }
        *count += 1;
        Ok(OfOfficer { uploads: self, officer: officer.clone() })
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<OfficerId, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OfOfficer<'_> {
    fn drop(&mut self) {
        let mut under_way = self.uploads.under_way();
        if let Some(count) = under_way.get_mut(&self.officer) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.officer);
            }
        }
    }
}

/// Reads an upload that keeps coming; `None` where it has more bytes than that.
///
/// # Errors
/// `too-slow`, or the body ended early.
pub(crate) async fn read<E>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    bytes_max: usize,
) -> Result<Option<Bytes>, Problem> {
    let begun = Instant::now();
    let mut read = Vec::new();
    let mut bytes = 0;
    loop {
        let due = begun + patience(bytes);
        let chunk = timeout_at(due, chunks.next()).await.map_err(|_| too_slow())?;
        let Some(chunk) = chunk else { break };
        let chunk =
            chunk.map_err(|_| invalid("", "nội dung bị cắt ngang / the body ended early"))?;
        bytes += chunk.len();
        if bytes <= bytes_max {
            read.extend_from_slice(&chunk);
        } else if bytes > DRAINED_BYTES_MAX {
            break;
        }
    }
    Ok((bytes <= bytes_max).then(|| read.into()))
}

/// How long after its beginning more must have come of an upload of which this came.
fn patience(bytes: usize) -> Duration {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let earned = Duration::from_secs(1) * bytes / BYTES_PER_S_MIN;
    (BEGIN_PATIENCE + earned).min(UPLOAD_PATIENCE)
}

fn too_slow() -> Problem {
    let detail = "Gửi ảnh quá chậm; hãy gửi ảnh nhỏ hơn. / \
                  The picture came too slowly; send a smaller one.";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail)
}

fn too_many(detail: &'static str, retry_after_s: u64) -> Problem {
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail);
    problem.with_retry_after(retry_after_s)
}

/// Others' pictures are in the way.
pub(crate) fn busy() -> Problem {
    let detail = "Đang nhận nhiều ảnh; hãy thử lại. / Many pictures are coming in; try again.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).with_retry_after(RETRY_AFTER_S)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use domain::rights::Standing;
    use futures::stream;

    use super::*;

    const NOW: Millis = Millis(1_795_257_000_000);

    fn asker(officer: &str) -> Asker {
        let standing = Standing::Province("38".parse().unwrap());
        Asker { officer: officer.parse().unwrap(), standing }
    }

    /// The code of the refusal; empty where there is none.
    fn code<T>(answer: Result<T, Problem>) -> String {
        answer.err().map_or_else(String::new, |problem| problem.code().to_owned())
    }

    async fn refused(uploads: &Uploads, officer: &str) -> String {
        code(uploads.place(&asker(officer), NOW).await)
    }

    /// So many bytes each second, without an end.
    fn each_second(bytes: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
        Box::pin(stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from(vec![0; bytes])), ()))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_alone_holds_all_places_and_nobody_waits_for_long() {
        let uploads = Uploads::new();
        let mut held = vec![];
        for officer in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            for _ in 0..AT_ONCE_OF_OFFICER_MAX {
                held.push(uploads.place(&asker(officer), NOW).await.unwrap_or_else(|_| panic!()));
            }
            assert_eq!(refused(&uploads, officer).await, "too-many");
        }
        assert_eq!(held.len(), AT_ONCE_MAX);
        let begun = Instant::now();
        assert_eq!(refused(&uploads, "i").await, "busy");
        assert_eq!(begun.elapsed().as_secs(), PLACE_PATIENCE.as_secs());
        drop(held.pop());
        assert_eq!(refused(&uploads, "i").await, "");
        assert_eq!(refused(&uploads, "h").await, "");
        drop(held);
        assert!(uploads.under_way().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_read_counts_too() {
        let uploads = Uploads::new();
        for _ in 0..PER_MINUTE_MAX {
            assert_eq!(refused(&uploads, "a").await, "");
        }
        assert_eq!(refused(&uploads, "a").await, "too-many");
    }

    #[tokio::test(start_paused = true)]
    async fn what_trickles_is_cut_off_and_what_is_slow_comes_through() {
        let begun = Instant::now();
        assert_eq!(code(read(each_second(1), 1 << 20).await), "too-slow");
        assert_eq!(begun.elapsed().as_secs(), BEGIN_PATIENCE.as_secs());
        // Four mebibytes in 128 seconds.
        let slow = 32 << 10;
        let whole = Box::pin(each_second(slow).take(128));
        assert_eq!(read(whole, 4 << 20).await.ok().flatten().map(|it| it.len()), Some(4 << 20));
        // However steadily it comes, it is over some time.
        let begun = Instant::now();
        assert_eq!(code(read(each_second(slow), 10 << 20).await), "too-slow");
        assert_eq!(begun.elapsed().as_secs(), UPLOAD_PATIENCE.as_secs());
        assert!(matches!(read(each_second(1 << 20).take(4), 3 << 20).await, Ok(None)));
    }
}
