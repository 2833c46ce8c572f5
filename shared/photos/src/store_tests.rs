use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use image::{DynamicImage, ImageFormat};
use tokio::net::TcpListener;

use super::*;

const NOW: Millis = Millis(0);

fn uploaded() -> Bytes {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::new_rgb8(400, 100).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner().into()
}

async fn is_taken_and_read(photos: &Photos) -> PhotoId {
    let taken = photos.take(uploaded(), NOW).await.unwrap();
    assert_eq!((taken.width, taken.height), (400, 100));
    assert!(photos.has(&taken.id).await.unwrap());
    let full = photos.read(&taken.id, Size::Full).await.unwrap().unwrap();
    assert_eq!((full.len(), PhotoId::of(&full)), (taken.bytes, taken.id.clone()));
    for size in Size::ALL {
        let jpeg = photos.read(&taken.id, size).await.unwrap().unwrap();
        assert!(jpeg.starts_with(&[0xff, 0xd8]), "{size:?}");
    }
    assert_eq!(photos.take(uploaded(), NOW).await.unwrap(), taken);
    let other = PhotoId::of(b"another");
    assert!(!photos.has(&other).await.unwrap());
    assert_eq!(photos.read(&other, Size::Thumb).await.unwrap(), None);
    taken.id
}

#[tokio::test]
async fn in_a_folder_it_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let photos = Photos::in_folder(folder.path()).unwrap();
    let id = is_taken_and_read(&photos).await;
    drop(photos);
    let again = Photos::in_folder(folder.path()).unwrap();
    assert!(again.has(&id).await.unwrap());
    // Nothing half written is left, and nothing else.
    let of_id = folder.path().join(&id.as_str()[..2]);
    let mut names: Vec<_> = std::fs::read_dir(of_id)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["full", "medium", "thumb"].map(|size| format!("{id}-{size}.jpg")));
    assert!(Photos::in_folder(&folder.path().join("nowhere")).is_err());
}

#[tokio::test]
async fn under_a_key_no_file_is_a_picture_and_another_key_opens_none() {
    let folder = tempfile::tempdir().unwrap();
    let photos = || Photos::in_folder(folder.path()).unwrap();
    // What an earlier release has left.
    let plain = is_taken_and_read(&photos()).await;
    let keys = Keyring::fresh().unwrap();
    let encrypted = photos().encrypted(keys.clone());
    assert_eq!(encrypted.lacks().await, Ok(None));
    encrypted.note_key().await.unwrap();
    assert!(encrypted.read(&plain, Size::Full).await.unwrap().is_some());
    let id = is_taken_and_read(&encrypted).await;
    for size in Size::ALL {
        let file = folder.path().join(name(&id, size).as_ref());
        let bytes = std::fs::read(file).unwrap();
        let jpeg = encrypted.read(&id, size).await.unwrap().unwrap();
        assert!(!bytes.windows(16).any(|part| jpeg.starts_with(part)), "{size:?}");
    }
    for other in [photos(), photos().encrypted(Keyring::fresh().unwrap())] {
        assert_eq!(other.lacks().await, Ok(keys.newest()));
        assert_eq!(other.read(&id, Size::Full).await, Err(NotStored));
    }
    assert_eq!(photos().encrypted(keys).lacks().await, Ok(None));
}

#[tokio::test]
async fn what_is_no_picture_is_not_stored() {
    let photos = Photos::in_memory();
    is_taken_and_read(&photos).await;
    let not = photos.take(Bytes::from_static(b"<svg/>"), NOW).await;
    assert_eq!(not, Err(NotTaken::NotAPicture(NotAPicture::OtherFormat)));
}

#[tokio::test(start_paused = true)]
async fn while_others_are_drawn_nobody_waits_for_long() {
    let photos = Photos::in_memory();
    let all = u32::try_from(DRAWN_AT_ONCE_MAX).unwrap();
    let drawn = photos.drawing.acquire_many(all).await.unwrap();
    assert_eq!(photos.take(uploaded(), NOW).await, Err(NotTaken::Busy));
    drop(drawn);
    assert!(photos.take(uploaded(), NOW).await.is_ok());
}

/// As much of S3 as is asked of it: PUT, GET and HEAD of an object, each signed.
#[derive(Default)]
struct Bucket {
    objects: Mutex<BTreeMap<String, Bytes>>,
    is_away: Mutex<bool>,
}

async fn answer(State(bucket): State<Arc<Bucket>>, request: Request) -> Response {
    if *bucket.is_away.lock().unwrap_or_else(PoisonError::into_inner) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let signed = request.headers().get("authorization").map(|value| value.to_str().unwrap());
    if !signed.is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 Credential=somebody/")) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = axum::body::to_bytes(request.into_body(), 1 << 24).await.unwrap();
    let mut objects = bucket.objects.lock().unwrap_or_else(PoisonError::into_inner);
    let mut headers = HeaderMap::new();
    headers.insert("etag", "\"1\"".parse().unwrap());
    headers.insert("last-modified", "Sun, 22 Nov 2026 10:00:00 GMT".parse().unwrap());
    if method == Method::PUT {
        objects.insert(path, body);
        return headers.into_response();
    }
    match objects.get(&path) {
        Some(found) => (headers, found.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test]
async fn in_a_bucket_it_lies_under_the_prefix() {
    let bucket = Arc::new(Bucket::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(answer).with_state(Arc::clone(&bucket));
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let variables = [
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "hn-1"),
        ("AWS_ACCESS_KEY_ID", "somebody"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("PATH", "/bin"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let photos = Photos::in_bucket("s3://keng/photos/of-the-demo/", variables).unwrap();
    let id = is_taken_and_read(&photos).await;
    let names = bucket.objects.lock().unwrap().keys().cloned().collect::<Vec<String>>();
    let (notes, names): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| name.contains("/uploads/"));
    assert_eq!(notes, [format!("/keng/photos/of-the-demo/uploads/{id}/0")]);
    let folder = format!("/keng/photos/of-the-demo/{}", &id.as_str()[..2]);
    assert_eq!(names, ["full", "medium", "thumb"].map(|size| format!("{folder}/{id}-{size}.jpg")));
    *bucket.is_away.lock().unwrap() = true;
    assert_eq!(photos.has(&id).await, Err(NotStored));
    assert_eq!(photos.read(&id, Size::Full).await, Err(NotStored));
    assert_eq!(photos.take(uploaded(), NOW).await, Err(NotTaken::NotStored(NotStored)));
    server.abort();
}
